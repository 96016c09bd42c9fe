"""
A NAT between two address realms.

It works on segments as a kernel's does; its rules are L{Translation}'s.
"""

from __future__ import annotations

from errno import ECONNREFUSED
from typing import TYPE_CHECKING

from punch.testing.behavior import NATBehavior
from punch.testing.mappings import MappingTable
from punch.testing.realm import Realm, Step
from punch.testing.segment import Segment
from punch.testing.translation import Translation, Verdict
from punch.testing.wire import Wired

if TYPE_CHECKING:
    from punch.testing.network import MemoryNetwork


class MemoryNAT(Wired):
    """
    A NAT with one outside address, and a wire outside.

    @ivar inside: the realm behind it.
    """

    isEnd = False

    def __init__(
        self,
        network: MemoryNetwork,
        address: str,
        behavior: NATBehavior,
        outside: Realm,
    ) -> None:
        Wired.__init__(self, network.random)
        self.address = address
        self.behavior = behavior
        self.inside = Realm(self)
        self._translation = Translation(
            address, behavior, network.clock.seconds, network.random
        )
        self._network = network
        self._outside = outside
        outside.attach(address, self)

    @property
    def mappings(self) -> MappingTable:
        """
        What it remembers.
        """
        return self._translation.mappings

    def reset(self) -> None:
        """
        Restart: it has forgotten everything.
        """
        self._translation.forget()

    def leave(self, segment: Segment) -> Step | None:
        """
        A segment goes out.
        """
        if segment.destination[0] == self.address:
            verdict = self._translation.hairpin(segment)
            return self._admit(segment, verdict, isFromInside=True)
        verdict = self._translation.outbound(segment)
        if verdict is not Verdict.PASS:
            self._refuse(segment, verdict, isFromInside=True)
            return None
        delay = self.leg()
        if delay is None:
            self._network.drop(segment)
            return None
        return delay, self._outside

    def accept(self, segment: Segment) -> Step | None:
        """
        A segment comes in.
        """
        verdict = self._translation.inbound(segment)
        return self._admit(segment, verdict, isFromInside=False)

    def drop(self, segment: Segment) -> None:
        """
        A segment is lost inside.
        """
        self._network.drop(segment)

    def _admit(
        self, segment: Segment, verdict: Verdict, isFromInside: bool
    ) -> Step | None:
        if verdict is Verdict.PASS:
            return self._enter(segment)
        self._refuse(segment, verdict, isFromInside)
        return None

    def _enter(self, segment: Segment) -> Step | None:
        return self.inside.accept(segment)

    def _refuse(self, segment: Segment, verdict: Verdict, isFromInside: bool) -> None:
        if verdict is Verdict.RESET:
            self._answer(segment.refusal(), isFromInside)
        elif verdict is Verdict.REJECT:
            self._answer(segment.unreachable(ECONNREFUSED), isFromInside)
        self._network.drop(segment)

    def _answer(self, answer: Segment, isInside: bool) -> None:
        delay = 0.0 if isInside else self.leg()
        if delay is None:
            self._network.drop(answer)
        else:
            realm = self.inside if isInside else self._outside
            self._network.carry(answer, delay, realm)

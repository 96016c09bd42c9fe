"""
A NAT between two address realms.

It works on segments as a kernel's does; its rules are L{Translator}'s.
"""

from __future__ import annotations

from errno import ECONNREFUSED

from punch.testing.behavior import NATBehavior
from punch.testing.interfaces import Network, Step
from punch.testing.mappings import MappingTable
from punch.testing.realm import Realm
from punch.testing.segment import Segment
from punch.testing.translator import FilterVerdict, Translator
from punch.testing.wire import WiredNode


class MemoryNAT(WiredNode):
    """
    A NAT with one outside address, and a wire outside.

    @ivar inside: the realm behind it.
    """

    isHost = False

    def __init__(
        self,
        network: Network,
        address: str,
        behavior: NATBehavior,
        outside: Realm,
    ) -> None:
        WiredNode.__init__(self, network.random)
        self.address = address
        self.behavior = behavior
        self.inside = Realm(self)
        self._translation = Translator(
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

    def forward(self, segment: Segment) -> Step | None:
        """
        A segment goes out.
        """
        if segment.destination[0] == self.address:
            verdict = self._translation.hairpin(segment)
            return self._admit(segment, verdict, isFromInside=True)
        verdict = self._translation.outbound(segment)
        if verdict is not FilterVerdict.PASS:
            self._refuse(segment, verdict, isFromInside=True)
            return None
        delay = self.wireDelay()
        if delay is None:
            self._network.drop(segment)
            return None
        return delay, self._outside

    def receive(self, segment: Segment) -> Step | None:
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
        self, segment: Segment, verdict: FilterVerdict, isFromInside: bool
    ) -> Step | None:
        if verdict is FilterVerdict.PASS:
            return self._enter(segment)
        self._refuse(segment, verdict, isFromInside)
        return None

    def _enter(self, segment: Segment) -> Step | None:
        return self.inside.receive(segment)

    def _refuse(
        self, segment: Segment, verdict: FilterVerdict, isFromInside: bool
    ) -> None:
        if verdict is FilterVerdict.RESET:
            self._answer(segment.refusal(), isFromInside)
        elif verdict is FilterVerdict.REJECT:
            self._answer(segment.unreachable(ECONNREFUSED), isFromInside)
        self._network.drop(segment)

    def _answer(self, answer: Segment, isInside: bool) -> None:
        delay = 0.0 if isInside else self.wireDelay()
        if delay is None:
            self._network.drop(answer)
        else:
            realm = self.inside if isInside else self._outside
            self._network.carry(answer, delay, realm)

"""
A NAT in memory, between two address realms.

It carries segments from one realm to the other; its rules are those of L{Translator}.
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
    A NAT with one outside address, on a wire of its own.
    L{MemoryNetwork.nat<punch.testing.MemoryNetwork.nat>} makes it.

    @ivar address: the outside address.
    @ivar behavior: how it behaves.
    @ivar inside: the realm of the hosts behind it.
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
        Its mappings.
        """
        return self._translation.mappings

    def reset(self) -> None:
        """
        Restart: forget all mappings.
        """
        self._translation.forget()

    def forward(self, segment: Segment) -> Step | None:
        """
        Send a segment from inside out.
        """
        if segment.destination[0] == self.address:
            verdict = self._translation.hairpin(segment)
            return self._letIn(segment, verdict, isFromInside=True)
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
        Take a segment from outside in.
        """
        verdict = self._translation.inbound(segment)
        return self._letIn(segment, verdict, isFromInside=False)

    def drop(self, segment: Segment) -> None:
        """
        Note that a segment is lost inside.
        """
        self._network.drop(segment)

    def _letIn(
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

"""
A NAT in memory, between two address realms.

It carries segments from one realm to the other; its rules are those of L{Translator}.
"""

from __future__ import annotations

from errno import ECONNREFUSED

from punch.testing.behavior import NATBehavior
from punch.testing.mappings import MappingTable
from punch.testing.medium import Medium, Step
from punch.testing.realm import Node, Realm
from punch.testing.segment import Segment
from punch.testing.translator import FilterVerdict, Translator


class MemoryNAT(Node):
    """
    A NAT with one outside address, on a wire of its own.
    L{MemoryNetwork.nat<punch.testing.MemoryNetwork.nat>} makes it.

    @ivar address: the outside address.
    @ivar behavior: how it behaves.
    @ivar inside: the realm of the hosts behind it.
    """

    def __init__(
        self,
        network: Medium,
        address: str,
        behavior: NATBehavior,
        outside: Realm,
    ) -> None:
        Node.__init__(self, network)
        self.address = address
        self.behavior = behavior
        self.inside = Realm(network, self.forward)
        self._translation = Translator(
            address, behavior, network.clock.seconds, network.random
        )
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
        return self.overWire(segment, self._outside)

    def receive(self, segment: Segment) -> Step | None:
        """
        Take a segment from outside in.
        """
        verdict = self._translation.inbound(segment)
        return self._letIn(segment, verdict, isFromInside=False)

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
        self.network.drop(segment)

    def _answer(self, answer: Segment, isInside: bool) -> None:
        if isInside:
            self.network.carry(answer, 0.0, self.inside)
            return
        step = self.overWire(answer, self._outside)
        if step is not None:
            self.network.carry(answer, *step)

"""
A NAT between two address realms.

It works on segments as a kernel's does: what goes out is given an outside port and
opens a session, what comes in must belong to a session or be let in by the filter.

A RST that passes ends its session, so that a later SYN from there is unsolicited
again; the mapping stays if it is endpoint-independent.  A RST that answers a SYN
counts only if it answers the last one, and nothing else has come back.  A session
ends by silence too; a FIN does not end it.
"""

from __future__ import annotations

from errno import ECONNREFUSED
from typing import TYPE_CHECKING

from punch.testing.behavior import NATBehavior, Unsolicited
from punch.testing.mappings import MappingTable, NoFreePort, PortMapping, Session
from punch.testing.realm import Realm, Step
from punch.testing.segment import Kind, Segment
from punch.testing.wire import Wired

if TYPE_CHECKING:
    from punch.testing.network import MemoryNetwork


class MemoryNAT(Wired):
    """
    A NAT with one outside address, and a wire outside.

    @ivar inside: the realm behind it.
    @ivar mappings: what it remembers.
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
        self.mappings = MappingTable(behavior, network.clock.seconds, network.random)
        self._network = network
        self._outside = outside
        outside.attach(address, self)

    def reset(self) -> None:
        """
        Restart: it has forgotten everything.
        """
        self.mappings.clear()

    def leave(self, segment: Segment) -> Step | None:
        """
        A segment goes out.
        """
        if segment.destination[0] == self.address:
            return self._hairpin(segment)
        delay = self.leg() if self._translate(segment) else None
        if delay is None:
            self._network.drop(segment)
            return None
        return delay, self._outside

    def accept(self, segment: Segment) -> Step | None:
        """
        A segment comes in.
        """
        return self._admit(segment, isFromInside=False)

    def drop(self, segment: Segment) -> None:
        """
        A segment is lost inside.
        """
        self._network.drop(segment)

    def _hairpin(self, segment: Segment) -> Step | None:
        if not self.behavior.hairpin:
            self._refuse(segment, isFromInside=True)
            return None
        if not self._translate(segment):
            self._network.drop(segment)
            return None
        return self._admit(segment, isFromInside=True)

    def _translate(self, segment: Segment) -> bool:
        """
        Give a segment its outside source, if it may go out.
        """
        remote = segment.destination
        mapping = self._mapping(segment)
        if mapping is None:
            return False
        session = self.mappings.session(mapping, remote)
        if session is None:
            if segment.kind is not Kind.SYN:
                return False
            session = self.mappings.begin(mapping, remote)
        if not self._track(session, segment):
            return False
        self.mappings.use(mapping, session)
        segment.source = (self.address, mapping.port)
        if segment.kind is Kind.RST:
            self.mappings.end(mapping, remote)
        return True

    def _mapping(self, segment: Segment) -> PortMapping | None:
        mapping = self.mappings.outbound(segment.source, segment.destination)
        if mapping is None and segment.kind is Kind.SYN:
            try:
                return self.mappings.create(segment.source, segment.destination)
            except NoFreePort:
                return None
        return mapping

    def _track(self, session: Session, segment: Segment) -> bool:
        """
        Follow the sequence numbers of what goes out.

        @return: whether this may.
        """
        if segment.kind is Kind.SYN and segment.sequence != session.sequence:
            session.sequence = segment.sequence
            session.isAnswered = False
        if segment.kind is Kind.SYN_ACK and self.behavior.strict:
            return session.sequence in (None, segment.sequence)
        return True

    def _admit(self, segment: Segment, isFromInside: bool) -> Step | None:
        """
        Give a segment its inside destination, if it may come in.
        """
        remote = segment.source
        mapping = self.mappings.inbound(segment.destination[1])
        session = None if mapping is None else self._session(mapping, segment)
        if mapping is None or session is None:
            self._refuse(segment, isFromInside)
            return None
        if segment.kind is Kind.SYN and not self._opensSimultaneously(session):
            self._network.drop(segment)
            return None
        self.mappings.use(mapping, session)
        segment.destination = mapping.internal
        if segment.isHandshake:
            session.isAnswered = True
        elif segment.kind is Kind.RST and self._ends(session, segment):
            self.mappings.end(mapping, remote)
        return self.inside.accept(segment)

    def _session(self, mapping: PortMapping, segment: Segment) -> Session | None:
        """
        The session that a segment from outside belongs to, or begins.
        """
        session = self.mappings.session(mapping, segment.source)
        if session is not None or segment.kind is not Kind.SYN:
            return session
        if not self.mappings.admits(mapping, segment.source):
            return None
        return self.mappings.begin(mapping, segment.source)

    def _opensSimultaneously(self, session: Session) -> bool:
        unanswered = session.sequence is not None and not session.isAnswered
        return self.behavior.simultaneousOpen or not unanswered

    def _ends(self, session: Session, reset: Segment) -> bool:
        if reset.sequence is not None:
            return True
        return reset.acknowledgment == session.sequence and not session.isAnswered

    def _refuse(self, segment: Segment, isFromInside: bool) -> None:
        """
        A segment is not let in.
        """
        how = self.behavior.unsolicited
        isAnswer = segment.kind is Kind.RST or segment.kind is Kind.UNREACHABLE
        if how is Unsolicited.RESET and not isAnswer:
            self._answer(segment.refusal(), isFromInside)
        elif how is Unsolicited.REJECT and segment.kind is Kind.SYN:
            self._answer(segment.unreachable(ECONNREFUSED), isFromInside)
        self._network.drop(segment)

    def _answer(self, answer: Segment, isInside: bool) -> None:
        delay = 0.0 if isInside else self.leg()
        if delay is None:
            self._network.drop(answer)
        else:
            realm = self.inside if isInside else self._outside
            self._network.carry(answer, delay, realm)

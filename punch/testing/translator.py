"""
The translator of a NAT: the rules for a segment that goes out, and for one that comes
in.

A segment that goes out gets an outside port and opens a session.  One that comes in has
to belong to a session, or the filtering has to let it in.

A RST that passes ends its session, so that a later SYN from there is unsolicited again.
An endpoint-independent mapping stays.  A RST that answers a SYN counts only if it
answers the last one and nothing else has come back.  A session also ends by silence; a
FIN does not end it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from random import Random
from typing import TypeAlias

from punch.testing.behavior import NATBehavior, Unsolicited
from punch.testing.mappings import MappingTable, NATMapping, NATSession, NoFreePort
from punch.testing.segment import Segment, SegmentKind, SocketAddress

_Flow: TypeAlias = tuple[int, SocketAddress]


class FilterVerdict(Enum):
    """
    What a NAT does with a segment that has reached it.
    """

    PASS = auto()
    """
    It is translated and goes on.
    """

    DROP = auto()
    RESET = auto()
    """
    It is dropped and answered with a RST.
    """

    REJECT = auto()
    """
    It is dropped and answered with an ICMP port unreachable.
    """


class Translator:
    """
    Applies the rules of one NAT to segments, and rewrites their addresses in place.

    @ivar address: the outside address.
    @ivar mappings: the mappings and sessions.
    """

    def __init__(
        self,
        address: str,
        behavior: NATBehavior,
        seconds: Callable[[], float],
        random: Random,
    ) -> None:
        self.address = address
        self.mappings = MappingTable(behavior, seconds, random)
        self._behavior = behavior
        self._seconds = seconds
        self._poisoned: dict[_Flow, float] = {}

    def outbound(self, segment: Segment) -> FilterVerdict:
        """
        Translate the source of a segment from inside.
        """
        reachable = self._behavior.reachable
        if reachable and segment.destination[1] not in reachable:
            return self._refuse(segment)
        return FilterVerdict.PASS if self._translate(segment) else FilterVerdict.DROP

    def inbound(self, segment: Segment) -> FilterVerdict:
        """
        Translate the destination of a segment to the outside address.
        """
        remote, port = segment.source, segment.destination[1]
        if self._isPoisoned(port, remote):
            return FilterVerdict.DROP
        mapping = self.mappings.inbound(port)
        session = None if mapping is None else self._session(mapping, segment)
        if mapping is None or session is None:
            self._poison(port, segment)
            return self._refuse(segment)
        if segment.kind is SegmentKind.SYN and not self._opensSimultaneously(session):
            return FilterVerdict.DROP
        self.mappings.refresh(mapping, session)
        segment.destination = mapping.internal
        if segment.isHandshake:
            session.isAnswered = True
        elif segment.kind is SegmentKind.RST and self._ends(session, segment):
            self.mappings.closeSession(mapping, remote)
        return FilterVerdict.PASS

    def hairpin(self, segment: Segment) -> FilterVerdict:
        """
        Translate a segment from inside to the outside address.
        """
        if not self._behavior.hairpin:
            return self._refuse(segment)
        return self.inbound(segment) if self._translate(segment) else FilterVerdict.DROP

    def forget(self, kept: str = "") -> None:
        """
        Forget everything but the sessions with the remote IP address C{kept}.
        """
        self.mappings.clear(kept)
        self._poisoned.clear()

    def _translate(self, segment: Segment) -> bool:
        remote = segment.destination
        mapping = self._mapping(segment)
        if mapping is None or self._isPoisoned(mapping.port, remote):
            return False
        session = self.mappings.session(mapping, remote)
        if session is None:
            if segment.kind is not SegmentKind.SYN:
                return False
            session = self.mappings.openSession(mapping, remote)
        if not self._followSequence(session, segment):
            return False
        self.mappings.refresh(mapping, session)
        segment.source = (self.address, mapping.port)
        if segment.kind is SegmentKind.RST:
            self.mappings.closeSession(mapping, remote)
        return True

    def _mapping(self, segment: Segment) -> NATMapping | None:
        mapping = self.mappings.outbound(segment.source, segment.destination)
        if mapping is None and segment.kind is SegmentKind.SYN:
            try:
                return self.mappings.create(segment.source, segment.destination)
            except NoFreePort:
                return None
        return mapping

    def _followSequence(self, session: NATSession, segment: Segment) -> bool:
        """
        Follow the sequence numbers of segments that go out.

        @return: whether this one may go out.
        """
        if segment.kind is SegmentKind.SYN and segment.sequence != session.sequence:
            session.sequence = segment.sequence
            session.isAnswered = False
        if segment.kind is SegmentKind.SYN_ACK and self._behavior.strict:
            return session.sequence in (None, segment.sequence)
        return True

    def _session(self, mapping: NATMapping, segment: Segment) -> NATSession | None:
        """
        The session that a segment from outside belongs to or opens; L{None} if it is
        not let in.
        """
        session = self.mappings.session(mapping, segment.source)
        if session is not None or segment.kind is not SegmentKind.SYN:
            return session
        if not self.mappings.admits(mapping, segment.source):
            return None
        return self.mappings.openSession(mapping, segment.source)

    def _opensSimultaneously(self, session: NATSession) -> bool:
        unanswered = session.sequence is not None and not session.isAnswered
        return self._behavior.simultaneousOpen or not unanswered

    def _ends(self, session: NATSession, reset: Segment) -> bool:
        if reset.sequence is not None:
            return True
        return reset.acknowledgment == session.sequence and not session.isAnswered

    def _refuse(self, segment: Segment) -> FilterVerdict:
        """
        Decide what to do with a segment that is not let through.
        """
        how, kind = self._behavior.unsolicited, segment.kind
        if how is Unsolicited.RESET and kind not in (
            SegmentKind.RST,
            SegmentKind.UNREACHABLE,
        ):
            return FilterVerdict.RESET
        if how is Unsolicited.REJECT and kind is SegmentKind.SYN:
            return FilterVerdict.REJECT
        return FilterVerdict.DROP

    def _poison(self, port: int, refused: Segment) -> None:
        """
        Poison the outside port for the sender of a SYN that is refused.
        """
        if self._behavior.poisoning and refused.kind is SegmentKind.SYN:
            until = self._seconds() + self._behavior.poisoning
            self._poisoned[port, refused.source] = until

    def _isPoisoned(self, port: int, remote: SocketAddress) -> bool:
        if not self._poisoned:
            return False
        until = self._poisoned.get((port, remote))
        if until is not None and until <= self._seconds():
            del self._poisoned[port, remote]
            return False
        return until is not None

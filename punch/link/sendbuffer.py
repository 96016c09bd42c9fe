"""
The send buffer of a link: what was written, until the peer has taken it.

Bytes are cut into the payloads of DATA records when they are written, and kept so.
When they are sent again on another path they are neither copied nor cut again, except
the payload of which the peer has a part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from punch.errors import Bug, ProtocolViolation
from punch.link.records import MAXIMUM_DATA, Control, Type, encodeOffset

SHORTEST_ROUND_TRIP: Final = 0.004
"""
Seconds: a shorter round trip counts as this one.  Two busy processes on one host take
turns on such a scale, whatever the network can do.
"""

_ROUND_TRIPS: Final = 2

Piece: TypeAlias = list[bytes] | Control
"""
What is sent next: the payload of one DATA record, in pieces; or CLOSE, or SKIP.
"""

CLOSE: Final = Control(Type.CLOSE)

# The offset behind the payload, its size, and its pieces.
_Payload: TypeAlias = tuple[int, int, list[bytes]]


@dataclass(frozen=True)
class LinkLimits:
    """
    Bounds on what one link takes of both sides' memory, and the sizes of its records.

    @ivar initial: units that may be under way (sent and not taken) at the beginning.
    @ivar maximum: units to which that may grow: what the other side can be made to
        hold.
    @ivar record: bytes of a DATA record at most, if they were written in one piece;
        with the header they fill 64 KiB.
    @ivar together: bytes of a DATA record at most, if they were written in several
        pieces at once.
    @ivar small: bytes up to which payloads are joined, as to keep them apart would take
        many times their size.
    @ivar interval: bytes taken after which the other side gets an ACK.
    @ivar early: the same while an older path has not ended.  What that brings need not
        be sent again on the new path, if the ACK comes in time.
    @ivar skip: units that are worth a SKIP, at least; fewer are sent again.
    """

    initial: int = 4 << 20
    maximum: int = 16 << 20
    record: int = (64 << 10) - 5
    together: int = MAXIMUM_DATA
    small: int = 4 << 10
    interval: int = 1 << 20
    early: int = 64 << 10
    skip: int = 16 << 10


DEFAULT_LIMITS: Final = LinkLimits()


class SendBuffer:
    """
    Keeps what one side of a link has written, and says what of it to send next.

    L{Sequencing<punch.link.sequencing.Sequencing>} makes it and owns it.  CLOSE counts
    as the last unit.

    @ivar total: units that were written.
    @ivar sent: units that were ever sent.
    @ivar acknowledged: units that the peer has taken.
    @ivar cursor: the offset of what is to be sent next on the current path.  It is
        below C{acknowledged} if the peer has taken more from another path.
    @ivar bound: units that may be under way, sent and not taken.
    """

    __slots__ = (
        "_isFinished",
        "_kept",
        "_limits",
        "_moved",
        "_since",
        "_unsent",
        "_wasHeldBack",
        "acknowledged",
        "bound",
        "cursor",
        "sent",
        "total",
    )

    def __init__(self, limits: LinkLimits = DEFAULT_LIMITS) -> None:
        self.total = 0
        self.sent = 0
        self.acknowledged = 0
        self.cursor = 0
        self.bound = limits.initial
        self._limits = limits
        # On both sides of the cursor.
        self._kept: deque[_Payload] = deque()
        self._unsent: deque[_Payload] = deque()
        self._isFinished = False
        # Units that were acknowledged since then (seconds), to know the rate.
        self._moved = 0
        self._since: float | None = None
        self._wasHeldBack = False

    def write(self, pieces: list[bytes]) -> None:
        """
        Append bytes, which are sent as one record if they are not too many.

        @param pieces: a list that nobody changes any more.
        """
        if self._isFinished:
            raise Bug("written after the end")
        limits = self._limits
        size = sum(map(len, pieces))
        if size <= limits.record or (len(pieces) > 1 and size <= limits.together):
            if size:
                self.total += size
                self._append(self._unsent, (self.total, size, pieces))
            return
        for piece in _cut(pieces, limits.record):
            self.total += len(piece)
            self._unsent.append((self.total, len(piece), [piece]))

    def _append(self, payloads: deque[_Payload], payload: _Payload) -> None:
        """
        Add a payload, to the last one if both are small.
        """
        end, size, pieces = payload
        small = self._limits.small
        if size < small and payloads:
            _, lastSize, last = payloads[-1]
            if lastSize + size <= small:
                payloads[-1] = (end, lastSize + size, [b"".join([*last, *pieces])])
                return
        payloads.append(payload)

    def finish(self) -> None:
        """
        Append CLOSE; nothing is written after it.
        """
        if self._isFinished:
            raise Bug("finished twice")
        self._isFinished = True
        self.total += 1

    def nextPiece(self) -> Piece | None:
        """
        Take out what to send next on the current path; from now on it counts as sent.

        @return: L{None} if there is nothing, or no more may be under way for now.
        """
        if self.acknowledged - self.cursor >= self._limits.skip:
            return self._nextSkip()
        unsent = self._unsent
        if not unsent:
            return self._nextClose()
        payload = unsent[0]
        end = payload[0]
        if end - self.acknowledged > self.bound:
            return None
        unsent.popleft()
        self.cursor = end
        if end > self.sent:
            self.sent = end
        if end > self.acknowledged:
            self._append(self._kept, payload)
        return payload[2]

    def _nextSkip(self) -> Control:
        """
        Leave out what the peer has meanwhile taken from another path.
        """
        self._goTo(self.acknowledged)
        return Control(Type.SKIP, encodeOffset(self.cursor))

    def _nextClose(self) -> Control | None:
        total = self.total
        if self.cursor == total or total - self.acknowledged > self.bound:
            return None
        self.cursor = self.sent = total
        return CLOSE

    def acknowledge(
        self, offset: int, now: float, roundTrip: float | None = None
    ) -> None:
        """
        The peer has taken so many units.  If it has said so of more already, on another
        path, nothing happens.

        @param roundTrip: seconds, if it is known: the shortest that was measured, as
            longer ones were spent waiting in queues.
        @raise ProtocolViolation: so many were never sent.
        """
        if offset > self.sent:
            raise ProtocolViolation(f"an ACK of {offset} where {self.sent} were sent")
        if offset <= self.acknowledged:
            return
        self._pace(offset - self.acknowledged, now, roundTrip)
        self.acknowledged = offset
        self._drop()

    def _drop(self) -> None:
        """
        Forget what the peer has taken.
        """
        kept, acknowledged = self._kept, self.acknowledged
        while kept and kept[0][0] <= acknowledged:
            kept.popleft()

    def _pace(self, moved: int, now: float, roundTrip: float | None) -> None:
        """
        Double the bound, if within two round trips as much was taken as may be under
        way, and we had to wait for that.  It settles at two to four times the product
        of bandwidth and delay.
        """
        if roundTrip is None:
            return
        limit = _ROUND_TRIPS * max(roundTrip, SHORTEST_ROUND_TRIP)
        if self._since is None or now - self._since >= limit:
            self._since, self._moved, self._wasHeldBack = now, 0, self._isHeldBack
            return
        self._wasHeldBack = self._wasHeldBack or self._isHeldBack
        self._moved += moved
        if self._wasHeldBack and self._moved >= self.bound:
            self.bound = min(2 * self.bound, self._limits.maximum)
            self._since = None

    @property
    def _isHeldBack(self) -> bool:
        """
        Whether the bound is what stops us from sending more.
        """
        if self._unsent:
            return self._unsent[0][0] - self.acknowledged > self.bound
        return self.isFull

    def restart(self, offset: int) -> None:
        """
        Go on from C{offset} on a new path.

        @raise ProtocolViolation: so many units were never sent, or fewer than the
            peer has told to have taken.
        """
        if not self.acknowledged <= offset <= self.sent:
            raise ProtocolViolation(
                f"a path from {offset}, not {self.acknowledged} to {self.sent}"
            )
        self._goTo(offset)
        self._since = None

    def _goTo(self, offset: int) -> None:
        """
        Move the cursor to C{offset}, and each payload to its side of it.
        """
        kept, unsent = self._kept, self._unsent
        while kept and kept[-1][0] > offset:
            unsent.appendleft(kept.pop())
        while unsent and unsent[0][0] <= offset:
            kept.append(unsent.popleft())
        if unsent:
            self._divide(offset)
        self._drop()
        self.cursor = offset

    def _divide(self, offset: int) -> None:
        """
        Divide the payload that lies on both sides of C{offset}, if one does.
        """
        end, size, pieces = self._unsent[0]
        count = offset - (end - size)
        if count <= 0:
            return
        data = b"".join(pieces)
        self._kept.append((offset, count, [data[:count]]))
        self._unsent[0] = (end, size - count, [data[count:]])

    @property
    def isFull(self) -> bool:
        """
        Whether as much was written as may be under way, so that the application should
        write no more for now.
        """
        return self.total - self.acknowledged >= self.bound

    @property
    def isDone(self) -> bool:
        """
        Whether the peer has taken all, CLOSE included.
        """
        return self._isFinished and self.acknowledged == self.total


def _cut(pieces: list[bytes], size: int) -> Iterator[bytes]:
    """
    Pieces of C{size} bytes, and the rest.
    """
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    for start in range(0, len(data), size):
        yield data[start : start + size]

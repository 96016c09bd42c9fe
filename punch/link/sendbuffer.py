"""
What was written on a link, until the peer has taken it.

It is cut into the payloads of DATA records when it is written, and they are kept
as they are: sent again on another path, they are neither copied nor cut again,
except the one within which the peer's need begins.
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
Seconds: a measured round trip below this counts as this.  Two busy processes take
turns on such a scale, whatever the wire can do.
"""

_ROUND_TRIPS: Final = 2

Piece: TypeAlias = list[bytes] | Control
"""
The payload of one DATA record, in pieces; or CLOSE, or SKIP.
"""

CLOSE: Final = Control(Type.CLOSE)

# The offset behind it, its size, and its pieces.
_Payload: TypeAlias = tuple[int, int, list[bytes]]


@dataclass(frozen=True)
class Limits:
    """
    What one link may take of both sides' memory, and how it is cut.

    C{initial}: units that may be under way at the beginning, sent and not taken.
    C{maximum}: to which that may grow; what the other side can be made to hold.
    C{record}: bytes to which what was written in one piece is cut; with its header
    it fills 64 KiB.
    C{together}: bytes that are not cut if they were written in one go, in pieces.
    C{small}: bytes up to which several payloads are joined, as otherwise their
    keeping would take many times their size.
    C{interval}: bytes taken after which the other side is told so.
    C{early}: the same while an older path still lives: what that brings need not be
    sent again, if it is told of in time.
    C{skip}: units, at least, that are worth a SKIP rather than to be sent again.
    """

    initial: int = 4 << 20
    maximum: int = 16 << 20
    record: int = (64 << 10) - 5
    together: int = MAXIMUM_DATA
    small: int = 4 << 10
    interval: int = 1 << 20
    early: int = 64 << 10
    skip: int = 16 << 10


DEFAULT_LIMITS: Final = Limits()


class SendBuffer:
    """
    One direction of a link, on the side that writes.  CLOSE is its last unit.

    @ivar total: units that were written.
    @ivar sent: units that were ever sent.
    @ivar acknowledged: units that the peer has taken.
    @ivar cursor: the offset of what is to be sent next on the current path.  It
        may be below C{acknowledged} when that was brought by another path.
    @ivar bound: units that may be under way, sent and not taken.
    """

    __slots__ = (
        "_isFinished",
        "_kept",
        "_limits",
        "_moved",
        "_since",
        "_start",
        "_unsent",
        "_wasHeldBack",
        "acknowledged",
        "bound",
        "cursor",
        "sent",
        "total",
    )

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.total = 0
        self.sent = 0
        self.acknowledged = 0
        self.cursor = 0
        self.bound = limits.initial
        self._limits = limits
        # On both sides of the cursor.
        self._kept: deque[_Payload] = deque()
        self._unsent: deque[_Payload] = deque()
        self._start = 0
        self._isFinished = False
        # What was acknowledged since when, to know the pace.
        self._moved = 0
        self._since: float | None = None
        self._wasHeldBack = False

    def write(self, pieces: list[bytes]) -> None:
        """
        Append bytes.  They are sent as one record, if they are not too many; the
        list must not change any more.
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
        Nothing more will be written: CLOSE is what comes last.
        """
        if self._isFinished:
            raise Bug("finished twice")
        self._isFinished = True
        self.total += 1

    def nextPiece(self) -> Piece | None:
        """
        What to send next on the current path, which counts as sent now.

        @return: L{None} if that is all, or no more may be under way for now.
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
        Leave out what the peer has taken meanwhile, from another path.
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
        The peer has taken so many units.  An older acknowledgment, that was
        overtaken by another path's, means nothing.

        @param roundTrip: seconds, if it is known: the least that was measured, as
            what is more was spent waiting in queues.
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
        Keep nothing that the peer has taken.
        """
        kept, acknowledged = self._kept, self.acknowledged
        while kept and kept[0][0] <= acknowledged:
            kept.popleft()

    def _pace(self, moved: int, now: float, roundTrip: float | None) -> None:
        """
        Grow, if within two round trips all was taken that may be under way, and we
        had to wait for that: the bound settles at two to four times the product of
        bandwidth and delay.
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
        Whether the bound is what ends our sending.
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
        self._start = offset
        self._since = None

    def _goTo(self, offset: int) -> None:
        """
        Let the cursor be at C{offset}, and everything on its own side of that.
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
        Let nothing lie on both sides of C{offset}.
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
        Whether as much was written as may be under way: more is better not
        produced for now.
        """
        return self.total - self.acknowledged >= self.bound

    @property
    def outstanding(self) -> int:
        """
        Units that were sent since the last restart and are not taken yet.
        """
        return max(0, self.cursor - max(self._start, self.acknowledged))

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

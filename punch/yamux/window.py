"""
A stream's receive window: how much the peer may send before we have consumed
(specification, "Flow Control").

It starts at 256 KiB and doubles when a whole window was consumed in less than
two round trips, so it settles at two to four times the product of bandwidth and
delay: larger would only let a stalled reader hold more of our memory.
"""

from __future__ import annotations

from typing import Final

from punch.errors import Bug

INITIAL_WINDOW: Final = 256 << 10
"""
Bytes that either side may send on any new stream.
"""

SHORTEST_ROUND_TRIP: Final = 0.004
"""
Seconds: a measured round trip below this counts as this.  Two busy processes
take turns on such a scale whatever the wire can do, and a window that ends within
one turn would have them wait for each other.
"""

_ROUND_TRIPS: Final = 3


class Growth:
    """
    The bytes by which all windows of a session may still grow.
    """

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, wanted: int) -> int:
        """
        Take up to C{wanted} bytes; give how many there were.
        """
        taken = min(wanted, self.left)
        self.left -= taken
        return taken

    def giveBack(self, count: int) -> None:
        """
        Return what was taken.
        """
        self.left += count


class ReceiveWindow:
    """
    The window of one stream.

    Of its C{size} bytes a part is C{credit} that the peer still has, a part has
    arrived and waits to be consumed, and a part is consumed but not yet granted
    again.

    @ivar size: bytes in all.
    @ivar credit: bytes that the peer may still send.
    """

    __slots__ = (
        "_consumed",
        "_growth",
        "_maximum",
        "_moved",
        "_since",
        "credit",
        "size",
    )

    def __init__(self, maximum: int, growth: Growth) -> None:
        self.size = INITIAL_WINDOW
        self.credit = INITIAL_WINDOW
        self._maximum = maximum
        self._growth = growth
        self._consumed = 0
        # What was granted again since when, to know the pace.
        self._moved = 0
        self._since: float | None = None

    def consume(self, count: int, now: float, roundTrip: float | None) -> int:
        """
        C{count} bytes that had arrived were consumed.

        @param roundTrip: seconds, if it is known.
        @return: bytes to grant to the peer with a window update; 0 for none yet,
            while it still has about half of its window.
        @raise Bug: so many had not arrived.
        """
        consumed = self._consumed + count
        if count < 0 or consumed + self.credit > self.size:
            raise Bug(f"{count} bytes consumed that had not arrived")
        if self._since is None:
            self._since = now
        if consumed * 2 < self.size:
            self._consumed = consumed
            return 0
        self._consumed = 0
        grant = consumed + self._grown(consumed, now, roundTrip)
        self.credit += grant
        return grant

    def _grown(self, granted: int, now: float, roundTrip: float | None) -> int:
        """
        Grow if the pace asks for it; by how much.
        """
        assert self._since is not None
        self._moved += granted
        elapsed = now - self._since
        if roundTrip is not None:
            limit = _ROUND_TRIPS * max(roundTrip, SHORTEST_ROUND_TRIP)
            if elapsed < limit and self._moved < self.size:
                return 0
            if elapsed < limit:
                return self._double(now)
        self._since, self._moved = now, 0
        return 0

    def _double(self, now: float) -> int:
        self._since, self._moved = now, 0
        wanted = min(self.size, self._maximum - self.size)
        grown = self._growth.take(wanted)
        self.size += grown
        return grown

    def close(self) -> None:
        """
        The stream is over: what the window had grown by may go to others.
        """
        self._growth.giveBack(self.size - INITIAL_WINDOW)

"""
The receive window of a stream: how many bytes the peer may send before we have
consumed them (specification, "Flow Control").

A window starts at 256 KiB.  It doubles when a whole window was granted again in less
than three round trips, so it settles at three to six times the product of bandwidth
and delay.  A larger one would only let a stalled reader hold more of our memory.
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

_GROWTH_ROUND_TRIPS: Final = 3
"""
Round trips: a window that is granted again within fewer grows.
"""


class GrowthBudget:
    """
    The bytes by which all receive windows of one session together may still grow.
    A session's stream table has one, and each window takes from it.

    @ivar left: bytes.
    """

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, wanted: int) -> int:
        """
        Take up to C{wanted} bytes.

        @return: how many there were.
        """
        taken = min(wanted, self.left)
        self.left -= taken
        return taken

    def giveBack(self, count: int) -> None:
        """
        Return C{count} bytes that were taken.
        """
        self.left += count


class ReceiveWindow:
    """
    The receive window of one stream.  A stream table makes it with the stream and
    closes it when the stream is over.

    Each of its C{size} bytes is in one of three states: the peer may still send it,
    it has arrived and waits to be consumed, or it is consumed but not yet granted
    again.

    @ivar size: bytes of the whole window.
    @ivar credit: bytes that the peer may still send.
    """

    __slots__ = (
        "_consumed",
        "_granted",
        "_growth",
        "_maximum",
        "_since",
        "credit",
        "size",
    )

    def __init__(self, maximum: int, growth: GrowthBudget) -> None:
        self.size = INITIAL_WINDOW
        self.credit = INITIAL_WINDOW
        self._maximum = maximum
        self._growth = growth
        self._consumed = 0
        # Bytes granted again since C{_since}, to know the pace.
        self._granted = 0
        self._since: float | None = None

    def consume(self, count: int, now: float, roundTrip: float | None) -> int:
        """
        Note that the application consumed C{count} bytes.

        @param now: seconds.
        @param roundTrip: seconds; L{None} while it is not known.
        @return: bytes to grant to the peer with a window update; 0 while it still has
            about half of its window.
        @raise Bug: fewer bytes had arrived.
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
        owedCredit = consumed + self._grown(consumed, now, roundTrip)
        self.credit += owedCredit
        return owedCredit

    def _grown(self, granted: int, now: float, roundTrip: float | None) -> int:
        """
        Grow if a whole window was granted again fast enough.

        @return: bytes by which the window has grown.
        """
        assert self._since is not None
        self._granted += granted
        elapsed = now - self._since
        if roundTrip is not None:
            limit = _GROWTH_ROUND_TRIPS * max(roundTrip, SHORTEST_ROUND_TRIP)
            if elapsed < limit and self._granted < self.size:
                return 0
            if elapsed < limit:
                return self._double(now)
        self._since, self._granted = now, 0
        return 0

    def _double(self, now: float) -> int:
        self._since, self._granted = now, 0
        wanted = min(self.size, self._maximum - self.size)
        grown = self._growth.take(wanted)
        self.size += grown
        return grown

    def close(self) -> None:
        """
        Return to the budget what the window has grown by: the stream is over.
        """
        self._growth.giveBack(self.size - INITIAL_WINDOW)

"""
The round trip time, measured with pings (specification, "Type Field").

There is no timer: a ping goes out only when windows move, and then rarely.
"""

from __future__ import annotations

from typing import Final

from punch.errors import ProtocolViolation

PERIOD: Final = 5.0
"""
Seconds between two pings, at least.
"""


class RoundTripMeter:
    """
    Decides when to send a ping, and measures how long its answer takes.  A session
    has one.

    @ivar minimum: the shortest round trip measured, in seconds; L{None} before the
        first answer.  A longer one was spent in queues, and that is no reason for
        larger windows.
    @ivar pingWanted: whether a ping is to be sent.
    """

    __slots__ = ("_sentAt", "_value", "_waiting", "minimum", "pingWanted")

    def __init__(self) -> None:
        self.minimum: float | None = None
        self.pingWanted = False
        self._sentAt: float | None = None
        self._value = 0
        self._waiting = False

    def windowMoved(self, now: float) -> None:
        """
        Note that a window moves: ask for a ping if the last one was long ago.

        @param now: seconds.
        """
        if self._waiting:
            return
        if self._sentAt is None or now - self._sentAt >= PERIOD:
            self.pingWanted = True

    def startPing(self, now: float) -> int:
        """
        Note that the wanted ping goes out now.

        @return: the value to send with it.
        """
        self.pingWanted = False
        self._waiting = True
        self._sentAt = now
        self._value = (self._value + 1) & 0xFFFFFFFF
        return self._value

    def pingAnswered(self, value: int, now: float) -> None:
        """
        Note that the peer answered a ping.

        @raise ProtocolViolation: C{value} is not that of a ping that waits for its
            answer.
        """
        if not self._waiting or value != self._value or self._sentAt is None:
            raise ProtocolViolation(f"an answer to no ping of ours ({value})")
        self._waiting = False
        measured = max(0.0, now - self._sentAt)
        if self.minimum is None or measured < self.minimum:
            self.minimum = measured

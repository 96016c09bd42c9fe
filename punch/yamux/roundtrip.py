"""
The round trip, measured with pings (specification, "Type Field").

No timer: a ping goes out only when windows move, and then rarely.
"""

from __future__ import annotations

from typing import Final

from punch.errors import ProtocolViolation

PERIOD: Final = 5.0
"""
Seconds between two pings, at least.
"""


class RoundTrip:
    """
    One side's measurement of the round trip.

    @ivar minimum: seconds, the least that was measured (what is more was spent
        waiting in queues, which is no reason for larger windows); L{None} before
        the first answer.
    """

    __slots__ = ("_asked", "_value", "_waiting", "minimum", "wanted")

    def __init__(self) -> None:
        self.minimum: float | None = None
        self.wanted = False
        self._asked: float | None = None
        self._value = 0
        self._waiting = False

    def moving(self, now: float) -> None:
        """
        Windows move: it is worth a ping, if the last one was long ago.
        """
        if self._waiting:
            return
        if self._asked is None or now - self._asked >= PERIOD:
            self.wanted = True

    def ask(self, now: float) -> int:
        """
        The value of the wanted ping, which goes out now.
        """
        self.wanted = False
        self._waiting = True
        self._asked = now
        self._value = (self._value + 1) & 0xFFFFFFFF
        return self._value

    def answered(self, value: int, now: float) -> None:
        """
        The peer answered a ping.

        @raise ProtocolViolation: it is not the one that we sent.
        """
        if not self._waiting or value != self._value or self._asked is None:
            raise ProtocolViolation(f"an answer to no ping of ours ({value})")
        self._waiting = False
        measured = max(0.0, now - self._asked)
        if self.minimum is None or measured < self.minimum:
            self.minimum = measured

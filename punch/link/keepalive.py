"""
The pulse of a path: when to ask whether it lives, and when to doubt it.

A path that is used is asked half a second after it fell silent, then less and less
often.  One that does not answer for as long is suspected: it is time to look for
another, beside it.  One that leaves three PINGs unanswered is dead.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

SOON: Final = 0.5
"""
Seconds of silence after which a path that was used is asked.
"""

IDLE: Final = 20.0
"""
Seconds between the PINGs of a path that nobody uses.
"""

SUSPICION: Final = 0.5
"""
Seconds without an answer after which a path is suspected, unless its round trip is
long.
"""

GAP: Final = 2.8
"""
Seconds between PINGs that are not answered, where another path can be had.
"""

PATIENT_GAP: Final = 13.0
"""
Seconds between them, where none can.
"""

PINGS: Final = 3


class KeepaliveAction(Enum):
    """
    What is to be done now.
    """

    NOTHING = auto()
    PING = auto()
    SUSPECT = auto()
    DIE = auto()


class Keepalive:
    """
    That of one path.

    @ivar isSuspected: whether it owes an answer for too long.
    @ivar gap: seconds between PINGs that are not answered.
    """

    __slots__ = (
        "_interval",
        "_pingedAt",
        "_pings",
        "_receivedAt",
        "gap",
        "isSuspected",
    )

    def __init__(self, now: float) -> None:
        self._receivedAt = now
        self._interval = SOON
        self._pingedAt: float | None = None
        self._pings = 0
        self.gap = PATIENT_GAP
        self.isSuspected = False

    def received(self, now: float, isUsed: bool) -> None:
        """
        Something arrived.

        @param isUsed: it was something of the application's.
        """
        self._receivedAt = now
        if isUsed:
            self._interval = SOON
        self._pingedAt = None
        self.isSuspected = False

    @property
    def isIdle(self) -> bool:
        """
        Whether it has not been used for a while.
        """
        return self._interval > SOON

    def sent(self, now: float) -> None:
        """
        Something of the application's was sent on a path that was idle.
        """
        self._interval = SOON
        self._receivedAt = now

    def probe(self, now: float) -> None:
        """
        Ask at once.
        """
        if self._pingedAt is None:
            self._receivedAt = now - self._interval

    def suspect(self, now: float) -> None:
        """
        Ask at once, and suspect at once.
        """
        self.probe(now)
        self.isSuspected = True

    def due(self, roundTrip: float | None = None) -> float:
        """
        When to L{check} again, if nothing happens before.
        """
        if self._pingedAt is None:
            return self._receivedAt + self._interval
        next = self._pingedAt + self._pings * self.gap
        if self.isSuspected:
            return next
        return min(next, self._pingedAt + _suspicion(roundTrip))

    def check(self, now: float, roundTrip: float | None = None) -> KeepaliveAction:
        """
        See what is due.

        @param roundTrip: of the path in seconds, if it is known.
        """
        if now < self.due(roundTrip):
            return KeepaliveAction.NOTHING
        if self._pingedAt is None:
            self._pingedAt, self._pings = now, 1
            self._interval = min(2 * self._interval, IDLE)
            return KeepaliveAction.PING
        if now < self._pingedAt + self._pings * self.gap:
            self.isSuspected = True
            return KeepaliveAction.SUSPECT
        if self._pings == PINGS:
            return KeepaliveAction.DIE
        self._pings += 1
        return KeepaliveAction.PING


def _suspicion(roundTrip: float | None) -> float:
    return max(SUSPICION, 4 * (roundTrip or 0.0))

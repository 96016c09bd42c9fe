"""
The keepalive of a path: when to send a PING, and when the path counts as dead.

A path that is used is sent a PING half a second after the last record came, then less
and less often.  If the answer takes longer than half a second, the path is suspected:
it is time to look for another one.  After three unanswered PINGs the path is dead.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

SOON: Final = 0.5
"""
Seconds of silence after which a path that was used is sent a PING.
"""

IDLE: Final = 20.0
"""
Seconds between the PINGs on a path that nobody uses.
"""

SUSPICION: Final = 0.5
"""
Seconds without an answer after which a path is suspected, unless its round trip is
long.
"""

GAP: Final = 2.8
"""
Seconds between unanswered PINGs, where another path can be had.
"""

PATIENT_GAP: Final = 13.0
"""
Seconds between unanswered PINGs, where no other path can be had.
"""

PINGS: Final = 3
"""
Unanswered PINGs after which a path is dead.
"""


class KeepaliveAction(Enum):
    """
    What the path has to do now: send a PING, say that it is suspected, or end.
    """

    NOTHING = auto()
    PING = auto()
    SUSPECT = auto()
    DIE = auto()


class Keepalive:
    """
    Decides when a path is sent a PING, and when it is suspected or dead.

    L{Path<punch.link.path.Path>} has one, tells it what passes, and calls L{check} when
    that is L{due}.

    @ivar isSuspected: whether an answer is overdue.
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
        Records arrived.

        @param now: seconds, as everywhere here.
        @param isUsed: whether the application's bytes were among them.
        """
        self._receivedAt = now
        if isUsed:
            self._interval = SOON
        self._pingedAt = None
        self.isSuspected = False

    @property
    def isIdle(self) -> bool:
        """
        Whether the application has not used the path for a while.
        """
        return self._interval > SOON

    def sent(self, now: float) -> None:
        """
        The application's bytes were sent on a path that was idle.
        """
        self._interval = SOON
        self._receivedAt = now

    def probe(self, now: float) -> None:
        """
        Let a PING be due now, if none is unanswered.
        """
        if self._pingedAt is None:
            self._receivedAt = now - self._interval

    def suspect(self, now: float) -> None:
        """
        Let a PING be due now, and suspect the path until it answers.
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
        Say what is to be done, if anything is due.

        @param roundTrip: the path's, in seconds, if it is known.
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

"""
The guess limit: how many guesses at a secret strangers may test.

Every PAKE message that we answer lets the other side test one guess.  So each answer
takes a token, and a peer that proves to know the secret returns it.  A code has one
token, and no other when that is spent.  A standing name, whose secret is strong, has a
few, and lost tokens come back slowly.
"""

from __future__ import annotations

_ROUNDING = 1e-6
"""
The rounding error that is allowed for: a token is there at the time that L{nextAt}
gave.
"""


class GuessLimit:
    """
    Counts the tokens that are left for one secret.

    A L{punch.signaling.meetingpoint.MeetingPoint} has one.
    """

    def __init__(self, allowed: int, refill: float = 0.0) -> None:
        """
        @param allowed: tokens at the start, which is the most there can be.
        @param refill: seconds until a spent token comes back; 0: never.
        """
        self._allowed = allowed
        self._refill = refill
        self._left = float(allowed)
        self._outstanding = 0
        self._updated: float | None = None

    def takeToken(self, now: float) -> bool:
        """
        Take a token for one answer.

        @param now: the time in seconds, on any clock.
        @return: C{False} if none is left.
        """
        self._refillTo(now)
        if self._left < 1.0 - _ROUNDING:
            return False
        self._left -= 1.0
        self._outstanding += 1
        return True

    def returnToken(self) -> None:
        """
        Return the token of a peer that has proved to know the secret.
        """
        self._outstanding -= 1
        self._left = min(self._left + 1.0, float(self._allowed))

    def spendToken(self) -> None:
        """
        Keep the token of a peer that guessed wrong, or left without a proof.
        """
        self._outstanding -= 1

    @property
    def exhausted(self) -> bool:
        """
        Whether nobody can be answered ever again.
        """
        return not self._refill and self._left + self._outstanding < 1.0 - _ROUNDING

    def nextAt(self, now: float) -> float | None:
        """
        When the next token will be there; C{None} if one must be returned first, or
        none ever will be.
        """
        self._refillTo(now)
        if not self._refill or self._outstanding >= self._allowed:
            return None
        return now + max(0.0, 1.0 - self._left) * self._refill

    def _refillTo(self, now: float) -> None:
        if self._refill and self._updated is not None:
            refilled = self._left + (now - self._updated) / self._refill
            self._left = min(refilled, float(self._allowed - self._outstanding))
        self._updated = now

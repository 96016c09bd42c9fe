"""
How many guesses at a secret strangers get.

Every PAKE message that we answer lets the other side test one guess.  So an
answer takes a token, and a peer that proves its knowledge gives it back.  A code
has one token and never another; a standing name, whose secret is strong, has a
few, and they grow again slowly.
"""

from __future__ import annotations

_ROUNDING = 1e-6
"""
Tokens that arithmetic may lose: what was said to have grown must have.
"""


class GuessLimit:
    """
    The tokens left for one secret.
    """

    def __init__(self, allowed: int, refill: float = 0.0) -> None:
        """
        @param allowed: guesses at the start and at most.
        @param refill: seconds until a lost one grows again; 0: never.
        """
        self._allowed = allowed
        self._refill = refill
        self._left = float(allowed)
        self._outstanding = 0
        self._updated: float | None = None

    def takeToken(self, now: float) -> bool:
        """
        Take a token for one answer, if there is one.
        """
        self._grow(now)
        if self._left < 1.0 - _ROUNDING:
            return False
        self._left -= 1.0
        self._outstanding += 1
        return True

    def returnToken(self) -> None:
        """
        The other side proved its knowledge: its token comes back.
        """
        self._outstanding -= 1
        self._left = min(self._left + 1.0, float(self._allowed))

    def spendToken(self) -> None:
        """
        The other side guessed wrong, or left without a proof.
        """
        self._outstanding -= 1

    @property
    def exhausted(self) -> bool:
        """
        Whether nobody can be answered any more, ever.
        """
        return not self._refill and self._left + self._outstanding < 1.0 - _ROUNDING

    def nextAt(self, now: float) -> float | None:
        """
        When a token will have grown; C{None} if one must come back first.
        """
        self._grow(now)
        if not self._refill or self._outstanding >= self._allowed:
            return None
        return now + max(0.0, 1.0 - self._left) * self._refill

    def _grow(self, now: float) -> None:
        if self._refill and self._updated is not None:
            grown = self._left + (now - self._updated) / self._refill
            self._left = min(grown, float(self._allowed - self._outstanding))
        self._updated = now

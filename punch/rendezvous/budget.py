"""
A budget: what one splice may carry, in all and in a second.
"""

from __future__ import annotations

from punch.relayerrors import RelayBytesSpent

BURST = 0.25
"""
Seconds' worth of bytes that may pass at once after a pause.
"""

_GRANT = 0.05
"""
Seconds' worth of bytes that are spent without a look at the clock.
"""


class Budget:
    """
    Bytes are spent by taking them from C{left}; as soon as that is below nothing, it
    is time to L{reckon}.  (Virtual scheduling, ITU-T I.371, for a grant at a time.)
    """

    __slots__ = ("_free", "_granted", "_most", "_rate", "_used", "left")

    def __init__(self, most: int, perSecond: int, now: float) -> None:
        """
        @param most: bytes in all.
        """
        self._most = most
        self._rate = perSecond
        self._free = now - BURST
        self._used = 0
        self._grant()

    def _grant(self) -> None:
        """
        Let the next bytes be spent.
        """
        share = max(1, int(self._rate * _GRANT))
        self.left = self._granted = min(share, self._most - self._used)

    @property
    def spent(self) -> int:
        """
        Bytes spent so far.
        """
        return self._used + self._granted - self.left

    def reckon(self, now: float) -> float:
        """
        Pay for what was spent.

        @return: seconds for which no more may be spent.
        @raise RelayBytesSpent: nothing is left for ever.
        """
        spent = self._granted - self.left
        if self._used + spent > self._most:
            raise RelayBytesSpent(f"at most {self._most} bytes")
        self._used += spent
        self._free = max(self._free, now - BURST) + spent / self._rate
        self._grant()
        return max(0.0, self._free - now)

"""
A rate: how often each key may do a thing.

A quota: how many of a thing each key may hold at a time.

A budget: what one splice may carry, in all and in a second.
"""

from __future__ import annotations

from collections.abc import Hashable

from punch.errors import TooFast, TooMany
from punch.rendezvous.relayerrors import RelayBytesSpent

MINUTE = 60.0


class KeyedRate:
    """
    So many a minute, all at once or spread (the generic cell rate algorithm, ITU-T
    I.371): one number a key says when all that it did will be forgotten, and a key
    with nothing to forget is not remembered.
    """

    def __init__(self, perMinute: int, thing: str) -> None:
        """
        @param thing: what is counted, for a person: C{"dials"}.
        """
        self._perMinute = perMinute
        self._each = MINUTE / perMinute
        self._thing = thing
        self._forgotten: dict[Hashable, float] = {}

    def __len__(self) -> int:
        """
        How many keys are remembered.
        """
        return len(self._forgotten)

    def spend(self, key: Hashable, now: float) -> None:
        """
        C{key} does it once.

        @raise TooFast: it has done it too often in the last minute.
        """
        after = max(self._forgotten.get(key, 0.0), now) + self._each
        if after - now > MINUTE + self._each / 2:
            raise TooFast(f"at most {self._perMinute} {self._thing} a minute")
        self._forgotten[key] = after

    def forget(self, now: float) -> None:
        """
        Drop the keys that have nothing left to forget.
        """
        past = [key for key, end in self._forgotten.items() if end <= now]
        for key in past:
            del self._forgotten[key]


class KeyedQuota:
    """
    Counts what each key holds, and remembers only keys that hold something.
    """

    def __init__(self, most: int, thing: str) -> None:
        """
        @param thing: what is counted, for a person: C{"connections"}.
        """
        self._most = most
        self._thing = thing
        self._held: dict[Hashable, int] = {}

    def take(self, key: Hashable) -> int:
        """
        C{key} holds one more.

        @return: how many it holds now.
        @raise TooMany: it holds the most that it may already.
        """
        held = self._held.get(key, 0)
        if held >= self._most:
            raise TooMany(f"at most {self._most} {self._thing}")
        self._held[key] = held + 1
        return held + 1

    def give(self, key: Hashable) -> None:
        """
        C{key} holds one less.
        """
        held = self._held[key] - 1
        if held:
            self._held[key] = held
        else:
            del self._held[key]


BURST = 0.25
"""
Seconds' worth of bytes that may pass at once after a pause.
"""

_GRANT = 0.05
"""
Seconds' worth of bytes that are spent without a look at the clock.
"""


class SpliceBudget:
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

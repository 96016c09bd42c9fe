"""
Limits on rates and amounts: requests a minute, things held, bytes relayed.
"""

from __future__ import annotations

from collections.abc import Hashable

from punch.errors import TooFast, TooMany
from punch.rendezvous.relayerrors import RelayBytesSpent

MINUTE = 60.0


class KeyedRate:
    """
    Limits how often each key may do a thing: so many times a minute, at once or spread.

    This is the generic cell rate algorithm (ITU-T I.371): one number for each key says
    when its allowance will be whole again.  A key whose allowance is whole is forgotten
    by L{expire}.
    """

    def __init__(self, perMinute: int, thing: str) -> None:
        """
        @param thing: what is counted, for the error's text: C{"dials"}.
        """
        self._perMinute = perMinute
        self._interval = MINUTE / perMinute
        self._thing = thing
        self._wholeAgain: dict[Hashable, float] = {}

    def __len__(self) -> int:
        """
        How many keys are remembered.
        """
        return len(self._wholeAgain)

    def spend(self, key: Hashable, now: float) -> None:
        """
        Count that C{key} does it once.

        @param now: the time in seconds.
        @raise TooFast: C{key} has done it too often in the last minute.
        """
        after = max(self._wholeAgain.get(key, 0.0), now) + self._interval
        if after - now > MINUTE + self._interval / 2:
            raise TooFast(f"at most {self._perMinute} {self._thing} a minute")
        self._wholeAgain[key] = after

    def expire(self, now: float) -> None:
        """
        Forget the keys whose allowance is whole again.
        """
        past = [key for key, end in self._wholeAgain.items() if end <= now]
        for key in past:
            del self._wholeAgain[key]


class KeyedQuota:
    """
    Limits how many of a thing each key may hold at a time.

    Only keys that hold something are remembered.
    """

    def __init__(self, most: int, thing: str) -> None:
        """
        @param thing: what is counted, for the error's text: C{"connections"}.
        """
        self._most = most
        self._thing = thing
        self._held: dict[Hashable, int] = {}

    def acquire(self, key: Hashable) -> int:
        """
        Count that C{key} holds one more.

        @return: how many it holds now.
        @raise TooMany: it already holds as many as it may.
        """
        held = self._held.get(key, 0)
        if held >= self._most:
            raise TooMany(f"at most {self._most} {self._thing}")
        self._held[key] = held + 1
        return held + 1

    def release(self, key: Hashable) -> None:
        """
        Count that C{key} holds one less.
        """
        held = self._held[key] - 1
        if held:
            self._held[key] = held
        else:
            del self._held[key]


BURST = 0.25
"""
Bytes that may pass at once after a pause, in seconds of the rate.
"""

_GRANT = 0.05
"""
Bytes that may pass without a look at the clock, in seconds of the rate.
"""


class SpliceBudget:
    """
    Limits the bytes of one splice, in all and a second.

    For each byte that passes its user takes one from C{left}; when that falls below
    zero, the user calls L{settle}.  (Virtual scheduling, ITU-T I.371, for a grant of
    bytes at a time.)

    @ivar left: bytes that may pass before the next L{settle}.
    """

    __slots__ = ("_free", "_granted", "_most", "_rate", "_used", "left")

    def __init__(self, most: int, perSecond: int, now: float) -> None:
        """
        @param most: bytes in all.
        @param perSecond: bytes a second.
        @param now: the time in seconds.
        """
        self._most = most
        self._rate = perSecond
        self._free = now - BURST
        self._used = 0
        self._grant()

    def _grant(self) -> None:
        share = max(1, int(self._rate * _GRANT))
        self.left = self._granted = min(share, self._most - self._used)

    @property
    def spent(self) -> int:
        """
        Bytes that have passed so far.
        """
        return self._used + self._granted - self.left

    def settle(self, now: float) -> float:
        """
        Count what passed since the last call, and grant more.

        @return: seconds for which no more bytes may pass.
        @raise RelayBytesSpent: the bytes in all are spent.
        """
        spent = self._granted - self.left
        if self._used + spent > self._most:
            raise RelayBytesSpent(f"at most {self._most} bytes")
        self._used += spent
        self._free = max(self._free, now - BURST) + spent / self._rate
        self._grant()
        return max(0.0, self._free - now)

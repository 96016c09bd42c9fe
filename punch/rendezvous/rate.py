"""
A rate: how often each key may do a thing.
"""

from __future__ import annotations

from collections.abc import Hashable

from punch.errors import TooFast

MINUTE = 60.0


class Rate:
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

"""
A quota: how many of a thing each key may hold at a time.
"""

from __future__ import annotations

from collections.abc import Hashable

from punch.errors import TooMany


class Quota:
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

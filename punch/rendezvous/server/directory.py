"""
The directory in memory: which names are waited under, and by whom.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from dataclasses import dataclass
from hmac import compare_digest
from itertools import count
from random import Random, SystemRandom
from typing import Any

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from punch.errors import NameTaken, NoSuchName
from punch.interfaces import IDirectory

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


def isName(name: str) -> bool:
    """
    Whether C{name} has the form of a name: letters, digits, dots, dashes and
    underscores; if only digits, then a number as L{MemoryDirectory} gives them.
    """
    return _NAME.fullmatch(name) is not None and (
        not name.isdigit() or _NUMBER.fullmatch(name) is not None
    )


@dataclass(slots=True)
class _Entry:
    """
    A name that somebody waits under, and the secret of its owner.
    """

    owner: bytes
    waiter: object


@implementer(IDirectory)
class MemoryDirectory:
    """
    Holds the names of one server; they are lost when it stops.

    The server's state makes it, unless the factory was given another directory.
    Numbers stay short: each is random, of the shortest length of which less than half
    is in use.  A released number is reserved for a while, so that a code read aloud a
    minute ago does not reach a stranger; only its owner may have it meanwhile.
    """

    def __init__(
        self,
        clock: IReactorTime,
        rest: float = 300.0,
        randomness: Random | None = None,
    ) -> None:
        """
        @param rest: seconds before a released number is given to others.
        @param randomness: chooses numbers; the system's, if not given.
        """
        self._clock = clock
        self._seconds = rest
        self._random = randomness or SystemRandom()
        self._entries: dict[str, _Entry] = {}
        self._reserved: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lengths: Counter[int] = Counter()

    def __len__(self) -> int:
        """
        How many names somebody waits under.
        """
        return len(self._entries)

    async def allocate(self, owner: bytes, waiter: object) -> str:
        """
        See L{IDirectory.allocate}.
        """
        self._expire()
        name = self._freeNumber()
        self._enter(name, owner, waiter)
        return name

    async def claim(self, name: str, owner: bytes, waiter: object) -> Any:
        """
        See L{IDirectory.claim}.
        """
        self._expire()
        entry = self._entries.get(name)
        if entry is not None:
            if not compare_digest(entry.owner, owner):
                raise NameTaken(name)
            previous, entry.waiter = entry.waiter, waiter
            return previous
        if name in self._reserved:
            if not compare_digest(self._reserved[name][1], owner):
                raise NameTaken(name)
            del self._reserved[name]
            self._lengths[len(name)] -= 1
        self._enter(name, owner, waiter)
        return None

    async def release(self, name: str, waiter: object) -> None:
        """
        See L{IDirectory.release}.
        """
        entry = self._entries.get(name)
        if entry is None or entry.waiter is not waiter:
            return
        del self._entries[name]
        if name.isdigit():
            self._reserved[name] = (self._clock.seconds() + self._seconds, entry.owner)

    async def find(self, name: str) -> Any:
        """
        See L{IDirectory.find}.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise NoSuchName(name)
        return entry.waiter

    def _enter(self, name: str, owner: bytes, waiter: object) -> None:
        """
        Enter a name that was free.
        """
        self._entries[name] = _Entry(owner, waiter)
        if name.isdigit():
            self._lengths[len(name)] += 1

    def _expire(self) -> None:
        """
        Free the numbers that were reserved for long enough; the first are the oldest.
        """
        now = self._clock.seconds()
        while self._reserved:
            name, (end, _) = next(iter(self._reserved.items()))
            if end > now:
                return
            del self._reserved[name]
            self._lengths[len(name)] -= 1

    def _freeNumber(self) -> str:
        """
        A number that is neither in use nor reserved.  Less than half the numbers of its
        length are, so two draws suffice on average.
        """
        for digits in count(1):
            first, last = 10 ** (digits - 1), 10**digits - 1
            if 2 * self._lengths[digits] <= last - first:
                break
        while True:
            name = str(self._random.randint(first, last))
            if name not in self._entries and name not in self._reserved:
                return name

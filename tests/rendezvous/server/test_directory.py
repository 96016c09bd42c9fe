"""
Names, and who waits under them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from punch.errors import NameTaken, NoSuchName
from punch.interfaces import IDirectory
from punch.rendezvous.server.directory import MemoryDirectory, isName

OURS = b"our owner's secret"
THEIRS = b"another's secret"


@pytest.mark.parametrize(
    "name", ["a", "A-b_c.9", "7", "10", "x" * 64, "7a", "-", "007x"]
)
def test_isName(name: str) -> None:
    """
    Letters, digits, dots, dashes and underscores make a name; so does a number.
    """
    assert isName(name)


@pytest.mark.parametrize(
    "name", ["", "0", "007", "1234567890", "a b", "a\n", "ä", "٣", "a/b", "a:b", "\0"]
)
def test_isNotName(name: str) -> None:
    """
    Nothing else does; numbers are written as they are given out.
    """
    assert not isName(name)


class MemoryDirectoryTests(SynchronousTestCase):
    """
    The directory in memory.
    """

    def setUp(self) -> None:
        """
        A directory whose chance can be repeated.
        """
        self.clock = Clock()
        self.directory = MemoryDirectory(self.clock, 300, Random(7))

    def allocate(self, waiter: object = None, owner: bytes = OURS) -> str:
        """
        Allocate at once.
        """
        return self.successResultOf(
            Deferred.fromCoroutine(self.directory.allocate(owner, waiter))
        )

    def claim(self, name: str, owner: bytes, waiter: object) -> object:
        """
        Claim at once.
        """
        return self.successResultOf(
            Deferred.fromCoroutine(self.directory.claim(name, owner, waiter))
        )

    def release(self, name: str, waiter: object) -> None:
        """
        Release at once.
        """
        self.successResultOf(
            Deferred.fromCoroutine(self.directory.release(name, waiter))
        )

    def find(self, name: str) -> object:
        """
        Find at once.
        """
        return self.successResultOf(Deferred.fromCoroutine(self.directory.find(name)))

    def fails(self, why: type[Exception], doing: Coroutine[Any, Any, object]) -> None:
        """
        Something fails at once.
        """
        SynchronousTestCase.failureResultOf(self, Deferred.fromCoroutine(doing), why)

    def test_interface(self) -> None:
        """
        It is a directory.
        """
        assert verifyObject(IDirectory, self.directory)

    def test_claim(self) -> None:
        """
        A waiter that claims a name is found under it.
        """
        waiter = object()
        assert self.claim("name", OURS, waiter) is None
        assert self.find("name") is waiter
        assert len(self.directory) == 1

    def test_unknown(self) -> None:
        """
        Nobody is found under a name that nobody claimed.
        """
        self.fails(NoSuchName, self.directory.find("name"))

    def test_taken(self) -> None:
        """
        A name that one owner has is not another's.
        """
        self.claim("name", OURS, "we")
        self.fails(NameTaken, self.directory.claim("name", THEIRS, "they"))
        assert self.find("name") == "we"

    def test_takeover(self) -> None:
        """
        The same owner takes its name over; the connection that had it can no
        longer give it up.
        """
        self.claim("name", OURS, "old")
        assert self.claim("name", OURS, "new") == "old"
        self.release("name", "old")
        assert self.find("name") == "new"

    def test_released(self) -> None:
        """
        A chosen name that was given up is free for anybody at once.
        """
        self.claim("name", OURS, "we")
        self.release("name", "we")
        self.fails(NoSuchName, self.directory.find("name"))
        self.claim("name", THEIRS, "they")
        assert self.find("name") == "they"

    def test_releaseUnknown(self) -> None:
        """
        Releasing a name that one does not have changes nothing.
        """
        self.release("name", "we")
        assert len(self.directory) == 0

    def test_numbersAreSmall(self) -> None:
        """
        The first numbers have one digit; with half of those in use come two.
        """
        names = [self.allocate() for _ in range(52)]
        assert [len(name) for name in names[:5]] == [1] * 5
        assert {len(name) for name in names[5:50]} == {2}
        assert [len(name) for name in names[50:]] == [3, 3]
        assert len(set(names)) == 52

    def test_numbersAreRandom(self) -> None:
        """
        Which of the small numbers comes first cannot be told.
        """
        firsts = set()
        for seed in range(60):
            directory = MemoryDirectory(self.clock, 300, Random(seed))
            firsts.add(
                self.successResultOf(
                    Deferred.fromCoroutine(directory.allocate(OURS, None))
                )
            )
        assert firsts == set("123456789")

    def test_numberRests(self) -> None:
        """
        A number that was given up is neither allocated nor claimed by a stranger
        for some minutes.
        """
        name = self.allocate("we")
        self.release(name, "we")
        self.clock.advance(299)
        assert name not in [self.allocate() for _ in range(100)]
        self.fails(NameTaken, self.directory.claim(name, THEIRS, "they"))
        self.clock.advance(1)
        self.claim(name, THEIRS, "they")
        assert self.find(name) == "they"

    def test_ownerComesBack(self) -> None:
        """
        Its owner comes back to a number that rests.
        """
        name = self.allocate("old")
        self.release(name, "old")
        assert self.claim(name, OURS, "new") is None
        self.clock.advance(1000)
        assert name not in [self.allocate() for _ in range(100)]
        assert self.find(name) == "new"

    def test_afterRestart(self) -> None:
        """
        A directory that has forgotten everything lets a number be claimed.
        """
        self.claim("7", OURS, "we")
        assert self.find("7") == "we"
        assert "7" not in [self.allocate() for _ in range(20)]

    def test_numbersComeBack(self) -> None:
        """
        With all numbers given up and rested, small ones are given out again.
        """
        names = [self.allocate("we") for _ in range(500)]
        for name in names:
            self.release(name, "we")
        self.clock.advance(300)
        assert [len(self.allocate()) for _ in range(5)] == [1] * 5


@given(st.text())
def test_isNameTakesAnything(text: str) -> None:
    """
    Any text is or is not a name, and names are ASCII.
    """
    assert not isName(text) or text.isascii()

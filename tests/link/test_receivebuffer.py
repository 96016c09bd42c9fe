"""
Tests for L{punch.link.receivebuffer}.
"""

from __future__ import annotations

import pytest

from punch.link.receivebuffer import ReceiveBuffer
from punch.link.records import decodeOffset
from punch.link.sequencing import Sequencing
from punch.role import Role


class Reader:
    """
    An inbox, and who reads it: pauses before some of what it gets.

    C{got}: what it has heard; the end is C{None}.
    """

    def __init__(self) -> None:
        self.continuity = Sequencing(Role.LISTENER, bytes(16), bytes(32))
        dialer = Sequencing(Role.DIALER, bytes(16), bytes(32))
        self.continuity.attachReceived(dialer.attach(b"")[1], b"")
        self.inbox = ReceiveBuffer(self.continuity)
        self.inbox.isPaused = False
        self.got: list[bytes | None] = []
        self.pauses = False

    def put(self, *data: bytes) -> None:
        """
        Some arrives.
        """
        for each in data:
            self.inbox.put(self.continuity.dataReceived(1, each))

    def putEnd(self) -> None:
        """
        The end arrives.
        """
        assert self.continuity.closeReceived(1)
        self.inbox.putEnd()

    def deliver(self) -> None:
        """
        Hear it.
        """
        self.inbox.deliver(self.hear, lambda: self.hear(None))

    def hear(self, data: bytes | None) -> None:
        """
        Remember it.
        """
        self.got.append(data)
        self.inbox.isPaused = self.pauses

    @property
    def told(self) -> int:
        """
        What the peer would be told to have been taken.
        """
        return decodeOffset(self.continuity.acknowledgment())


@pytest.fixture
def reader() -> Reader:
    """
    One with nothing in it.
    """
    return Reader()


def test_order(reader: Reader) -> None:
    """
    What arrived is given out in order, once, and so is the end.
    """
    reader.put(b"one", b"two")
    assert reader.inbox.isFilled
    reader.deliver()
    reader.deliver()
    reader.put(b"three")
    reader.putEnd()
    reader.deliver()
    assert reader.got == [b"one", b"two", b"three", None]
    assert not reader.inbox.isFilled
    assert reader.inbox.taken == 11
    assert reader.told == 12


def test_nothing(reader: Reader) -> None:
    """
    Nothing is no end.
    """
    reader.inbox.put(b"")
    assert not reader.inbox.isFilled
    reader.deliver()
    assert reader.got == []


def test_paused(reader: Reader) -> None:
    """
    While it is paused nothing is given out, and nothing counts as taken.
    """
    reader.inbox.isPaused = True
    reader.put(b"one")
    reader.deliver()
    assert reader.got == []
    assert (reader.inbox.taken, reader.told) == (0, 0)


def test_pausedFromWithin(reader: Reader) -> None:
    """
    Who pauses when he hears one thing does not hear the next.
    """
    reader.pauses = True
    reader.put(b"one", b"two")
    reader.putEnd()
    for count, taken in ((1, 3), (2, 6), (3, 7)):
        reader.inbox.isPaused = False
        reader.deliver()
        assert len(reader.got) == count
        assert reader.told == taken


def test_deliveredFromWithin(reader: Reader) -> None:
    """
    Who asks for more while he hears one thing hears it after that.
    """
    during: list[int] = []

    def hear(data: bytes) -> None:
        reader.deliver()
        during.append(len(reader.got))
        reader.got.append(data)

    reader.put(b"one", b"two")
    reader.inbox.deliver(hear, lambda: None)
    assert during == [0, 1]
    assert reader.got == [b"one", b"two"]


def test_arrivesFromWithin(reader: Reader) -> None:
    """
    What arrives meanwhile is given out as well.
    """

    def hear(data: bytes) -> None:
        reader.got.append(data)
        if len(reader.got) == 1:
            reader.put(b"two")

    reader.put(b"one")
    reader.inbox.deliver(hear, lambda: None)
    assert reader.got == [b"one", b"two"]


def test_takenAfterwards(reader: Reader) -> None:
    """
    Only what its receiver has done with counts as taken, as it may fail.
    """

    def fail(data: bytes) -> None:
        assert reader.told == 0
        raise RuntimeError("not today")

    reader.put(b"one", b"two")
    with pytest.raises(RuntimeError):
        reader.inbox.deliver(fail, lambda: None)
    assert reader.told == 0
    reader.deliver()
    assert reader.got == [b"two"]


def test_cleared(reader: Reader) -> None:
    """
    What nobody wants any more is not given out, even from within.
    """

    def hear(data: bytes) -> None:
        reader.got.append(data)
        reader.inbox.clear()

    reader.put(b"one", b"two")
    reader.inbox.deliver(hear, lambda: None)
    assert reader.got == [b"one"]
    assert not reader.inbox.isFilled

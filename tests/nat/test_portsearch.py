"""
Tests for L{punch.nat.portsearch}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from punch.nat.portsearch import PATIENCE, RATE, PortSearch, SocketBudget
from punch.net.connection import Connection
from punch.net.connector import outcomeOf
from punch.net.outcome import Outcome


class _Connects:
    """
    Connects that come to nothing by themselves.

    @ivar most: how many there are to make.
    """

    def __init__(self, most: int = 100_000, sockets: int = 100_000) -> None:
        self.clock = Clock()
        self.most = most
        self.made: list[Deferred[Connection]] = []
        self.joined: list[Deferred[Connection]] = []
        self.ends: list[object] = []
        self.sockets = SocketBudget(sockets)
        self.search = PortSearch(self.clock, self.sockets, self.connect, self.join)
        self.search.start()

    def connect(self) -> Deferred[Connection] | None:
        """
        Begin one.
        """
        if len(self.made) >= self.most:
            return None
        self.made.append(Deferred())
        return self.made[-1]

    def join(self, connecting: Deferred[Connection]) -> None:
        """
        The race has it.
        """
        self.joined.append(connecting)
        connecting.addBoth(self.ends.append)

    def run(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.clock.pump([0.01] * round(seconds * 100))


def test_pace() -> None:
    """
    Connects are made at a steady pace, and each races.
    """
    connects = _Connects()
    connects.run(2.0)
    assert abs(len(connects.made) - 2 * RATE) <= 8
    assert connects.joined == connects.made


def test_late() -> None:
    """
    A process that was held up does not make up for it all at once.
    """
    connects = _Connects()
    before = len(connects.made)
    connects.clock.advance(3.0)
    assert len(connects.made) - before <= RATE / 20


def test_sockets() -> None:
    """
    There are never more at a time than may be; what ends makes room.
    """
    connects = _Connects(sockets=10)
    connects.run(1.0)
    assert len(connects.made) == 10
    connects.made[3].errback(Failure(ConnectionRefusedError()))
    connects.run(1.0)
    assert len(connects.made) == 11
    connects.run(PATIENCE)
    assert len(connects.made) == 21


def test_outcome() -> None:
    """
    One that was given up has timed out.
    """
    connects = _Connects(most=1)
    connects.run(PATIENCE + 1)
    [end] = connects.ends
    assert isinstance(end, Failure)
    assert outcomeOf(end) is Outcome.TIMED_OUT


def test_shared() -> None:
    """
    Two searches share the sockets of one peer.
    """
    connects = _Connects(sockets=10)
    other = PortSearch(
        connects.clock, connects.sockets, connects.connect, connects.join
    )
    other.start()
    connects.run(1.0)
    assert len(connects.made) == 10
    other.stop()


def test_noMore() -> None:
    """
    When all ports have been tried it ends, and gives back what it took for the next.
    """
    connects = _Connects(most=7, sockets=8)
    connects.run(1.0)
    assert not connects.clock.getDelayedCalls() or len(connects.made) == 7
    for each in connects.made:
        each.errback(Failure(ConnectionRefusedError()))
    assert not connects.clock.getDelayedCalls()
    assert [connects.sockets.acquire() for _ in range(9)] == [True] * 8 + [False]


def test_stop() -> None:
    """
    Stopped, it begins no more, once or twice.
    """
    connects = _Connects()
    connects.run(0.1)
    made = len(connects.made)
    connects.search.stop()
    connects.search.stop()
    connects.run(1.0)
    assert len(connects.made) == made


def test_failedAtOnce() -> None:
    """
    What fails at once is given back, too.
    """
    clock, sockets = Clock(), SocketBudget(1)
    seen: list[object] = []
    search = PortSearch(
        clock,
        sockets,
        lambda: fail(ConnectionRefusedError()),
        lambda connecting: connecting.addErrback(seen.append),
    )
    search.start()
    clock.pump([0.02] * 5)
    search.stop()
    assert len(seen) > 5
    assert sockets.acquire()
    assert not clock.getDelayedCalls()

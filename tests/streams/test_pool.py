"""
Tests for L{punch.streams.pool}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from punch.streams.pool import MultiplexerPool
from tests.support.doubles import Pair, PunchTestCase


class MultiplexerPoolTests(PunchTestCase):
    """
    Tests for L{MultiplexerPool}.
    """

    def setUp(self) -> None:
        """
        Two that stream to each other, on no link yet.
        """
        clock = Clock()
        self.sides = MultiplexerPool(clock, {}), MultiplexerPool(clock, {})
        self.pairs: list[Pair] = []

    def link(self) -> None:
        """
        One more link between the two.
        """
        pair = Pair()
        self.pairs.append(pair)
        for link, side in zip(pair.links(), self.sides, strict=True):
            link.start(side.buildProtocol(link.getPeer()))
        self.run_()

    def run_(self) -> None:
        """
        Let time pass.
        """
        for pair in self.pairs:
            pair.run()

    def test_newest(self) -> None:
        """
        The newest link is used, as long as it lives and takes requests.
        """
        side = self.sides[0]
        assert side.newest() is None
        self.link()
        first = side.newest()
        assert first is not None
        self.link()
        second = side.newest()
        assert second is not None
        assert second is not first
        second.goAway()
        assert side.newest() is first
        first.leave()
        self.run_()
        assert side.newest() is None

    def test_whenReady(self) -> None:
        """
        One can wait for a link, and stop waiting.
        """
        side = self.sides[0]
        waiting, other = side.whenReady(), side.whenReady()
        other.cancel()
        self.failed(other, CancelledError)
        self.link()
        assert self.successResultOf(waiting) is side.newest()
        assert self.successResultOf(side.whenReady()) is side.newest()

    def test_goAway(self) -> None:
        """
        All of them go away at once.
        """
        self.link()
        self.link()
        self.successResultOf(self.sides[0].goAway())
        self.run_()
        assert self.sides[0].newest() is None
        assert self.sides[1].newest() is None

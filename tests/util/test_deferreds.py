"""
Tests for L{punch.util.deferreds}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, fail

from punch.util.deferreds import SharedResult, gatherAll, shield
from tests.support.doubles import PunchTestCase


class ArrivalTests(PunchTestCase):
    """
    A value that arrives once.
    """

    def setUp(self) -> None:
        """
        Nothing is here yet.
        """
        self.arrival: SharedResult[int] = SharedResult()

    def test_before(self) -> None:
        """
        Those who wait get the value when it is there.
        """
        waiting = [self.arrival.wait() for _ in range(3)]
        for each in waiting:
            self.waiting(each)
        assert not self.arrival.settled
        self.arrival.succeed(7)
        assert self.arrival.settled
        assert [self.successResultOf(each) for each in waiting] == [7, 7, 7]

    def test_after(self) -> None:
        """
        Those who come later get it at once.
        """
        self.arrival.succeed(7)
        assert self.successResultOf(self.arrival.wait()) == 7
        assert self.successResultOf(self.arrival.wait()) == 7

    def test_failed(self) -> None:
        """
        If it won't come, all hear why.
        """
        before = self.arrival.wait()
        self.arrival.fail(ValueError("never"))
        self.failed(before, ValueError)
        self.failed(self.arrival.wait(), ValueError)

    def test_failedUnheard(self) -> None:
        """
        If nobody waits, nobody has to hear of it.
        """
        self.arrival.fail(ValueError("never"))
        del self.arrival
        assert not self.logged()

    def test_cancelled(self) -> None:
        """
        To cancel ends one wait and no other.
        """
        one, other = self.arrival.wait(), self.arrival.wait()
        one.cancel()
        self.failed(one, CancelledError)
        self.waiting(other)
        self.arrival.succeed(7)
        assert self.successResultOf(other) == 7

    def test_cancelledMeanwhile(self) -> None:
        """
        Whoever gets the value first may cancel the others' waits, as the winner of
        a race does.
        """
        one, other = self.arrival.wait(), self.arrival.wait()
        one.addCallback(lambda _: other.cancel())
        self.arrival.succeed(7)
        self.successResultOf(one)
        self.failed(other, CancelledError)

    def test_anotherMeanwhile(self) -> None:
        """
        Whoever gets it may ask for it again.
        """
        again: list[int] = []
        first = self.arrival.wait()
        first.addCallback(lambda _: self.arrival.wait().addCallback(again.append))
        self.arrival.succeed(7)
        self.successResultOf(first)
        assert again == [7]

    def test_chained(self) -> None:
        """
        What one makes of the value does not reach the others.
        """
        one, other = self.arrival.wait(), self.arrival.wait()
        one.addCallback(lambda value: value + 1)
        self.arrival.succeed(7)
        assert self.successResultOf(one) == 8
        assert self.successResultOf(other) == 7


class ShieldTests(PunchTestCase):
    """
    A wait that can be cancelled without harm.
    """

    def setUp(self) -> None:
        """
        Something goes on.
        """
        self.cancelled: list[object] = []
        self.inner: Deferred[int] = Deferred(self.cancelled.append)
        self.outer = shield(self.inner)

    def test_result(self) -> None:
        """
        The result passes.
        """
        self.waiting(self.outer)
        self.inner.callback(7)
        assert self.successResultOf(self.outer) == 7

    def test_failure(self) -> None:
        """
        So does a failure.
        """
        self.inner.errback(ValueError("no"))
        self.failed(self.outer, ValueError)

    def test_alreadyThere(self) -> None:
        """
        So does what was there before.
        """
        done: Deferred[int] = Deferred()
        done.callback(7)
        assert self.successResultOf(shield(done)) == 7

    def test_cancelled(self) -> None:
        """
        To cancel is to wait no longer; what goes on goes on, and its end is
        nobody's trouble.
        """
        self.outer.cancel()
        self.failed(self.outer, CancelledError)
        assert self.cancelled == []
        self.inner.errback(ValueError("unheard"))
        del self.inner
        assert not self.logged()


def test_together() -> None:
    """
    What all come to; or the first failure as it is, and the others go unheard.
    """
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()
    came: list[object] = []
    gatherAll([first, second]).addCallback(came.append)
    second.callback(2)
    first.callback(1)
    assert came == [[1, 2]]
    third: Deferred[int] = Deferred()
    both = gatherAll([third, fail(ValueError("x"))])
    both.addErrback(lambda why: came.append(why.type))
    assert came[1:] == [ValueError]
    third.errback(KeyError())


def test_togetherCancelled() -> None:
    """
    To cancel cancels all of them.
    """
    waits: list[Deferred[int]] = [Deferred(), Deferred()]
    came: list[object] = []
    both = gatherAll(waits)
    both.addErrback(lambda why: came.append(why.type))
    both.cancel()
    assert came == [CancelledError]
    assert all(each.called for each in waits)

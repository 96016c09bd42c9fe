"""
Tests for L{punch.util.deferreds}.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.python.failure import Failure

from punch.util.deferreds import SharedResult, abandonable, gatherAll, shield
from tests.support.doubles import PunchTestCase


class SharedResultTests(PunchTestCase):
    """
    Tests for L{SharedResult}.
    """

    def setUp(self) -> None:
        """
        Make one that is not settled.
        """
        self.shared: SharedResult[int] = SharedResult()

    def test_before(self) -> None:
        """
        Those who wait get the value when it is settled.
        """
        waiting = [self.shared.wait() for _ in range(3)]
        for each in waiting:
            self.waiting(each)
        assert not self.shared.settled
        self.shared.succeed(7)
        assert self.shared.settled
        assert [self.successResultOf(each) for each in waiting] == [7, 7, 7]

    def test_after(self) -> None:
        """
        Those who come later get it at once.
        """
        self.shared.succeed(7)
        assert self.successResultOf(self.shared.wait()) == 7
        assert self.successResultOf(self.shared.wait()) == 7

    def test_failed(self) -> None:
        """
        Those who wait, before and after, get the failure.
        """
        before = self.shared.wait()
        self.shared.fail(ValueError("never"))
        self.failed(before, ValueError)
        self.failed(self.shared.wait(), ValueError)

    def test_failedUnheard(self) -> None:
        """
        A failure that nobody waits for is not logged.
        """
        self.shared.fail(ValueError("never"))
        del self.shared
        assert not self.logged()

    def test_cancelled(self) -> None:
        """
        Cancelling ends one wait and no other.
        """
        one, other = self.shared.wait(), self.shared.wait()
        one.cancel()
        self.failed(one, CancelledError)
        self.waiting(other)
        self.shared.succeed(7)
        assert self.successResultOf(other) == 7

    def test_cancelledMeanwhile(self) -> None:
        """
        A callback may cancel another wait.
        """
        one, other = self.shared.wait(), self.shared.wait()
        one.addCallback(lambda _: other.cancel())
        self.shared.succeed(7)
        self.successResultOf(one)
        self.failed(other, CancelledError)

    def test_anotherMeanwhile(self) -> None:
        """
        A callback may wait again.
        """
        again: list[int] = []
        first = self.shared.wait()
        first.addCallback(lambda _: self.shared.wait().addCallback(again.append))
        self.shared.succeed(7)
        self.successResultOf(first)
        assert again == [7]

    def test_chained(self) -> None:
        """
        What one waiter's callbacks return does not reach the other waiters.
        """
        one, other = self.shared.wait(), self.shared.wait()
        one.addCallback(lambda value: value + 1)
        self.shared.succeed(7)
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


@pytest.mark.parametrize(
    ("result", "abandoned"),
    [
        pytest.param(7, [7], id="a connection that came all the same"),
        pytest.param(Failure(ValueError()), [], id="the error of what was given up"),
    ],
)
def test_abandoned(result: object, abandoned: list[object]) -> None:
    """
    Cancelling fails with C{CancelledError}, whatever the Deferred below makes of it.
    """
    connecting: Deferred[object] = Deferred(lambda it: it.callback(result))
    found: list[object] = []
    waiting = abandonable(connecting, found.append)
    failures: list[Failure] = []
    waiting.addErrback(failures.append)
    waiting.cancel()
    assert failures[0].check(CancelledError)
    assert found == abandoned


@pytest.mark.parametrize("result", [7, Failure(ValueError())], ids=["value", "error"])
def test_notAbandoned(result: object) -> None:
    """
    A result that comes before that is passed on.
    """
    connecting: Deferred[object] = Deferred()
    found: list[object] = []
    abandoned: list[object] = []
    abandonable(connecting, abandoned.append).addBoth(found.append)
    connecting.callback(result)
    assert found == [result]
    assert abandoned == []


def test_gatherAll() -> None:
    """
    What all come to; or the first failure as it is, and the others go unheard.
    """
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()
    results: list[object] = []
    gatherAll([first, second]).addCallback(results.append)
    second.callback(2)
    first.callback(1)
    assert results == [[1, 2]]
    third: Deferred[int] = Deferred()
    both = gatherAll([third, fail(ValueError("x"))])
    both.addErrback(lambda why: results.append(why.type))
    assert results[1:] == [ValueError]
    third.errback(KeyError())


def test_gatherAllCancelled() -> None:
    """
    To cancel cancels all of them.
    """
    waits: list[Deferred[int]] = [Deferred(), Deferred()]
    results: list[object] = []
    both = gatherAll(waits)
    both.addErrback(lambda why: results.append(why.type))
    both.cancel()
    assert results == [CancelledError]
    assert all(each.called for each in waits)

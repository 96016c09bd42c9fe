"""
Deferreds that several callers can wait for, and cancel without harm to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

T = TypeVar("T")


class SharedResult(Generic[T]):
    """
    One result that any number of callers wait for, each with a Deferred of its own.

    @ivar settled: whether the result, or the reason why there is none, is known.
    """

    def __init__(self) -> None:
        self._waiting: list[Deferred[T]] = []
        self._result: T | Failure
        self.settled = False

    def wait(self) -> Deferred[T]:
        """
        Wait for the result.

        @return: fires with the result.  Cancelling it ends this wait alone.
        """
        waiter: Deferred[T] = Deferred(self._forget)
        if self.settled:
            waiter.callback(self._result)
        else:
            self._waiting.append(waiter)
        return waiter

    def _forget(self, waiter: Deferred[T]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def succeed(self, value: T) -> None:
        """
        Settle with a value.  It does nothing if the result is settled already.
        """
        self._settle(value)

    def fail(self, reason: Failure | Exception) -> None:
        """
        Settle with a failure.  It does nothing if the result is settled already.
        """
        self._settle(reason if isinstance(reason, Failure) else Failure(reason))

    def _settle(self, result: T | Failure) -> None:
        if self.settled:
            return
        self.settled = True
        self._result = result
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            # A callback may cancel another waiter.
            if not waiter.called:
                waiter.callback(result)


def shield(deferred: Deferred[T]) -> Deferred[T]:
    """
    Wait for C{deferred} without owning it.

    @return: fires with the same result.  Cancelling it does not cancel C{deferred}.
    """
    shared: SharedResult[T] = SharedResult()
    deferred.addBoth(shared._settle)
    return shared.wait()


def abandonable(connecting: Deferred[T], abandon: Callable[[T], object]) -> Deferred[T]:
    """
    Wait for an endpoint's Deferred.  If that is cancelled, it may fail with the lookup
    or the connection that it gave up, or even fire with a connection.

    @param abandon: given a connection that comes after the wait was cancelled.
    @return: fires with the same result.  Cancelling it cancels C{connecting}, and makes
        it fail with C{CancelledError} at once.
    """
    isCancelled = False

    def cancel(waiting: Deferred[T]) -> None:
        nonlocal isCancelled
        isCancelled = True
        connecting.cancel()

    def settle(result: T | Failure) -> None:
        if not isCancelled:
            waiting.callback(result)
        elif not isinstance(result, Failure):
            abandon(result)

    waiting: Deferred[T] = Deferred(cancel)
    connecting.addBoth(settle)
    return waiting


def gatherAll(waited: Sequence[Deferred[T]]) -> Deferred[list[T]]:
    """
    Wait for all of them, as C{gatherResults} does, but fail with the first failure
    itself and not with a C{FirstError}.  Cancelling cancels them all.
    """
    gathered = gatherResults(waited, consumeErrors=True)
    return gathered.addErrback(_first)


def _first(why: Failure) -> Failure:
    why.trap(FirstError)
    first: FirstError = why.value  # type: ignore[assignment]
    return first.subFailure

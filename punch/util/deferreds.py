"""
A value that arrives once, and those who wait for it.

Here every wait can be cancelled without harm to what is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

T = TypeVar("T")


class SharedResult(Generic[T]):
    """
    Any number of Deferreds for one value, or for the reason that it won't come.
    """

    def __init__(self) -> None:
        self._waiting: list[Deferred[T]] = []
        self._result: T | Failure
        self.settled = False

    def wait(self) -> Deferred[T]:
        """
        The value, once it is there.  To cancel ends this wait alone.
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
        The value is here.
        """
        self._settle(value)

    def fail(self, reason: Failure | Exception) -> None:
        """
        The value won't come.
        """
        self._settle(reason if isinstance(reason, Failure) else Failure(reason))

    def _settle(self, result: T | Failure) -> None:
        """
        What comes first is what came; what comes after it is not heeded.
        """
        if self.settled:
            return
        self.settled = True
        self._result = result
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            # One may cancel another while it is told.
            if not waiter.called:
                waiter.callback(result)


def shield(deferred: Deferred[T]) -> Deferred[T]:
    """
    The result of C{deferred}; to cancel is to wait no longer, and what goes on
    goes on.
    """
    arrival: SharedResult[T] = SharedResult()
    deferred.addBoth(arrival._settle)
    return arrival.wait()


def gatherAll(waited: Sequence[Deferred[T]]) -> Deferred[list[T]]:
    """
    What all of them come to, or how the first failed.  To cancel cancels them all.
    """
    gathered = gatherResults(waited, consumeErrors=True)
    return gathered.addErrback(_first)


def _first(why: Failure) -> Failure:
    why.trap(FirstError)
    first: FirstError = why.value  # type: ignore[assignment]
    return first.subFailure

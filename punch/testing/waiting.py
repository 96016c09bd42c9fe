"""
Waiting in a test: the network's time passes until a result is there.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from punch.testing.medium import Medium

_T = TypeVar("_T")


class NeverHappened(AssertionError):
    """
    What a test waited for did not happen within its limit.
    """


def spin(
    waited: Deferred[_T] | Coroutine[Deferred[Any], Any, _T],
    network: Medium,
    limit: float = 60.0,
) -> _T:
    """
    Let time pass on a network until a Deferred or coroutine has a result.

    @param limit: how many seconds of the network's clock it may take.
    @return: the result.
    @raise NeverHappened: it took longer; the message says what was left.
    @raise Exception: what the Deferred failed with.
    """
    deferred = (
        waited if isinstance(waited, Deferred) else Deferred.fromCoroutine(waited)
    )
    results: list[_T | Failure] = []
    deferred.addBoth(results.append)
    if not network.runUntil(lambda: results, limit):
        raise NeverHappened(
            f"no result within {limit} s; open: {network.openSockets()}; "
            f"to be called: {list(network.delayedCalls())}"
        )
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    return result

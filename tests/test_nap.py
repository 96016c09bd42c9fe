"""
Tests for L{punch.nap}.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from punch.nap import Nap


@pytest.fixture
def clock() -> Clock:
    """
    The time.
    """
    return Clock()


def asleep(nap: Nap, seconds: float) -> list[str]:
    """
    Sleep.

    @return: how it ended, when it has.
    """
    ended: list[str] = []
    sleeping = Deferred.fromCoroutine(nap.sleep(seconds))
    sleeping.addCallback(lambda _: ended.append("awake"))
    return ended


def test_sleeps(clock: Clock) -> None:
    """
    A nap takes as long as it is to.
    """
    nap = Nap(clock)
    ended = asleep(nap, 3.0)
    clock.advance(2.9)
    assert nap.isAsleep
    assert not ended
    clock.advance(0.1)
    assert ended == ["awake"]
    assert not nap.isAsleep


def test_woken(clock: Clock) -> None:
    """
    Who is woken goes on at once, and leaves nothing behind; nobody is woken twice.
    """
    nap = Nap(clock)
    ended = asleep(nap, 3.0)
    nap.wake()
    nap.wake()
    assert ended == ["awake"]
    assert clock.getDelayedCalls() == []


def test_again(clock: Clock) -> None:
    """
    One who woke may sleep again, as long as he likes.
    """
    nap = Nap(clock)
    asleep(nap, 3.0)
    nap.wake()
    ended = asleep(nap, 5.0)
    clock.advance(4.0)
    assert not ended
    clock.advance(1.0)
    assert ended == ["awake"]


def test_cancelled(clock: Clock) -> None:
    """
    A nap that is cancelled leaves nothing behind.
    """
    nap = Nap(clock)
    sleeping = Deferred.fromCoroutine(nap.sleep(3.0))
    sleeping.cancel()
    failures: list[object] = []
    sleeping.addErrback(lambda failure: failures.append(failure.trap(CancelledError)))
    assert failures == [CancelledError]
    assert clock.getDelayedCalls() == []

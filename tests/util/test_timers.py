"""
Tests for L{punch.util.timers}.

Tests for L{punch.util.timers}.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from punch.util.timers import InterruptibleSleep, RestartableTimer


def made() -> tuple[Clock, RestartableTimer, list[str]]:
    """
    An alarm, and a list of what it has called.
    """
    clock = Clock()
    return clock, RestartableTimer(clock), []


def test_goesOff() -> None:
    """
    It goes off when it is due, once.
    """
    clock, alarm, called = made()
    assert not alarm.isSet
    alarm.set(2, lambda: called.append("one"))
    assert alarm.isSet
    clock.advance(1.9)
    assert called == []
    clock.advance(0.1)
    assert called == ["one"]
    assert not alarm.isSet
    clock.advance(10)
    assert called == ["one"]


def test_putOff() -> None:
    """
    What it is set to instead is called instead.
    """
    clock, alarm, called = made()
    alarm.set(2, lambda: called.append("one"))
    clock.advance(1)
    alarm.set(2, lambda: called.append("two"))
    clock.advance(1)
    assert called == []
    clock.advance(1)
    assert called == ["two"]


def test_cleared() -> None:
    """
    One that is cleared calls nothing, and leaves nothing; it can be cleared twice,
    and before it was ever set.
    """
    clock, alarm, called = made()
    alarm.clear()
    alarm.set(2, lambda: called.append("one"))
    alarm.clear()
    alarm.clear()
    assert clock.getDelayedCalls() == []
    clock.advance(10)
    assert called == []


def test_fromWithin() -> None:
    """
    What it calls can set it again, and clear it.
    """
    clock, alarm, called = made()

    def again() -> None:
        called.append("again")
        assert not alarm.isSet
        alarm.clear()
        if len(called) < 3:
            alarm.set(1, again)

    alarm.set(1, again)
    clock.pump([1, 1, 1, 1])
    assert len(called) == 3
    assert clock.getDelayedCalls() == []


@pytest.fixture
def clock() -> Clock:
    """
    The time.
    """
    return Clock()


def asleep(nap: InterruptibleSleep, seconds: float) -> list[str]:
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
    nap = InterruptibleSleep(clock)
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
    nap = InterruptibleSleep(clock)
    ended = asleep(nap, 3.0)
    nap.wake()
    nap.wake()
    assert ended == ["awake"]
    assert clock.getDelayedCalls() == []


def test_again(clock: Clock) -> None:
    """
    One who woke may sleep again, as long as he likes.
    """
    nap = InterruptibleSleep(clock)
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
    nap = InterruptibleSleep(clock)
    sleeping = Deferred.fromCoroutine(nap.sleep(3.0))
    sleeping.cancel()
    failures: list[object] = []
    sleeping.addErrback(lambda failure: failures.append(failure.trap(CancelledError)))
    assert failures == [CancelledError]
    assert clock.getDelayedCalls() == []

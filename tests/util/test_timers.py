"""
Tests for L{punch.util.timers}.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from punch.util.timers import InterruptibleSleep, RestartableTimer


def makeTimer() -> tuple[Clock, RestartableTimer, list[str]]:
    """
    A clock, a timer on it, and a list for what the timer calls.
    """
    clock = Clock()
    return clock, RestartableTimer(clock), []


def test_calls() -> None:
    """
    A timer calls once, when it is due.
    """
    clock, timer, called = makeTimer()
    assert not timer.isSet
    timer.set(2, lambda: called.append("one"))
    assert timer.isSet
    clock.advance(1.9)
    assert called == []
    clock.advance(0.1)
    assert called == ["one"]
    assert not timer.isSet
    clock.advance(10)
    assert called == ["one"]


def test_setAgain() -> None:
    """
    A timer that is set again forgets what it was set to before.
    """
    clock, timer, called = makeTimer()
    timer.set(2, lambda: called.append("one"))
    clock.advance(1)
    timer.set(2, lambda: called.append("two"))
    clock.advance(1)
    assert called == []
    clock.advance(1)
    assert called == ["two"]


def test_cleared() -> None:
    """
    A timer that is cleared calls nothing and leaves no delayed call.  It can be cleared
    twice, and before it was ever set.
    """
    clock, timer, called = makeTimer()
    timer.clear()
    timer.set(2, lambda: called.append("one"))
    timer.clear()
    timer.clear()
    assert clock.getDelayedCalls() == []
    clock.advance(10)
    assert called == []


def test_fromWithin() -> None:
    """
    What a timer calls can set the timer again, and clear it.
    """
    clock, timer, called = makeTimer()

    def again() -> None:
        called.append("again")
        assert not timer.isSet
        timer.clear()
        if len(called) < 3:
            timer.set(1, again)

    timer.set(1, again)
    clock.pump([1, 1, 1, 1])
    assert len(called) == 3
    assert clock.getDelayedCalls() == []


@pytest.fixture
def clock() -> Clock:
    """
    A clock for the sleeps.
    """
    return Clock()


def asleep(sleeper: InterruptibleSleep, seconds: float) -> list[str]:
    """
    Start to sleep.

    @return: a list that gets an entry when the sleep has ended.
    """
    ended: list[str] = []
    sleeping = Deferred.fromCoroutine(sleeper.sleep(seconds))
    sleeping.addCallback(lambda _: ended.append("awake"))
    return ended


def test_sleeps(clock: Clock) -> None:
    """
    A sleep takes the seconds that it was given.
    """
    sleeper = InterruptibleSleep(clock)
    ended = asleep(sleeper, 3.0)
    clock.advance(2.9)
    assert sleeper.isAsleep
    assert not ended
    clock.advance(0.1)
    assert ended == ["awake"]
    assert not sleeper.isAsleep


def test_woken(clock: Clock) -> None:
    """
    A sleep that is interrupted ends at once and leaves no delayed call.  To wake twice
    does nothing.
    """
    sleeper = InterruptibleSleep(clock)
    ended = asleep(sleeper, 3.0)
    sleeper.wake()
    sleeper.wake()
    assert ended == ["awake"]
    assert clock.getDelayedCalls() == []


def test_sleepAgain(clock: Clock) -> None:
    """
    After one sleep another can start, of another length.
    """
    sleeper = InterruptibleSleep(clock)
    asleep(sleeper, 3.0)
    sleeper.wake()
    ended = asleep(sleeper, 5.0)
    clock.advance(4.0)
    assert not ended
    clock.advance(1.0)
    assert ended == ["awake"]


def test_cancelled(clock: Clock) -> None:
    """
    A sleep that is cancelled leaves no delayed call.
    """
    sleeper = InterruptibleSleep(clock)
    sleeping = Deferred.fromCoroutine(sleeper.sleep(3.0))
    sleeping.cancel()
    failures: list[object] = []
    sleeping.addErrback(lambda failure: failures.append(failure.trap(CancelledError)))
    assert failures == [CancelledError]
    assert clock.getDelayedCalls() == []

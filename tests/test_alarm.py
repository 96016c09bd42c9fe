"""
Tests for L{punch.alarm}.
"""

from __future__ import annotations

from twisted.internet.task import Clock

from punch.alarm import Alarm


def made() -> tuple[Clock, Alarm, list[str]]:
    """
    An alarm, and a list of what it has called.
    """
    clock = Clock()
    return clock, Alarm(clock), []


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

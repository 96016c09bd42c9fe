"""
Tests for L{punch.signaling.meetingpoint}.
"""

from __future__ import annotations

from unittest.mock import patch

import pytest

from punch.errors import WrongCode
from punch.signaling.code import parseCode
from punch.signaling.greeting import DialerGreeting
from punch.signaling.meetingpoint import NAME_GUESSES, NAME_REFILL, MeetingPoint
from punch.signaling.messages import Details

CODE = parseCode("7-orbit-lemon")
OURS, THEIRS = Details(b"o" * 32), Details(b"t" * 32)


def meets(meetingPoint: MeetingPoint, name: str, secret: bytes) -> bool:
    """
    Whether a dialer with a name and a secret completes a greeting.
    """
    listener, dialer = meetingPoint.greeting(), DialerGreeting(name, secret)
    answer = listener.answer(dialer.message, OURS)
    try:
        learned, last = dialer.answer(answer, THEIRS)
    except WrongCode:
        return False
    assert learned == OURS
    assert listener.finish(last) == THEIRS
    return True


def test_coded() -> None:
    """
    A code's meeting point has the code's number as its name, and one guess for ever.
    """
    meetingPoint = MeetingPoint.coded(CODE)
    assert (meetingPoint.name, meetingPoint.isLasting) == ("7", False)
    assert meets(meetingPoint, "7", CODE.secret)
    assert not meets(meetingPoint, "7", b"orbit-lemons")
    assert meetingPoint.guessLimit.takeToken(0.0)
    assert not meetingPoint.guessLimit.takeToken(1e9)
    meetingPoint.guessLimit.spendToken()
    assert meetingPoint.guessLimit.exhausted


def test_standing() -> None:
    """
    A standing name's meeting point has some guesses, which come back.
    """
    meetingPoint = MeetingPoint.standing("office", b"strong secret")
    assert (meetingPoint.name, meetingPoint.isLasting) == ("office", True)
    assert meets(meetingPoint, "office", b"strong secret")
    taken = [meetingPoint.guessLimit.takeToken(0.0) for _ in range(NAME_GUESSES + 1)]
    assert taken == [True] * NAME_GUESSES + [False]
    for _ in range(NAME_GUESSES):
        meetingPoint.guessLimit.spendToken()
    assert not meetingPoint.guessLimit.exhausted
    assert meetingPoint.guessLimit.takeToken(NAME_REFILL + 0.01)


@pytest.mark.parametrize("times", [2, 5])
def test_greetings(times: int) -> None:
    """
    Each dialer gets a greeting of its own.
    """
    meetingPoint = MeetingPoint.coded(CODE)
    greetings = [meetingPoint.greeting() for _ in range(times)]
    assert len(set(map(id, greetings))) == times
    dialer = DialerGreeting("7", CODE.secret)
    answers = {each.answer(dialer.message, OURS)[:33] for each in greetings}
    assert len(answers) == times


def test_prepared() -> None:
    """
    The next greeting is computed in advance, and not when it is asked for.
    """
    meetingPoint = MeetingPoint.coded(CODE)
    with patch("punch.signaling.meetingpoint.ListenerGreeting") as made:
        first = meetingPoint.greeting()
        assert not made.called
    meetingPoint.prepareGreeting()
    with patch("punch.signaling.meetingpoint.ListenerGreeting") as made:
        assert meetingPoint.greeting() is not first
        assert not made.called

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


def meets(place: MeetingPoint, name: str, secret: bytes) -> bool:
    """
    Whether a dialer with a name and a secret gets to meet who waits at a place.
    """
    listener, dialer = place.greeting(), DialerGreeting(name, secret)
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
    A code's place has its number for a name, and one guess for ever.
    """
    place = MeetingPoint.coded(CODE)
    assert (place.name, place.isLasting) == ("7", False)
    assert meets(place, "7", CODE.secret)
    assert not meets(place, "7", b"orbit-lemons")
    assert place.guessLimit.takeToken(0.0)
    assert not place.guessLimit.takeToken(1e9)
    place.guessLimit.spendToken()
    assert place.guessLimit.exhausted


def test_standing() -> None:
    """
    A standing name's place has some guesses, which come again.
    """
    place = MeetingPoint.standing("office", b"strong secret")
    assert (place.name, place.isLasting) == ("office", True)
    assert meets(place, "office", b"strong secret")
    taken = [place.guessLimit.takeToken(0.0) for _ in range(NAME_GUESSES + 1)]
    assert taken == [True] * NAME_GUESSES + [False]
    for _ in range(NAME_GUESSES):
        place.guessLimit.spendToken()
    assert not place.guessLimit.exhausted
    assert place.guessLimit.takeToken(NAME_REFILL + 0.01)


@pytest.mark.parametrize("times", [2, 5])
def test_greetings(times: int) -> None:
    """
    Each dialer gets a greeting of its own.
    """
    place = MeetingPoint.coded(CODE)
    greetings = [place.greeting() for _ in range(times)]
    assert len(set(map(id, greetings))) == times
    dialer = DialerGreeting("7", CODE.secret)
    answers = {each.answer(dialer.message, OURS)[:33] for each in greetings}
    assert len(answers) == times


def test_prepared() -> None:
    """
    The arithmetic of a greeting is done before it is wanted, and not while it is.
    """
    place = MeetingPoint.coded(CODE)
    with patch("punch.signaling.meetingpoint.ListenerGreeting") as made:
        first = place.greeting()
        assert not made.called
    place.prepareGreeting()
    with patch("punch.signaling.meetingpoint.ListenerGreeting") as made:
        assert place.greeting() is not first
        assert not made.called

"""
Tests for L{punch.signaling.guesslimit}.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from punch.signaling.guesslimit import GuessLimit

REFILL = 5.0


class _Guessing(RuleBasedStateMachine):
    """
    Strangers and friends that come, prove themselves, fail, or take their time.
    """

    allowed = 3
    refill = 0.0

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        self.guesses = GuessLimit(self.allowed, self.refill)
        self.now = 1000.0
        self.outstanding = 0
        self.spendToken = 0

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        """
        Time passes.
        """
        self.now += seconds

    @rule()
    def come(self) -> None:
        """
        Somebody wants an answer.
        """
        if self.guesses.takeToken(self.now):
            self.outstanding += 1

    @precondition(lambda self: self.outstanding)
    @rule(returnToken=st.booleans())
    def conclude(self, returnToken: bool) -> None:
        """
        Somebody proves to know the secret, or does not.
        """
        self.outstanding -= 1
        if returnToken:
            self.guesses.returnToken()
        else:
            self.spendToken += 1
            self.guesses.spendToken()

    @invariant()
    def bounded(self) -> None:
        """
        There are never more guesses than were allowed and have grown since.
        """
        grown = (self.now - 1000.0) / self.refill if self.refill else 0.0
        assert self.spendToken + self.outstanding <= self.allowed + grown + 1e-6
        assert self.outstanding <= self.allowed

    @invariant()
    def patient(self) -> None:
        """
        C{exhausted} is for ever, and then only.
        """
        dead = not self.refill and self.spendToken == self.allowed
        assert self.guesses.exhausted is dead


class _Refilled(_Guessing):
    allowed = 8
    refill = REFILL


TestFinite = _Guessing.TestCase
TestFinite.settings = settings(deadline=None, max_examples=60)
TestRefilled = _Refilled.TestCase
TestRefilled.settings = settings(deadline=None, max_examples=60)


def test_code() -> None:
    """
    A code: one wrong guess and it is dead.
    """
    guesses = GuessLimit(1)
    assert guesses.takeToken(0.0)
    assert not guesses.takeToken(0.0)
    assert not guesses.exhausted
    guesses.spendToken()
    assert guesses.exhausted
    assert not guesses.takeToken(1e9)


def test_right() -> None:
    """
    Who proves to know the secret gives the token back, again and again.
    """
    guesses = GuessLimit(1)
    for _ in range(10):
        assert guesses.takeToken(0.0)
        guesses.returnToken()
    assert not guesses.exhausted


def test_refill() -> None:
    """
    A lost token grows again in its time, and no more than were allowed.
    """
    guesses = GuessLimit(2, REFILL)
    for _ in range(2):
        assert guesses.takeToken(0.0)
        guesses.spendToken()
    assert not guesses.takeToken(4.9)
    assert guesses.takeToken(5.1)
    guesses.spendToken()
    assert [guesses.takeToken(1000.0) for _ in range(3)] == [True, True, False]


def test_aRightOneIsNoRefill() -> None:
    """
    While answers are outstanding their tokens do not grow.
    """
    guesses = GuessLimit(2, REFILL)
    assert guesses.takeToken(0.0)
    assert guesses.takeToken(0.0)
    assert not guesses.takeToken(1000.0)
    guesses.returnToken()
    assert [guesses.takeToken(1000.0) for _ in range(2)] == [True, False]


def test_nextAt() -> None:
    """
    One can ask when to come back.
    """
    guesses = GuessLimit(1, REFILL)
    assert guesses.nextAt(10.0) == 10.0
    assert guesses.takeToken(10.0)
    guesses.spendToken()
    assert guesses.nextAt(10.0) == 15.0
    assert guesses.nextAt(12.0) == pytest.approx(15.0)


def test_nextNever() -> None:
    """
    Without refill, only a token that comes back helps.
    """
    guesses = GuessLimit(1)
    assert guesses.takeToken(0.0)
    assert guesses.nextAt(0.0) is None


def test_nextOutstanding() -> None:
    """
    Nor does refill help while every token is outstanding.
    """
    guesses = GuessLimit(1, REFILL)
    assert guesses.takeToken(0.0)
    assert guesses.nextAt(0.0) is None


@given(
    st.floats(0, 1e9),
    st.floats(0.1, 100.0),
    st.lists(st.floats(0, 10.0), min_size=1, max_size=5),
)
def test_comingBack(now: float, refill: float, pauses: list[float]) -> None:
    """
    Who comes back when it was told gets a token, or is told a later instant: nobody
    is asked to come back now and sent away again.
    """
    guesses = GuessLimit(1, refill)
    assert guesses.takeToken(now)
    guesses.spendToken()
    later = now
    for pause in pauses:
        now += pause
        told = guesses.nextAt(now)
        assert told is not None
        later = told
    if not guesses.takeToken(later):
        told = guesses.nextAt(later)
        assert told is not None
        assert told > later

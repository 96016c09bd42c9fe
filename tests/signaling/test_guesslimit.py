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
    A guess limit, and peers that ask for answers, prove to know the secret, or do not.
    """

    allowed = 3
    refill = 0.0

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        self.limit = GuessLimit(self.allowed, self.refill)
        self.now = 1000.0
        self.outstanding = 0
        self.spent = 0

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.now += seconds

    @rule()
    def come(self) -> None:
        """
        A peer asks for an answer.
        """
        if self.limit.takeToken(self.now):
            self.outstanding += 1

    @precondition(lambda self: self.outstanding)
    @rule(isRight=st.booleans())
    def conclude(self, isRight: bool) -> None:
        """
        A peer proves to know the secret, or does not.
        """
        self.outstanding -= 1
        if isRight:
            self.limit.returnToken()
        else:
            self.spent += 1
            self.limit.spendToken()

    @invariant()
    def bounded(self) -> None:
        """
        There are never more guesses than were allowed and have come back since.
        """
        grown = (self.now - 1000.0) / self.refill if self.refill else 0.0
        assert self.spent + self.outstanding <= self.allowed + grown + 1e-6
        assert self.outstanding <= self.allowed

    @invariant()
    def patient(self) -> None:
        """
        The limit is exhausted exactly if no token can ever come back.
        """
        dead = not self.refill and self.spent == self.allowed
        assert self.limit.exhausted is dead


class _Refilled(_Guessing):
    allowed = 8
    refill = REFILL


TestFinite = _Guessing.TestCase
TestFinite.settings = settings(max_examples=60)
TestRefilled = _Refilled.TestCase
TestRefilled.settings = settings(max_examples=60)


def test_code() -> None:
    """
    After one wrong guess a code's limit is exhausted.
    """
    limit = GuessLimit(1)
    assert limit.takeToken(0.0)
    assert not limit.takeToken(0.0)
    assert not limit.exhausted
    limit.spendToken()
    assert limit.exhausted
    assert not limit.takeToken(1e9)


def test_right() -> None:
    """
    A peer that proves to know the secret returns its token, again and again.
    """
    limit = GuessLimit(1)
    for _ in range(10):
        assert limit.takeToken(0.0)
        limit.returnToken()
    assert not limit.exhausted


def test_refill() -> None:
    """
    A spent token comes back in its time, but never more than were allowed.
    """
    limit = GuessLimit(2, REFILL)
    for _ in range(2):
        assert limit.takeToken(0.0)
        limit.spendToken()
    assert not limit.takeToken(4.9)
    assert limit.takeToken(5.1)
    limit.spendToken()
    assert [limit.takeToken(1000.0) for _ in range(3)] == [True, True, False]


def test_aRightOneIsNoRefill() -> None:
    """
    While answers are outstanding their tokens do not come back.
    """
    limit = GuessLimit(2, REFILL)
    assert limit.takeToken(0.0)
    assert limit.takeToken(0.0)
    assert not limit.takeToken(1000.0)
    limit.returnToken()
    assert [limit.takeToken(1000.0) for _ in range(2)] == [True, False]


def test_nextAt() -> None:
    """
    The limit says when the next token will be there.
    """
    limit = GuessLimit(1, REFILL)
    assert limit.nextAt(10.0) == 10.0
    assert limit.takeToken(10.0)
    limit.spendToken()
    assert limit.nextAt(10.0) == 15.0
    assert limit.nextAt(12.0) == pytest.approx(15.0)


@pytest.mark.parametrize("refill", [0.0, REFILL], ids=["no refill", "refill"])
def test_nextOutstanding(refill: float) -> None:
    """
    While every token is outstanding there is no such time: one must be returned.
    """
    limit = GuessLimit(1, refill)
    assert limit.takeToken(0.0)
    assert limit.nextAt(0.0) is None


@given(
    st.floats(0, 1e9),
    st.floats(0.1, 100.0),
    st.lists(st.floats(0, 10.0), min_size=1, max_size=5),
)
def test_comingBack(now: float, refill: float, pauses: list[float]) -> None:
    """
    At the time that the limit gave there is a token, or the limit gives a later time:
    nobody who comes in time is told to come now again.
    """
    limit = GuessLimit(1, refill)
    assert limit.takeToken(now)
    limit.spendToken()
    later = now
    for pause in pauses:
        now += pause
        told = limit.nextAt(now)
        assert told is not None
        later = told
    if not limit.takeToken(later):
        told = limit.nextAt(later)
        assert told is not None
        assert told > later

"""
Tests for L{punch.yamux.roundtrip}.
"""

from __future__ import annotations

import pytest

from punch.errors import ProtocolViolation
from punch.yamux.roundtrip import PERIOD, RoundTrip


def measured(roundTrip: RoundTrip, start: float, lasted: float) -> None:
    """
    One ping and its answer.
    """
    roundTrip.moving(start)
    roundTrip.answered(roundTrip.ask(start), start + lasted)


def test_minimum() -> None:
    """
    The shortest counts.
    """
    roundTrip = RoundTrip()
    seen = []
    for n, lasted in enumerate([0.3, 0.1, 0.2]):
        measured(roundTrip, n * PERIOD, lasted)
        seen.append(roundTrip.minimum)
    assert seen == [pytest.approx(0.3), pytest.approx(0.1), pytest.approx(0.1)]


def test_clockThatWentBack() -> None:
    """
    No round trip is shorter than none.
    """
    roundTrip = RoundTrip()
    measured(roundTrip, 10.0, -1.0)
    assert roundTrip.minimum == 0.0


def test_seldom() -> None:
    """
    A ping is wanted only when windows move, once a period, and never while one
    waits for its answer.
    """
    roundTrip = RoundTrip()
    assert not roundTrip.wanted
    roundTrip.moving(0.0)
    assert roundTrip.wanted
    value = roundTrip.ask(1.0)
    roundTrip.moving(1.0 + 2 * PERIOD)
    assert not roundTrip.wanted
    roundTrip.answered(value, 2.0)
    roundTrip.moving(0.9 + PERIOD)
    assert not roundTrip.wanted
    roundTrip.moving(1.0 + PERIOD)
    assert roundTrip.wanted


def test_unasked() -> None:
    """
    An answer has to be the one that is waited for.
    """
    roundTrip = RoundTrip()
    with pytest.raises(ProtocolViolation, match="no ping"):
        roundTrip.answered(0, 0.0)
    value = roundTrip.ask(0.0)
    with pytest.raises(ProtocolViolation, match="no ping"):
        roundTrip.answered(value + 1, 0.0)
    roundTrip.answered(value, 0.0)
    with pytest.raises(ProtocolViolation, match="no ping"):
        roundTrip.answered(value, 0.0)

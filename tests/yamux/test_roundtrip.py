"""
Tests for L{punch.yamux.roundtrip}.
"""

from __future__ import annotations

import pytest

from punch.errors import ProtocolViolation
from punch.yamux.roundtrip import PERIOD, RoundTripMeter


def measured(roundTrip: RoundTripMeter, start: float, lasted: float) -> None:
    """
    Measure one ping and its answer.
    """
    roundTrip.windowMoved(start)
    roundTrip.pingAnswered(roundTrip.startPing(start), start + lasted)


def test_minimum() -> None:
    """
    The minimum is the shortest round trip so far.
    """
    roundTrip = RoundTripMeter()
    seen = []
    for n, lasted in enumerate([0.3, 0.1, 0.2]):
        measured(roundTrip, n * PERIOD, lasted)
        seen.append(roundTrip.minimum)
    assert seen == [pytest.approx(0.3), pytest.approx(0.1), pytest.approx(0.1)]


def test_clockWentBack() -> None:
    """
    If the clock goes back, the round trip is 0 and not less.
    """
    roundTrip = RoundTripMeter()
    measured(roundTrip, 10.0, -1.0)
    assert roundTrip.minimum == 0.0


def test_seldom() -> None:
    """
    A ping is wanted only when windows move, once a period, and never while one
    waits for its answer.
    """
    roundTrip = RoundTripMeter()
    assert not roundTrip.pingWanted
    roundTrip.windowMoved(0.0)
    assert roundTrip.pingWanted
    value = roundTrip.startPing(1.0)
    roundTrip.windowMoved(1.0 + 2 * PERIOD)
    assert not roundTrip.pingWanted
    roundTrip.pingAnswered(value, 2.0)
    roundTrip.windowMoved(0.9 + PERIOD)
    assert not roundTrip.pingWanted
    roundTrip.windowMoved(1.0 + PERIOD)
    assert roundTrip.pingWanted


def test_wrongAnswer() -> None:
    """
    An answer to no ping, or with another value, is a violation.
    """
    roundTrip = RoundTripMeter()
    with pytest.raises(ProtocolViolation, match="no ping"):
        roundTrip.pingAnswered(0, 0.0)
    value = roundTrip.startPing(0.0)
    with pytest.raises(ProtocolViolation, match="no ping"):
        roundTrip.pingAnswered(value + 1, 0.0)
    roundTrip.pingAnswered(value, 0.0)
    with pytest.raises(ProtocolViolation, match="no ping"):
        roundTrip.pingAnswered(value, 0.0)

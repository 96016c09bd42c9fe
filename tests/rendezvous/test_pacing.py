"""
Both sides start at one instant.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from punch.rendezvous.pacing import LONGEST, clamp, waits

roundTrips = st.floats(0, LONGEST)


@given(roundTrips, roundTrips)
def test_sameInstant(first: float, second: float) -> None:
    """
    Each hears after half its round trip, waits, and so starts with the other; the
    farther waits for nothing.
    """
    ours, theirs = waits(first, second)
    assert abs((first / 2 + ours) - (second / 2 + theirs)) < 1e-9
    assert min(ours, theirs) == 0


anything = st.none() | st.floats(allow_nan=False)


@given(anything, anything)
def test_bounded(first: float | None, second: float | None) -> None:
    """
    Whatever the round trips are said to be, nobody waits longer than a second.
    """
    assert all(0 <= wait <= LONGEST / 2 for wait in waits(first, second))


@given(st.none() | roundTrips)
def test_unknown(known: float | None) -> None:
    """
    With a round trip unknown, both start as soon as they hear.
    """
    assert waits(None, known) == waits(known, None) == (0, 0)


def test_clamp() -> None:
    """
    Round trips are brought within reason.
    """
    assert [clamp(-1), clamp(0.5), clamp(9)] == [0, 0.5, LONGEST]

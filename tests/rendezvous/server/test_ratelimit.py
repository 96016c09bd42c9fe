"""
What one splice may carry.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.rendezvous.relayerrors import RelayBytesSpent
from punch.rendezvous.server.ratelimit import BURST, SpliceBudget

RATE = 1000


def spend(budget: SpliceBudget, count: int, now: float) -> float:
    """
    Spend some, and say how long to rest.
    """
    budget.left -= count
    return budget.settle(now) if budget.left < 0 else 0.0


def test_all() -> None:
    """
    All of it may be spent, and not one byte more.
    """
    budget = SpliceBudget(100, 1_000_000, 0.0)
    assert spend(budget, 100, 0.0) == 0.0
    with pytest.raises(RelayBytesSpent, match=r"(?i)at most 100 bytes"):
        spend(budget, 1, 0.0)


@given(st.lists(st.integers(1, 100), max_size=50), st.integers(1, 2000))
def test_exactly(counts: list[int], most: int) -> None:
    """
    It ends with the byte that is one too many, however they come.
    """
    budget = SpliceBudget(most, RATE, 0.0)
    spent = 0
    for count in counts:
        spent += count
        if spent > most:
            with pytest.raises(RelayBytesSpent):
                spend(budget, count, 0.0)
            return
        spend(budget, count, 0.0)
        assert budget.spent == spent


def test_burst() -> None:
    """
    After a pause some may pass at once.
    """
    budget, passed = SpliceBudget(1 << 40, RATE, 0.0), 0
    while not spend(budget, 10, 5.0):
        passed += 10
    assert passed == pytest.approx(BURST * RATE, abs=60)


@pytest.mark.parametrize("piece", [1, 7, 64, 1000, 65_536])
@pytest.mark.parametrize("perSecond", [1, 1000, 125_000_000])
def test_rate(piece: int, perSecond: int) -> None:
    """
    Who rests as he is told gets the rate, besides the first burst.
    """
    budget, now, passed = SpliceBudget(1 << 60, perSecond, 0.0), 0.0, 0
    for _ in range(2000):
        now += spend(budget, piece, now)
        passed += piece
    # What is under way when the time is over counts for the next second.
    grain = (piece + perSecond * 0.05 + 1) / perSecond
    assert passed / perSecond <= now + BURST + 2 * grain
    if now:
        assert passed / perSecond >= now - grain


def test_slower() -> None:
    """
    Who is slower than the rate never rests.
    """
    budget = SpliceBudget(1 << 40, RATE, 0.0)
    assert all(spend(budget, 9, now / 100) == 0.0 for now in range(10_000))

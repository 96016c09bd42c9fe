"""
Tests for L{punch.rendezvous.server.ratelimit}.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.errors import TooFast, TooMany
from punch.rendezvous.relayerrors import RelayBytesSpent
from punch.rendezvous.server.ratelimit import BURST, KeyedQuota, KeyedRate, SpliceBudget

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
    A user that pauses as told gets the rate, besides the first burst.
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
    A user that is slower than the rate never pauses.
    """
    budget = SpliceBudget(1 << 40, RATE, 0.0)
    assert all(spend(budget, 9, now / 100) == 0.0 for now in range(10_000))


class TestQuota:
    """
    How many at a time.
    """

    def test_most(self) -> None:
        """
        A key takes as many as it may, another not the fewer for it.
        """
        quota = KeyedQuota(2, "things")
        assert [quota.acquire("a"), quota.acquire("a"), quota.acquire("b")] == [1, 2, 1]
        with pytest.raises(TooMany, match=r"(?i)at most 2 things"):
            quota.acquire("a")

    def test_give(self) -> None:
        """
        What was released can be acquired again.
        """
        quota = KeyedQuota(1, "things")
        quota.acquire("a")
        quota.release("a")
        assert quota.acquire("a") == 1


class TestRate:
    """
    How often.
    """

    def test_burst(self) -> None:
        """
        All that a minute allows may be spent at once, and no more.
        """
        rate = KeyedRate(10, "dials")
        for _ in range(10):
            rate.spend("a", 1000.0)
        with pytest.raises(TooFast, match=r"(?i)at most 10 dials a minute"):
            rate.spend("a", 1000.0)
        rate.spend("b", 1000.0)

    def test_recovers(self) -> None:
        """
        It comes back evenly.
        """
        rate = KeyedRate(10, "dials")
        for _ in range(10):
            rate.spend("a", 1000.0)
        rate.spend("a", 1006.0)
        with pytest.raises(TooFast):
            rate.spend("a", 1007.0)

    @pytest.mark.parametrize("perMinute", [1, 7, 60, 6000])
    def test_lasting(self, perMinute: int) -> None:
        """
        A key that asks all the time gets the rate, besides the first burst.
        """
        rate, granted = KeyedRate(perMinute, "dials"), 0
        for tick in range(0, 600_000, 5):
            try:
                rate.spend("a", tick / 1000)
            except TooFast:
                continue
            granted += 1
        assert abs(granted - 11 * perMinute) <= 1

    def test_forgets(self) -> None:
        """
        A key that has done nothing for a minute is forgotten.
        """
        rate = KeyedRate(2, "dials")
        rate.spend("a", 0.0)
        rate.spend("b", 0.0)
        rate.spend("b", 0.0)
        rate.expire(31.0)
        assert len(rate) == 1
        rate.expire(61.0)
        assert len(rate) == 0

"""
What one rendezvous bears.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from punch.errors import TooFast, TooMany
from punch.rendezvous.commands import MAXIMUM_MESSAGE, MAXIMUM_NAME
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.ratelimit import KeyedQuota, KeyedRate


def test_defaults() -> None:
    """
    By default a rendezvous bears the promised 10,000 publications, and messages and
    names as large as the protocol has them.
    """
    limits = Limits()
    assert limits.connections > 10_000
    assert limits.messageBytes == MAXIMUM_MESSAGE
    assert limits.nameBytes == MAXIMUM_NAME


def test_explained() -> None:
    """
    Every limit says what it limits.
    """
    assert all(each.metadata["meaning"] for each in fields(Limits))


def test_frozen() -> None:
    """
    Limits do not change.
    """
    with pytest.raises(FrozenInstanceError):
        Limits().connections = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", [each.name for each in fields(Limits)])
def test_positive(name: str) -> None:
    """
    No limit is zero.
    """
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        Limits(**{name: 0})


@pytest.mark.parametrize(
    ("name", "value"), [("messageBytes", 60_001), ("nameBytes", 256)]
)
def test_carried(name: str, value: int) -> None:
    """
    No limit is beyond what a box carries.
    """
    with pytest.raises(ValueError, match=f"{name} must be at most"):
        Limits(**{name: value})


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
        What was given back can be taken again.
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
        Who asks all the time gets what the rate says, besides the first burst.
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
        Who has done nothing for a minute is forgotten.
        """
        rate = KeyedRate(2, "dials")
        rate.spend("a", 0.0)
        rate.spend("b", 0.0)
        rate.spend("b", 0.0)
        rate.expire(31.0)
        assert len(rate) == 1
        rate.expire(61.0)
        assert len(rate) == 0

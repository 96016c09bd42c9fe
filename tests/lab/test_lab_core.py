"""
Tests of L{tests.lab.core}.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .core import Core, Leg
from .packet import source
from .packets import packet


def core(loss: float = 0.0, chance: Callable[[], float] = lambda: 0.5) -> Core:
    """
    A core four hops wide between A (20 ms away) and B (30 ms away).
    """
    legs = [
        Leg("a", "198.51.100.1", 0.02, loss),
        Leg("b", "203.0.113.1", 0.03, loss),
    ]
    return Core(legs, 4, chance)


def test_delivery() -> None:
    """
    A packet arrives after both legs' latencies, four hops older.
    """
    delivery = core().carry("a", packet(64), 100.0)
    assert delivery is not None
    assert delivery.due == pytest.approx(100.05)
    assert delivery[1:] == ("b", packet(60))


def test_foreignSource() -> None:
    """
    What has not its sender's public address as its source goes nowhere.
    """
    assert core().carry("b", packet(), 0.0) is None


def test_nobodyThere() -> None:
    """
    What goes to an address that no party has goes nowhere.
    """
    alone = Core([Leg("a", "198.51.100.1", 0.02)], 4)
    assert alone.carry("a", packet(), 0.0) is None


def test_blocked() -> None:
    """
    Between two legs that are blocked nothing passes, in either direction.
    """
    blocked = core()
    blocked.blocked = {frozenset(("b", "a"))}
    assert blocked.carry("a", packet(), 0.0) is None
    blocked.blocked = {frozenset(("a", "rendezvous"))}
    assert blocked.carry("a", packet(), 0.0) is not None


def test_change() -> None:
    """
    A party that has another address is found there, and no more at the old one.
    """
    changed = core()
    changed.change("a", address="198.51.100.2")
    assert changed.carry("a", packet(), 0.0) is None
    changed.change("a", address="198.51.100.1", latency=0.5)
    delivery = changed.carry("a", packet(), 100.0)
    assert delivery is not None
    assert delivery.due == pytest.approx(100.53)


def test_nobodysSix() -> None:
    """
    IPv6 is not carried where no leg has a network of it.
    """
    assert core().carry("a", b"\x60" + bytes(39), 0.0) is None


def test_timeExceeded() -> None:
    """
    What ran out of time to live is answered by the core, one leg away.
    """
    delivery = core().carry("a", packet(4), 100.0)
    assert delivery is not None
    assert delivery.due == pytest.approx(100.04)
    assert delivery.leg == "a"
    assert source(delivery.packet) == bytes((192, 0, 2, 254))


@pytest.mark.parametrize(
    ("throws", "arrives"),
    [([0.05, 0.05], True), ([0.04], False), ([0.05, 0.04], False)],
)
def test_loss(throws: list[float], arrives: bool) -> None:
    """
    With 5 % loss a packet survives when the dice spare it on both legs.
    """
    dice = iter(throws)
    delivery = core(0.05, lambda: next(dice)).carry("a", packet(), 0.0)
    assert (delivery is not None) is arrives
    assert next(dice, None) is None

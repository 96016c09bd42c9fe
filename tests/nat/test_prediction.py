"""
Tests for L{punch.nat.prediction}.
"""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.nat.behavior import Allocation, Mapping, ObservedBehavior
from punch.nat.prediction import (
    MAX_WINDOW,
    RUN_LENGTH,
    WINDOW,
    Strategy,
    portsAfter,
    portsAfterSkipping,
    portsAround,
    shuffledPorts,
    strategyFor,
)

KEEPS = ObservedBehavior(Mapping.ENDPOINT_INDEPENDENT)
NEXT = ObservedBehavior(Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.SEQUENTIAL, 2)
ANY = ObservedBehavior(Mapping.ADDRESS_DEPENDENT, Allocation.RANDOM)


@pytest.mark.parametrize(
    ("own", "other", "strategy"),
    [
        (KEEPS, KEEPS, Strategy.NONE),
        (KEEPS, NEXT, Strategy.NONE),
        (NEXT, KEEPS, Strategy.PREDICT),
        (NEXT, NEXT, Strategy.PREDICT_NEXT),
        (KEEPS, ANY, Strategy.SEARCH_TO_MANY),
        (ANY, KEEPS, Strategy.SEARCH_FROM_MANY),
        (ANY, ANY, Strategy.NONE),
        (ANY, NEXT, Strategy.NONE),
        (NEXT, ANY, Strategy.PREDICT),
        (None, ANY, Strategy.NONE),
        (ANY, None, Strategy.NONE),
    ],
)
def test_strategies(
    own: ObservedBehavior, other: ObservedBehavior, strategy: Strategy
) -> None:
    """
    Each pair of behaviors has its strategy.
    """
    assert strategyFor(own, other) is strategy


def test_partners() -> None:
    """
    One side searches to many ports exactly if the other searches from many.
    """
    for own, other in product((KEEPS, NEXT, ANY, None), repeat=2):
        assert (strategyFor(own, other) is Strategy.SEARCH_TO_MANY) is (
            strategyFor(other, own) is Strategy.SEARCH_FROM_MANY
        )


def test_around() -> None:
    """
    The ports near one are those before and after it, the nearest first.
    """
    ports = portsAround(NEXT, 5000, 0)
    assert ports[:4] == [4998, 5002, 4996, 5004]
    assert len(ports) == 2 * WINDOW


def test_following() -> None:
    """
    The ports that are next come in their order.
    """
    assert portsAfter(NEXT, 5000, 0)[:3] == [5002, 5004, 5006]


def test_skipping() -> None:
    """
    The same ports with one left out after each two.
    """
    assert portsAfterSkipping(NEXT, 5000, 0)[:5] == [5002, 5004, 5008, 5010, 5014]


@given(st.integers(0, 99))
def test_widens(foreignMappings: int) -> None:
    """
    The more ports others take the more are tried, up to a bound.
    """
    widest = min(2 * WINDOW + 2 * foreignMappings, 2 * MAX_WINDOW)
    assert len(portsAround(NEXT, 5000, foreignMappings)) == widest
    for each in (portsAfter, portsAfterSkipping):
        assert len(each(NEXT, 5000, foreignMappings)) == min(
            2 * WINDOW + foreignMappings, 2 * MAX_WINDOW
        )


@given(st.integers(0, 7), st.integers(0, 7))
def test_meeting(ours: int, theirs: int) -> None:
    """
    However many ports others have taken before each side's connects, these and the
    other side's meet, as far as the connects reach.
    """
    one = ObservedBehavior(NEXT.mapping, Allocation.SEQUENTIAL, 1)
    targets = portsAfterSkipping(one, 5000, 8), portsAfter(one, 6000, 8)
    # The listener's ports are near 5000, the dialer's near 6000.
    dials = {(6001 + theirs + n, port) for n, port in enumerate(targets[0])}
    listens = {(port, 5001 + ours + n) for n, port in enumerate(targets[1])}
    reach = RUN_LENGTH * (ours + theirs) + max(ours, theirs) < len(targets[0])
    assert bool(dials & listens) or not reach


@pytest.mark.parametrize("port", [1, 65535])
def test_edges(port: int) -> None:
    """
    Numbers that are not ports are left out.
    """
    for each in (*portsAround(NEXT, port, 9), *portsAfterSkipping(NEXT, port, 9)):
        assert 0 < each < 65536


def test_shuffledPorts() -> None:
    """
    Each port comes once, in random order.
    """
    ports = list(shuffledPorts((1000, 1999), Random(1)))
    assert sorted(ports) == list(range(1000, 2000))
    assert ports != sorted(ports)

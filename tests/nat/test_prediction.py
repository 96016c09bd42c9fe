"""
Tests for L{punch.nat.prediction}.
"""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.nat.behavior import Allocation, Mapping, Translation
from punch.nat.prediction import (
    ALIKE,
    WIDEST,
    WINDOW,
    Part,
    around,
    following,
    partOf,
    shuffledPorts,
    skipping,
)

KEEPS = Translation(Mapping.ENDPOINT_INDEPENDENT)
NEXT = Translation(Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.SEQUENTIAL, 2)
ANY = Translation(Mapping.ADDRESS_DEPENDENT, Allocation.RANDOM)


@pytest.mark.parametrize(
    ("own", "other", "part"),
    [
        (KEEPS, KEEPS, Part.REST),
        (KEEPS, NEXT, Part.REST),
        (NEXT, KEEPS, Part.PREDICT),
        (NEXT, NEXT, Part.PREDICT_NEXT),
        (KEEPS, ANY, Part.GUESS),
        (ANY, KEEPS, Part.SPREAD),
        (ANY, ANY, Part.REST),
        (ANY, NEXT, Part.REST),
        (NEXT, ANY, Part.PREDICT),
        (None, ANY, Part.REST),
        (ANY, None, Part.REST),
    ],
)
def test_parts(own: Translation, other: Translation, part: Part) -> None:
    """
    Each has a part, if there is a way.
    """
    assert partOf(own, other) is part


def test_partners() -> None:
    """
    Nobody guesses where nobody spreads, and the other way round.
    """
    for own, other in product((KEEPS, NEXT, ANY, None), repeat=2):
        assert (partOf(own, other) is Part.GUESS) is (partOf(other, own) is Part.SPREAD)


def test_around() -> None:
    """
    The ports near one are those before and after it, the nearest first.
    """
    ports = around(NEXT, 5000, 0)
    assert ports[:4] == [4998, 5002, 4996, 5004]
    assert len(ports) == 2 * WINDOW


def test_following() -> None:
    """
    The ports that are next come in their order.
    """
    assert following(NEXT, 5000, 0)[:3] == [5002, 5004, 5006]


def test_skipping() -> None:
    """
    The same with a port left out after each two.
    """
    assert skipping(NEXT, 5000, 0)[:5] == [5002, 5004, 5008, 5010, 5014]


@given(st.integers(0, 99))
def test_widens(strays: int) -> None:
    """
    The more ports others take the more are tried, up to a bound.
    """
    widest = min(2 * WINDOW + 2 * strays, 2 * WIDEST)
    assert len(around(NEXT, 5000, strays)) == widest
    for each in (following, skipping):
        assert len(each(NEXT, 5000, strays)) == min(2 * WINDOW + strays, 2 * WIDEST)


@given(st.integers(0, 7), st.integers(0, 7))
def test_meeting(ours: int, theirs: int) -> None:
    """
    However many ports others have taken before each side's connects, these and the
    other side's meet, as far as the connects reach.
    """
    one = Translation(NEXT.mapping, Allocation.SEQUENTIAL, 1)
    targets = skipping(one, 5000, 8), following(one, 6000, 8)
    # The listener's ports are near 5000, the dialer's near 6000.
    dials = {(6001 + theirs + n, port) for n, port in enumerate(targets[0])}
    listens = {(port, 5001 + ours + n) for n, port in enumerate(targets[1])}
    reach = ALIKE * (ours + theirs) + max(ours, theirs) < len(targets[0])
    assert bool(dials & listens) or not reach


@pytest.mark.parametrize("port", [1, 65535])
def test_edges(port: int) -> None:
    """
    What is no port is not tried.
    """
    for each in (*around(NEXT, port, 9), *skipping(NEXT, port, 9)):
        assert 0 < each < 65536


def test_drawn() -> None:
    """
    Each port is drawn once, in an order that chance makes.
    """
    ports = list(shuffledPorts((1000, 1999), Random(1)))
    assert sorted(ports) == list(range(1000, 2000))
    assert ports != sorted(ports)

"""
Tests for L{punch.strategy}.
"""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from punch.strategy import WINDOW, Part, around, drawn, following, partOf
from punch.translation import Allocation, Mapping, Translation

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
    ports = around(NEXT, 5000)
    assert ports[:4] == [4998, 5002, 4996, 5004]
    assert len(ports) == 2 * WINDOW


def test_following() -> None:
    """
    The ports that are next come in their order.
    """
    assert following(NEXT, 5000)[:3] == [5002, 5004, 5006]


@pytest.mark.parametrize("port", [1, 65535])
def test_edges(port: int) -> None:
    """
    What is no port is not tried.
    """
    for each in (*around(NEXT, port), *following(NEXT, port)):
        assert 0 < each < 65536


def test_drawn() -> None:
    """
    Each port is drawn once, in an order that chance makes.
    """
    ports = list(drawn((1000, 1999), Random(1)))
    assert sorted(ports) == list(range(1000, 2000))
    assert ports != sorted(ports)

"""
Tests of L{tests.lab.mixture}.
"""

from __future__ import annotations

from collections import Counter

import pytest

from . import sides
from .mixture import MIXTURES, P2005, P2025, Mixture


@pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)
def test_whole(mixture: Mixture) -> None:
    """
    The weights are of all sides that there are, and make a hundred.
    """
    known = {"P-2025": sides.P2025, "P-2005": sides.P2005}[mixture.name]
    assert set(mixture.weights) == set(known)
    assert sum(mixture.weights.values()) == pytest.approx(100)


def test_product() -> None:
    """
    2005's weights are the product of four.
    """
    assert P2005.weights["ei/apd/drop/so"] == pytest.approx(
        100 * 0.701 * 0.819 * 0.87 * 0.864
    )
    assert P2005.weights["random/ei/rst/noso"] == pytest.approx(
        100 * 0.064 * 0.058 * 0.13 * 0.136
    )


def test_frequencies() -> None:
    """
    What is drawn is as common as its weight says, on either side.
    """
    pairs = [P2025.pair("seed", index) for index in range(4000)]
    for drawn in [p.listener for p in pairs], [p.dialer for p in pairs]:
        counts = Counter(drawn)
        for name, weight in P2025.weights.items():
            assert counts[name] / 40 == pytest.approx(weight, abs=3)


def test_again() -> None:
    """
    A pair depends on the seed and its index, and on nothing else.
    """
    pairs = [P2025.pair("one", index) for index in range(50)]
    assert P2025.pair("one", 37) == pairs[37]
    assert [P2025.pair("two", index) for index in range(50)] != pairs
    assert len({pair.seed for pair in pairs}) == 50

"""
Tests of the figures of lost segments.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.support.whole.world import T

from .loss import atBest, dial, dialByOnePort, main, race


def test_nothingLost() -> None:
    """
    Where nothing is lost, a dial takes four round trips, two of them for the race.
    """
    assert dial(0.0, 1) == pytest.approx(4 * T, abs=0.001)
    assert dialByOnePort(0.0, 1) == pytest.approx(4 * T, abs=0.001)
    assert race(0.0, 1) == pytest.approx(2 * T, abs=0.001)


def test_secondPort() -> None:
    """
    Where packets are lost it saves dials the second after which a SYN is sent again.
    """
    both = [(dial(0.05, seed), dialByOnePort(0.05, seed)) for seed in range(100)]
    slow = [sum(each[which] > 1.0 for each in both) for which in range(2)]
    assert slow[0] < slow[1]
    assert sum(two for two, _ in both) < sum(one for _, one in both)


def test_atBest() -> None:
    """
    Another race helps as far as it is there sooner.
    """
    assert atBest([0.2, 0.2], Random(1)) == [0.2, 0.2]
    assert atBest([1.2] * 3, Random(1)) == [1.2] * 3
    assert set(atBest([0.1, 1.2] * 20, Random(1))) == {0.1, 0.4, 1.2}


def test_table() -> None:
    """
    Four rows for each loss, below a headline.
    """
    rows: list[str] = []
    main(1, rows.append)
    assert len(rows) == 13
    assert all("second port" in row for row in rows[2::2])

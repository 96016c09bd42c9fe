"""
Tests for L{tests.bench.table} and L{tests.bench.aims}.
"""

from __future__ import annotations

import pytest

from tests.bench.aims import Aim
from tests.bench.figures import percentile
from tests.bench.table import Column, Table

BOTH = "up", "down"


@pytest.fixture(name="table")
def _table() -> Table:
    table = Table()
    for up in (90.0, 1000.0, 100.0):
        table.add("punch", {"up": up, "down": 300.0})
    table.add("tls", {"up": 200.0, "down": 200.0})
    return table


def test_median(table: Table) -> None:
    """
    One sample that is far off changes nothing.
    """
    assert table.cell("punch", "up") == 100.0


def test_ratio(table: Table) -> None:
    """
    Ours to theirs; none, where one is missing.
    """
    assert table.ratio("down", "tls") == 1.5
    assert table.ratio("down", "ssh") is None


def test_lines(table: Table) -> None:
    """
    Head, routes, ratios; what was not measured is a dash.
    """
    columns = [Column("up", "MB/s"), Column("down", "MB/s", 1)]
    assert table.lines(["tls", "ssh", "punch"], columns) == [
        "               up   down",
        "             MB/s   MB/s",
        "tls           200  200.0",
        "ssh             -      -",
        "punch         100  300.0",
        "punch / tls  0.50   1.50",
    ]


def test_least(table: Table) -> None:
    """
    The slower direction is to reach the bound.
    """
    aim = Aim("bulk", BOTH, 0.5, least=True, route="tls")
    assert aim.line(table) == "met           bulk: 0.50"
    aim = Aim("bulk", BOTH, 0.51, least=True, route="tls")
    assert aim.line(table) == "NOT MET       bulk: 0.50"


def test_most(table: Table) -> None:
    """
    The larger figure is to stay within the bound.
    """
    assert Aim("size", BOTH, 300.0).line(table) == "met           size: 300.00"
    assert Aim("size", BOTH, 299.0).line(table) == "NOT MET       size: 300.00"


def test_missing(table: Table) -> None:
    """
    Half of the figures tell nothing.
    """
    aim = Aim("bulk", ("up", "sideways"), 1.0)
    assert aim.line(table) == "not measured  bulk"


def test_percentile() -> None:
    """
    Of times in seconds, in milliseconds.
    """
    times = [each / 1000 for each in range(101)]
    assert percentile(times, 50) == pytest.approx(50.0)
    assert percentile(times, 99) == pytest.approx(99.0)

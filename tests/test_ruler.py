"""
Tests for L{punch.ruler}.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.ruler import Ruler

NAMES = {
    0.0005: ["0 ms", "0.1 ms", "0.2 ms"],
    0.030: ["0 ms", "5 ms", "10 ms"],
    0.4: ["0 ms", "50 ms", "100 ms"],
    30.0: ["0 s", "5 s", "10 s"],
}


@pytest.mark.parametrize("until", NAMES)
def test_names(until: float) -> None:
    """
    Round times are marked, in milliseconds or seconds.
    """
    ticks = Ruler(until, 0.0, 100.0).ticks()
    assert [name for _, name in ticks][:3] == NAMES[until]


@given(st.floats(1e-3, 1e10), st.floats(0, 1e10))
def test_inside(until: float, at: float) -> None:
    """
    All lies between the ends, and not many times are marked.
    """
    ruler = Ruler(until, 10.0, 20.0)
    assert 10.0 <= ruler.x(at) <= 20.0
    ticks = ruler.ticks()
    assert 2 <= len(ticks) <= 10
    assert all(ruler.shows(each) for each, _ in ticks[:-1])


def test_ends() -> None:
    """
    The beginning is on the left, the end on the right.
    """
    ruler = Ruler(2.0, 10.0, 20.0)
    assert (ruler.x(0.0), ruler.x(1.0), ruler.x(2.0)) == (10.0, 15.0, 20.0)
    assert not ruler.shows(2.1)

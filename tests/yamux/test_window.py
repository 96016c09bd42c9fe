"""
Tests for L{punch.yamux.window}.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.errors import Bug
from punch.yamux.limits import SessionLimits
from punch.yamux.window import (
    INITIAL_WINDOW,
    SHORTEST_ROUND_TRIP,
    GrowthBudget,
    ReceiveWindow,
)

HALF = INITIAL_WINDOW // 2
CAP = 16 * INITIAL_WINDOW


def opened(growth: int = 64 * INITIAL_WINDOW) -> ReceiveWindow:
    """
    A new window.
    """
    return ReceiveWindow(CAP, GrowthBudget(growth))


def moved(
    window: ReceiveWindow, count: int, now: float, roundTrip: float | None = None
) -> int:
    """
    C{count} bytes arrive and are consumed at once; what is granted.
    """
    window.credit -= count
    return window.consume(count, now, roundTrip)


def windows(window: ReceiveWindow, pace: float, roundTrip: float | None) -> list[int]:
    """
    The sizes after each of eight windows, each consumed by halves in C{pace}
    seconds.
    """
    sizes, now = [], 100.0
    window.consume(0, now, roundTrip)
    for _ in range(8):
        half = window.size // 2
        for _ in range(2):
            now += pace / 2
            moved(window, half, now, roundTrip)
        sizes.append(window.size // INITIAL_WINDOW)
    return sizes


@pytest.mark.parametrize(
    ("counts", "grants"),
    [
        ([HALF], [HALF]),
        ([HALF - 1, 1], [0, HALF]),
        ([HALF - 1, 2], [0, HALF + 1]),
        ([1, INITIAL_WINDOW - 1], [0, INITIAL_WINDOW]),
        ([HALF, HALF - 1, HALF], [HALF, 0, INITIAL_WINDOW - 1]),
    ],
)
def test_updates(counts: list[int], grants: list[int]) -> None:
    """
    An update is due when at least half of the window was consumed, and gives
    back just that.
    """
    window = opened()
    assert [moved(window, count, 0.0) for count in counts] == grants


@pytest.mark.parametrize(
    ("pace", "roundTrip", "sizes"),
    [
        pytest.param(0.11, 0.1, [2, 4, 8, 16, 16, 16, 16, 16], id="bound"),
        pytest.param(0.31, 0.1, [1] * 8, id="wide enough"),
        pytest.param(0.01, None, [1] * 8, id="no round trip known"),
        pytest.param(
            SHORTEST_ROUND_TRIP, 0.0, [2, 4, 8, 16, 16, 16, 16, 16], id="busy machine"
        ),
        pytest.param(SHORTEST_ROUND_TRIP * 3.1, 0.0, [1] * 8, id="slower than that"),
    ],
)
def test_growth(pace: float, roundTrip: float | None, sizes: list[int]) -> None:
    """
    The window doubles, up to the cap, as long as a whole one is consumed in less
    than three round trips.
    """
    assert windows(opened(), pace, roundTrip) == sizes


@pytest.mark.parametrize("bandwidth", [1e6, 5e6, 15e6])
def test_settles(bandwidth: float) -> None:
    """
    On a path of this many bytes a second and 100 ms, it settles at three to six
    times their product, or the least.
    """
    window, now = opened(), 0.0
    window.consume(0, now, 0.1)
    for _ in range(40):
        half = window.size // 2
        now += half / min(bandwidth, window.size / 0.1)
        moved(window, half, now, 0.1)
    product = bandwidth * 0.1
    assert window.size >= min(3 * product, 4 << 20)
    assert window.size <= max(6 * product, INITIAL_WINDOW)


def test_afterAPause() -> None:
    """
    A pause does not count as slowness for long: after the next half the pace is
    measured anew.
    """
    window = opened()
    moved(window, HALF, 0.0, 0.1)
    moved(window, HALF, 60.0, 0.1)
    moved(window, HALF, 60.05, 0.1)
    assert window.size == INITIAL_WINDOW
    assert moved(window, HALF, 60.1, 0.1) == HALF + INITIAL_WINDOW
    assert window.size == 2 * INITIAL_WINDOW


def test_sharedGrowth() -> None:
    """
    All windows together grow by no more than was allowed, and a closed one
    leaves its part to the others.
    """
    growth = GrowthBudget(5 * INITIAL_WINDOW)
    first, second = (ReceiveWindow(CAP, growth) for _ in range(2))
    windows(first, 0.01, 0.1)
    windows(second, 0.01, 0.1)
    assert [first.size, second.size] == [6 * INITIAL_WINDOW, INITIAL_WINDOW]
    first.close()
    windows(second, 0.01, 0.1)
    assert second.size == 6 * INITIAL_WINDOW
    second.close()
    assert growth.left == 5 * INITIAL_WINDOW


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.2)), max_size=60
    ),
    st.none() | st.floats(0, 1),
)
def test_adds(steps: list[tuple[float, float, float]], roundTrip: float | None) -> None:
    """
    Whatever arrives and is consumed when: what the peer may send and what we
    hold are never more than the window, the window never more than its bounds,
    and a peer without credit always gets some when all is consumed.
    """
    growth = GrowthBudget(3 * INITIAL_WINDOW)
    window, held, now = ReceiveWindow(CAP, growth), 0, 0.0
    for arriving, consumed, passed in steps:
        count = int(arriving * window.credit)
        window.credit -= count
        held += count
        now += passed
        count = int(consumed * held)
        held -= count
        window.consume(count, now, roundTrip)
        assert window.credit + held <= window.size <= CAP
        assert window.size - INITIAL_WINDOW + growth.left == 3 * INITIAL_WINDOW
    window.consume(held, now, roundTrip)
    assert window.credit > window.size // 2


@pytest.mark.parametrize("count", [1, INITIAL_WINDOW, -1])
def test_consumedTooMuch(count: int) -> None:
    """
    What has not arrived cannot be consumed.
    """
    with pytest.raises(Bug):
        opened().consume(count, 0.0, None)


def test_limits() -> None:
    """
    No limit can take from the window that every stream has from the start.
    """
    assert SessionLimits(window=INITIAL_WINDOW).window == INITIAL_WINDOW
    with pytest.raises(ValueError, match="262143"):
        SessionLimits(window=INITIAL_WINDOW - 1)

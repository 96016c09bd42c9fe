"""
Tests for L{punch.trace.model}.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from punch.errors import BadOption
from punch.trace.model import couples, merged
from tests.support.traces import ANSWERED, DIRECT, traceOf

DIALERS = traceOf(DIRECT)
LISTENERS = traceOf(ANSWERED, "listener", began=2e9)


def test_later() -> None:
    """
    All times of a trace move alike, and so does its beginning.
    """
    later = DIALERS.later(1.0)
    assert later.start == pytest.approx(1.17)
    assert later.won == pytest.approx(1.33)
    assert later.length == pytest.approx(1.41)
    assert later.began == DIALERS.began - 1.0
    assert later.lanes[0].spans[1].start == pytest.approx(1.08)
    assert later.lanes[2].stages[0].end == pytest.approx(1.33)
    [mark] = later.lanes[2].marks
    assert mark.at == pytest.approx(1.33)
    assert later.later(-1.0).lanes[0].title == DIALERS.lanes[0].title


def test_laterWithoutInstants() -> None:
    """
    Instants that a trace does not have are not made up.
    """
    later = replace(DIALERS, start=None, won=None).later(1.0)
    assert (later.start, later.won) == (None, None)


@pytest.mark.parametrize("isSwapped", [False, True])
def test_merged(isSwapped: bool) -> None:
    """
    The two sides have the agreed instant in common, whatever their clocks say; the
    dialer's trace is the first.
    """
    both = (LISTENERS, DIALERS) if isSwapped else (DIALERS, LISTENERS)
    first, second = merged(*both)
    assert (first.role, second.role) == ("dialer", "listener")
    assert first == DIALERS
    assert second.start == pytest.approx(first.start)
    assert second.lanes[0].marks[0].at == pytest.approx(0.17)


def test_mergedListenersFirst() -> None:
    """
    If the listener was first, its axis begins earlier, and the dialer's is moved.
    """
    first, second = merged(DIALERS, LISTENERS.later(5.0))
    assert first.start == pytest.approx(second.start)
    assert first.lanes[0].spans[0].start == pytest.approx(4.83)


WRONG = {
    "different meetings": replace(LISTENERS, introduction="cd34"),
    "both traces are the dialer's": replace(LISTENERS, role="dialer"),
    "do not say when": replace(LISTENERS, start=None),
}


@pytest.mark.parametrize("why", WRONG)
def test_notMerged(why: str) -> None:
    """
    Traces that are not the two sides of one meeting are not merged.
    """
    with pytest.raises(BadOption, match=why):
        merged(DIALERS, WRONG[why])


def test_notMet() -> None:
    """
    Traces without an introduction are not of one meeting.
    """
    lone = replace(DIALERS, introduction="")
    with pytest.raises(BadOption):
        merged(lone, replace(LISTENERS, introduction=""))
    assert list(couples([lone], [replace(LISTENERS, introduction="")])) == []


def test_couples() -> None:
    """
    Of many meetings those are found that are in both lists.
    """
    others = [replace(LISTENERS, introduction=each) for each in ("1", "2")]
    found = couples([DIALERS, replace(DIALERS, introduction="3")], [*others, LISTENERS])
    assert list(found) == [merged(DIALERS, LISTENERS)]

"""
Tests for L{punch.nat.verdict} and L{punch.nat.errors}.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.nat import errors
from punch.nat.behavior import Allocation, Mapping, ObservedBehavior
from punch.nat.errors import NoDirectPath
from punch.nat.verdict import AttemptReport, BadReport, verdictFor
from tests.support.strategies import jsons, reports

KEEPS = ObservedBehavior(Mapping.ENDPOINT_INDEPENDENT)
NEXT = ObservedBehavior(Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.SEQUENTIAL, 1)
ANY = ObservedBehavior(Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.RANDOM)
SILENT = frozenset({"timed out"})
REFUSED = frozenset({"refused"})
NO_ROUTE = frozenset({"unreachable"})

LONG_KEEPS = AttemptReport(KEEPS, SILENT, isThorough=True)
LONG_NEXT = AttemptReport(NEXT, SILENT, isThorough=True)
LONG_ANY = AttemptReport(ANY, SILENT, isThorough=True)


def dark(outcomes: frozenset[str]) -> AttemptReport:
    """
    The account of one that came to the rendezvous, and to none of its other vantages.
    """
    return AttemptReport(None, outcomes, isBlocked=True)


@pytest.mark.parametrize(
    ("listener", "dialer", "verdict"),
    [
        (AttemptReport(ANY), AttemptReport(ANY), "both-random-mapping"),
        (AttemptReport(ANY), AttemptReport(NEXT), "random-against-sequential"),
        (AttemptReport(NEXT), AttemptReport(ANY), "random-against-sequential"),
        (AttemptReport(ANY), AttemptReport(KEEPS), "search-failed"),
        (AttemptReport(KEEPS), AttemptReport(ANY, maySearch=False), "no-search"),
        (AttemptReport(KEEPS, maySearch=False), AttemptReport(ANY), "no-search"),
        (AttemptReport(NEXT), AttemptReport(KEEPS), "prediction-failed"),
        (AttemptReport(NEXT), AttemptReport(NEXT), "prediction-failed"),
        (
            AttemptReport(KEEPS, SILENT),
            AttemptReport(KEEPS, SILENT),
            "no-simultaneous-open",
        ),
        (AttemptReport(KEEPS), AttemptReport(KEEPS), "no-simultaneous-open"),
        (LONG_ANY, LONG_KEEPS, "no-simultaneous-open"),
        (LONG_NEXT, LONG_KEEPS, "no-simultaneous-open"),
        (LONG_NEXT, AttemptReport(KEEPS, SILENT), "prediction-failed"),
        (LONG_NEXT, AttemptReport(KEEPS, REFUSED, True, True), "prediction-failed"),
        (LONG_ANY, AttemptReport(KEEPS, SILENT, False, True), "no-search"),
        (AttemptReport(KEEPS, REFUSED), AttemptReport(KEEPS, SILENT), None),
        (AttemptReport(KEEPS, frozenset({"connected"})), AttemptReport(KEEPS), None),
        (dark(REFUSED), AttemptReport(KEEPS, SILENT), "listener-blocks-outbound"),
        (dark(SILENT), AttemptReport(KEEPS, SILENT), "listener-blocks-outbound"),
        (AttemptReport(ANY), dark(REFUSED), "dialer-blocks-outbound"),
        (AttemptReport(None, REFUSED), AttemptReport(KEEPS, SILENT), None),
        (dark(REFUSED), dark(REFUSED), None),
        (dark(frozenset({"connected"})), AttemptReport(KEEPS), None),
        (dark(frozenset()), AttemptReport(KEEPS), None),
        (AttemptReport(ANY, NO_ROUTE), AttemptReport(KEEPS, NO_ROUTE), None),
        (dark(NO_ROUTE), AttemptReport(KEEPS, NO_ROUTE), None),
        (AttemptReport(ANY, NO_ROUTE), AttemptReport(KEEPS, SILENT), "search-failed"),
        (AttemptReport(None, SILENT), AttemptReport(KEEPS, SILENT), None),
        (AttemptReport(None), AttemptReport(KEEPS), None),
        (AttemptReport(None, REFUSED), AttemptReport(None, REFUSED), None),
    ],
)
def test_judged(
    listener: AttemptReport, dialer: AttemptReport, verdict: str | None
) -> None:
    """
    What can be told apart has its own name, and what can't has none.
    """
    found = verdictFor(listener, dialer)
    assert (found and found.reason.value) == verdict


@pytest.mark.parametrize(
    ("listener", "dialer", "verdict"),
    [
        (AttemptReport(KEEPS, SILENT), AttemptReport(KEEPS, SILENT), "no-hairpin"),
        (AttemptReport(KEEPS, REFUSED), AttemptReport(KEEPS, REFUSED), "no-hairpin"),
        (
            AttemptReport(KEEPS, frozenset({"unreachable"})),
            AttemptReport(KEEPS),
            "no-hairpin",
        ),
        (
            AttemptReport(KEEPS, frozenset({"rejected"})),
            AttemptReport(KEEPS, SILENT),
            None,
        ),
        (
            AttemptReport(KEEPS, SILENT),
            AttemptReport(KEEPS, frozenset({"connected"})),
            None,
        ),
        (LONG_NEXT, AttemptReport(KEEPS, REFUSED, True, True), "no-hairpin"),
        (LONG_ANY, LONG_KEEPS, "no-hairpin"),
        (LONG_ANY, AttemptReport(KEEPS, SILENT), "search-failed"),
        (AttemptReport(ANY, maySearch=False), LONG_KEEPS, "no-search"),
        (LONG_ANY, LONG_ANY, "both-random-mapping"),
        (AttemptReport(None), AttemptReport(KEEPS), None),
        (dark(REFUSED), AttemptReport(KEEPS), "listener-blocks-outbound"),
    ],
)
def test_behindOne(
    listener: AttemptReport, dialer: AttemptReport, verdict: str | None
) -> None:
    """
    Of two whom the rendezvous sees at one address it is said that the NAT there leads
    nothing back, if nothing came back, and nothing else would have kept them apart.
    """
    for first, second in ((listener, dialer), (dialer, listener)):
        found = verdictFor(first, second, isBehindSameNAT=True)
        said = found and found.reason.value
        if said == "dialer-blocks-outbound":
            said = "listener-blocks-outbound"
        assert said == verdict


def test_sides() -> None:
    """
    Which side it is makes no difference, but to the name of the side.
    """
    for own, other in product([ANY, NEXT, KEEPS, None], repeat=2):
        for outcome in (SILENT, REFUSED):
            first, second = AttemptReport(own, outcome), AttemptReport(other, SILENT)
            one, two = verdictFor(first, second), verdictFor(second, first)
            names = {one and one.reason.value, two and two.reason.value}
            sides = {"listener-blocks-outbound", "dialer-blocks-outbound"}
            assert len(names) == 1 or names == sides


@given(reports, st.sampled_from(["outcomes", "searches", "thorough", "nat"]), jsons)
def test_oneWrong(report: AttemptReport, name: str, value: Any) -> None:
    """
    A field that is not what it should be gives a value or L{BadReport}.
    """
    with suppress(BadReport):
        AttemptReport.fromFields({**report.toFields(), name: value})


def test_laterOutcome() -> None:
    """
    An outcome that only a later version knows is passed over.
    """
    fields = AttemptReport(KEEPS, REFUSED).toFields()
    fields["outcomes"].append("bewitched")
    assert AttemptReport.fromFields(fields).outcomes == REFUSED


@pytest.mark.parametrize("verdict", NoDirectPath.__subclasses__())
def test_advice(verdict: type[NoDirectPath]) -> None:
    """
    Each says what it is, in a sentence, and what may help.
    """
    assert verdict.__module__ == errors.__name__
    assert str(verdict()).endswith(".")
    assert verdict.advice
    assert not verdict.advice.endswith(".")

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

KEPT = AttemptReport(KEEPS)
KEPT_SILENT = AttemptReport(KEEPS, SILENT)
KEPT_REFUSED = AttemptReport(KEEPS, REFUSED)
KEPT_CONNECTED = AttemptReport(KEEPS, frozenset({"connected"}))
KEPT_NO_ROUTE = AttemptReport(KEEPS, NO_ROUTE)
SEQUENTIAL = AttemptReport(NEXT)
RANDOM = AttemptReport(ANY)
UNKNOWN = AttemptReport(None)
LONG_KEPT = AttemptReport(KEEPS, SILENT, isThorough=True)
LONG_REFUSED = AttemptReport(KEEPS, REFUSED, isThorough=True)
LONG_SEQUENTIAL = AttemptReport(NEXT, SILENT, isThorough=True)
LONG_RANDOM = AttemptReport(ANY, SILENT, isThorough=True)
LONG_NO_SEARCH = AttemptReport(KEEPS, SILENT, maySearch=False, isThorough=True)
RANDOM_NO_SEARCH = AttemptReport(ANY, maySearch=False)


def blocked(*outcomes: str) -> AttemptReport:
    """
    The report of a peer that reached the rendezvous, and no other observer.
    """
    return AttemptReport(None, frozenset(outcomes), isBlocked=True)


VERDICTS: dict[str, tuple[AttemptReport, AttemptReport, str | None]] = {
    "random, random": (RANDOM, RANDOM, "both-random-mapping"),
    "random, sequential": (RANDOM, SEQUENTIAL, "random-against-sequential"),
    "sequential, random": (SEQUENTIAL, RANDOM, "random-against-sequential"),
    "random, kept": (RANDOM, KEPT, "search-failed"),
    "kept, random that may not search": (KEPT, RANDOM_NO_SEARCH, "no-search"),
    "kept that may not search, random": (
        AttemptReport(KEEPS, maySearch=False),
        RANDOM,
        "no-search",
    ),
    "sequential, kept": (SEQUENTIAL, KEPT, "prediction-failed"),
    "sequential, sequential": (SEQUENTIAL, SEQUENTIAL, "prediction-failed"),
    "both silent": (KEPT_SILENT, KEPT_SILENT, "no-simultaneous-open"),
    "both untried": (KEPT, KEPT, "no-simultaneous-open"),
    "a long search, silent": (LONG_RANDOM, LONG_KEPT, "no-simultaneous-open"),
    "a long prediction, silent": (
        LONG_SEQUENTIAL,
        LONG_KEPT,
        "no-simultaneous-open",
    ),
    "long on one side": (LONG_SEQUENTIAL, KEPT_SILENT, "prediction-failed"),
    "a long prediction, refused": (
        LONG_SEQUENTIAL,
        LONG_REFUSED,
        "prediction-failed",
    ),
    "long, but no search": (LONG_RANDOM, LONG_NO_SEARCH, "no-search"),
    "one refused": (KEPT_REFUSED, KEPT_SILENT, None),
    "one connected": (KEPT_CONNECTED, KEPT, None),
    "listener blocked, refused": (
        blocked("refused"),
        KEPT_SILENT,
        "listener-blocks-outbound",
    ),
    "listener blocked, silent": (
        blocked("timed out"),
        KEPT_SILENT,
        "listener-blocks-outbound",
    ),
    "dialer blocked": (RANDOM, blocked("refused"), "dialer-blocks-outbound"),
    "unknown, refused": (AttemptReport(None, REFUSED), KEPT_SILENT, None),
    "both blocked": (blocked("refused"), blocked("refused"), None),
    "blocked, yet connected": (blocked("connected"), KEPT, None),
    "blocked, untried": (blocked(), KEPT, None),
    "no route, random": (AttemptReport(ANY, NO_ROUTE), KEPT_NO_ROUTE, None),
    "no route, blocked": (blocked("unreachable"), KEPT_NO_ROUTE, None),
    "no route on one side": (
        AttemptReport(ANY, NO_ROUTE),
        KEPT_SILENT,
        "search-failed",
    ),
    "unknown, silent": (AttemptReport(None, SILENT), KEPT_SILENT, None),
    "unknown, untried": (UNKNOWN, KEPT, None),
    "both unknown": (
        AttemptReport(None, REFUSED),
        AttemptReport(None, REFUSED),
        None,
    ),
}


@pytest.mark.parametrize(
    ("listener", "dialer", "verdict"), VERDICTS.values(), ids=VERDICTS
)
def test_verdict(
    listener: AttemptReport, dialer: AttemptReport, verdict: str | None
) -> None:
    """
    Each cause that can be told apart has its own verdict; the others have none.
    """
    found = verdictFor(listener, dialer)
    assert (found and found.reason.value) == verdict


SAME_NAT: dict[str, tuple[AttemptReport, AttemptReport, str | None]] = {
    "both silent": (KEPT_SILENT, KEPT_SILENT, "no-hairpin"),
    "both refused": (KEPT_REFUSED, KEPT_REFUSED, "no-hairpin"),
    "unreachable": (KEPT_NO_ROUTE, KEPT, "no-hairpin"),
    "rejected": (AttemptReport(KEEPS, frozenset({"rejected"})), KEPT_SILENT, None),
    "connected": (KEPT_SILENT, KEPT_CONNECTED, None),
    "a long prediction": (LONG_SEQUENTIAL, LONG_REFUSED, "no-hairpin"),
    "a long search": (LONG_RANDOM, LONG_KEPT, "no-hairpin"),
    "a short search": (LONG_RANDOM, KEPT_SILENT, "search-failed"),
    "no search": (RANDOM_NO_SEARCH, LONG_KEPT, "no-search"),
    "random, random": (LONG_RANDOM, LONG_RANDOM, "both-random-mapping"),
    "unknown": (UNKNOWN, KEPT, None),
    "blocked": (blocked("refused"), KEPT, "listener-blocks-outbound"),
}


@pytest.mark.parametrize(
    ("listener", "dialer", "verdict"), SAME_NAT.values(), ids=SAME_NAT
)
def test_sameNAT(
    listener: AttemptReport, dialer: AttemptReport, verdict: str | None
) -> None:
    """
    Of two peers that the rendezvous sees at one address, the verdict is that the NAT
    does not hairpin, if nothing came through and no other cause explains it.
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

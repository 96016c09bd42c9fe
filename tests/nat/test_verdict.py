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
from punch.nat.behavior import Allocation, Mapping, Translation
from punch.nat.errors import NoDirectPath
from punch.nat.verdict import Account, BadAccount, judge
from punch.net.outcome import Outcome
from tests.support.strategies import jsons, translations

KEEPS = Translation(Mapping.ENDPOINT_INDEPENDENT)
NEXT = Translation(Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.SEQUENTIAL, 1)
ANY = Translation(Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.RANDOM)
SILENT = frozenset({"timed out"})
REFUSED = frozenset({"refused"})
NO_ROUTE = frozenset({"unreachable"})

LONG_KEEPS = Account(KEEPS, SILENT, isThorough=True)
LONG_NEXT = Account(NEXT, SILENT, isThorough=True)
LONG_ANY = Account(ANY, SILENT, isThorough=True)


def dark(outcomes: frozenset[str]) -> Account:
    """
    The account of one that came to the rendezvous, and to none of its other vantages.
    """
    return Account(None, outcomes, isBlocked=True)


accounts = st.builds(
    Account,
    st.none() | translations,
    st.frozensets(st.sampled_from([each.value for each in Outcome])),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@pytest.mark.parametrize(
    ("listener", "dialer", "verdict"),
    [
        (Account(ANY), Account(ANY), "both-random-mapping"),
        (Account(ANY), Account(NEXT), "random-against-sequential"),
        (Account(NEXT), Account(ANY), "random-against-sequential"),
        (Account(ANY), Account(KEEPS), "search-failed"),
        (Account(KEEPS), Account(ANY, searches=False), "no-search"),
        (Account(KEEPS, searches=False), Account(ANY), "no-search"),
        (Account(NEXT), Account(KEEPS), "prediction-failed"),
        (Account(NEXT), Account(NEXT), "prediction-failed"),
        (Account(KEEPS, SILENT), Account(KEEPS, SILENT), "no-simultaneous-open"),
        (Account(KEEPS), Account(KEEPS), "no-simultaneous-open"),
        (LONG_ANY, LONG_KEEPS, "no-simultaneous-open"),
        (LONG_NEXT, LONG_KEEPS, "no-simultaneous-open"),
        (LONG_NEXT, Account(KEEPS, SILENT), "prediction-failed"),
        (LONG_NEXT, Account(KEEPS, REFUSED, True, True), "prediction-failed"),
        (LONG_ANY, Account(KEEPS, SILENT, False, True), "no-search"),
        (Account(KEEPS, REFUSED), Account(KEEPS, SILENT), None),
        (Account(KEEPS, frozenset({"connected"})), Account(KEEPS), None),
        (dark(REFUSED), Account(KEEPS, SILENT), "listener-blocks-outbound"),
        (dark(SILENT), Account(KEEPS, SILENT), "listener-blocks-outbound"),
        (Account(ANY), dark(REFUSED), "dialer-blocks-outbound"),
        (Account(None, REFUSED), Account(KEEPS, SILENT), None),
        (dark(REFUSED), dark(REFUSED), None),
        (dark(frozenset({"connected"})), Account(KEEPS), None),
        (dark(frozenset()), Account(KEEPS), None),
        (Account(ANY, NO_ROUTE), Account(KEEPS, NO_ROUTE), None),
        (dark(NO_ROUTE), Account(KEEPS, NO_ROUTE), None),
        (Account(ANY, NO_ROUTE), Account(KEEPS, SILENT), "search-failed"),
        (Account(None, SILENT), Account(KEEPS, SILENT), None),
        (Account(None), Account(KEEPS), None),
        (Account(None, REFUSED), Account(None, REFUSED), None),
    ],
)
def test_judged(listener: Account, dialer: Account, verdict: str | None) -> None:
    """
    What can be told apart has its own name, and what can't has none.
    """
    found = judge(listener, dialer)
    assert (found and found.reason.value) == verdict


@pytest.mark.parametrize(
    ("listener", "dialer", "verdict"),
    [
        (Account(KEEPS, SILENT), Account(KEEPS, SILENT), "no-hairpin"),
        (Account(KEEPS, REFUSED), Account(KEEPS, REFUSED), "no-hairpin"),
        (Account(KEEPS, frozenset({"unreachable"})), Account(KEEPS), "no-hairpin"),
        (Account(KEEPS, frozenset({"rejected"})), Account(KEEPS, SILENT), None),
        (Account(KEEPS, SILENT), Account(KEEPS, frozenset({"connected"})), None),
        (LONG_NEXT, Account(KEEPS, REFUSED, True, True), "no-hairpin"),
        (LONG_ANY, LONG_KEEPS, "no-hairpin"),
        (LONG_ANY, Account(KEEPS, SILENT), "search-failed"),
        (Account(ANY, searches=False), LONG_KEEPS, "no-search"),
        (LONG_ANY, LONG_ANY, "both-random-mapping"),
        (Account(None), Account(KEEPS), None),
        (dark(REFUSED), Account(KEEPS), "listener-blocks-outbound"),
    ],
)
def test_behindOne(listener: Account, dialer: Account, verdict: str | None) -> None:
    """
    Of two whom the rendezvous sees at one address it is said that the NAT there leads
    nothing back, if nothing came back, and nothing else would have kept them apart.
    """
    for first, second in ((listener, dialer), (dialer, listener)):
        found = judge(first, second, isBehindOne=True)
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
            first, second = Account(own, outcome), Account(other, SILENT)
            one, two = judge(first, second), judge(second, first)
            names = {one and one.reason.value, two and two.reason.value}
            sides = {"listener-blocks-outbound", "dialer-blocks-outbound"}
            assert len(names) == 1 or names == sides


@given(accounts)
def test_roundTrip(account: Account) -> None:
    """
    What one side writes the other reads.
    """
    assert Account.fromFields(account.toFields()) == account


@given(jsons)
def test_anything(fields: Any) -> None:
    """
    Anything is an account or L{BadAccount}.
    """
    with suppress(BadAccount):
        Account.fromFields(fields)


@given(accounts, st.sampled_from(["outcomes", "searches", "thorough", "nat"]), jsons)
def test_oneWrong(account: Account, name: str, value: Any) -> None:
    """
    So it is where one field is not what it should be.
    """
    with suppress(BadAccount):
        Account.fromFields({**account.toFields(), name: value})


def test_laterOutcome() -> None:
    """
    An outcome that only a later version knows is passed over.
    """
    fields = Account(KEEPS, REFUSED).toFields()
    fields["outcomes"].append("bewitched")
    assert Account.fromFields(fields).outcomes == REFUSED


@pytest.mark.parametrize("verdict", NoDirectPath.__subclasses__())
def test_advice(verdict: type[NoDirectPath]) -> None:
    """
    Each says what it is, in a sentence, and what may help.
    """
    assert verdict.__module__ == errors.__name__
    assert str(verdict()).endswith(".")
    assert verdict.advice
    assert not verdict.advice.endswith(".")

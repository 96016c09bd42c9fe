"""
Which dialer meets which listener.

Both sides start at one instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.errors import TooLarge, TooMany
from punch.rendezvous.server.introductions import (
    MAX_ROUND_TRIP,
    Introductions,
    clampRoundTrip,
    startDelays,
)
from punch.rendezvous.server.limits import Limits

roundTrips = st.floats(0, MAX_ROUND_TRIP)


@given(roundTrips, roundTrips)
def test_sameInstant(first: float, second: float) -> None:
    """
    Each hears after half its round trip, waits, and so starts with the other; the
    farther waits for nothing.
    """
    ours, theirs = startDelays(first, second)
    assert abs((first / 2 + ours) - (second / 2 + theirs)) < 1e-9
    assert min(ours, theirs) == 0


anything = st.none() | st.floats(allow_nan=False)


@given(anything, anything)
def test_bounded(first: float | None, second: float | None) -> None:
    """
    Whatever the round trips are said to be, nobody waits longer than a second.
    """
    assert all(0 <= wait <= MAX_ROUND_TRIP / 2 for wait in startDelays(first, second))


@given(st.none() | roundTrips)
def test_unknown(known: float | None) -> None:
    """
    With a round trip unknown, both start as soon as they hear.
    """
    assert startDelays(None, known) == startDelays(known, None) == (0, 0)


def test_clamp() -> None:
    """
    Round trips are brought within reason.
    """
    assert [clampRoundTrip(-1), clampRoundTrip(0.5), clampRoundTrip(9)] == [
        0,
        0.5,
        MAX_ROUND_TRIP,
    ]


@dataclass(eq=False)
class Somebody:
    """
    A party.
    """

    addressKey: str = "192.0.2.1"


def introductions(**limits: int) -> Introductions[Somebody]:
    """
    Introductions of which the identifiers are counted.
    """
    numbers = count(1)
    return Introductions(
        Limits(**limits), lambda size: next(numbers).to_bytes(size, "big")
    )


def test_begin() -> None:
    """
    Both take part in an introduction, and nobody else.
    """
    alive = introductions()
    listener, dialer, stranger = Somebody(), Somebody(), Somebody()
    introduction = alive.start("name", listener, dialer, 1.0)
    assert alive.find(introduction.identifier, listener) is introduction
    assert alive.find(introduction.identifier, dialer) is introduction
    assert alive.find(introduction.identifier, stranger) is None
    assert alive.find(b"other", listener) is None
    assert [alive.isBusy(each) for each in (listener, dialer, stranger)] == [
        True,
        True,
        False,
    ]


def test_other() -> None:
    """
    Each is the other's other.
    """
    listener, dialer = Somebody(), Somebody()
    introduction = introductions().start("name", listener, dialer, 1.0)
    assert introduction.other(listener) is dialer
    assert introduction.other(dialer) is listener


def test_end() -> None:
    """
    An introduction that ended leaves nothing; others stay.
    """
    every = introductions()
    listener, first, second = Somebody(), Somebody(), Somebody()
    ended = every.start("name", listener, first, 1.0)
    alive = every.start("name", listener, second, 1.0)
    every.remove(ended)
    assert every.find(ended.identifier, listener) is None
    assert not every.isBusy(first)
    assert every.ofParty(first) == []
    assert every.ofParty(listener) == [alive]
    assert len(every) == 1


def test_identifiers() -> None:
    """
    By default identifiers cannot be guessed.
    """
    alive: Introductions[Somebody] = Introductions(Limits())
    made = {
        alive.start("name", Somebody(), Somebody(str(each)), 1.0).identifier
        for each in range(60)
    }
    assert len(made) == 60
    assert {len(each) for each in made} == {8}


def test_perName() -> None:
    """
    One name has so many alive; after one ends, there is room again.
    """
    alive = introductions(introductionsPerName=2)
    listener = Somebody()
    first = alive.start("name", listener, Somebody("a"), 1.0)
    alive.start("name", listener, Somebody("b"), 1.0)
    with pytest.raises(TooMany, match="of one name"):
        alive.start("name", listener, Somebody("c"), 1.0)
    alive.start("other", listener, Somebody("c"), 1.0)
    alive.remove(first)
    alive.start("name", listener, Somebody("c"), 1.0)


def test_perAddress() -> None:
    """
    One address dials so many alive; what the name refused does not count.
    """
    alive = introductions(introductionsPerAddress=2, introductionsPerName=1)
    first = alive.start("a", Somebody(), Somebody(), 1.0)
    with pytest.raises(TooMany):
        alive.start("a", Somebody(), Somebody(), 1.0)
    alive.start("b", Somebody(), Somebody(), 1.0)
    with pytest.raises(TooMany, match="from one address"):
        alive.start("c", Somebody(), Somebody(), 1.0)
    alive.remove(first)
    alive.start("c", Somebody(), Somebody(), 1.0)


def test_messages() -> None:
    """
    An introduction passes only so many messages, of a limited size.
    """
    alive = introductions(messagesPerIntroduction=2, messageBytes=10)
    introduction = alive.start("name", Somebody(), Somebody(), 1.0)
    alive.countMessage(introduction, b"x" * 10)
    with pytest.raises(TooLarge, match=r"(?i)at most 10 bytes"):
        alive.countMessage(introduction, b"x" * 11)
    alive.countMessage(introduction, b"")
    with pytest.raises(TooMany, match=r"(?i)at most 2 messages"):
        alive.countMessage(introduction, b"")


def test_overdue() -> None:
    """
    Those that live for too long are found, the oldest first.
    """
    alive = introductions(introductionSeconds=10)
    begun = [
        alive.start("name", Somebody(), Somebody(), float(now)) for now in range(4)
    ]
    assert alive.overdue(9.5) == []
    assert alive.overdue(12.0) == begun[:3]
    alive.remove(begun[1])
    assert alive.overdue(12.0) == [begun[0], begun[2]]

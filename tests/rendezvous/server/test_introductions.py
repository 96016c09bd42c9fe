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
from punch.rendezvous.server.introductions import LONGEST, Introductions, clamp, waits
from punch.rendezvous.server.limits import Limits

roundTrips = st.floats(0, LONGEST)


@given(roundTrips, roundTrips)
def test_sameInstant(first: float, second: float) -> None:
    """
    Each hears after half its round trip, waits, and so starts with the other; the
    farther waits for nothing.
    """
    ours, theirs = waits(first, second)
    assert abs((first / 2 + ours) - (second / 2 + theirs)) < 1e-9
    assert min(ours, theirs) == 0


anything = st.none() | st.floats(allow_nan=False)


@given(anything, anything)
def test_bounded(first: float | None, second: float | None) -> None:
    """
    Whatever the round trips are said to be, nobody waits longer than a second.
    """
    assert all(0 <= wait <= LONGEST / 2 for wait in waits(first, second))


@given(st.none() | roundTrips)
def test_unknown(known: float | None) -> None:
    """
    With a round trip unknown, both start as soon as they hear.
    """
    assert waits(None, known) == waits(known, None) == (0, 0)


def test_clamp() -> None:
    """
    Round trips are brought within reason.
    """
    assert [clamp(-1), clamp(0.5), clamp(9)] == [0, 0.5, LONGEST]


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
    meetings = introductions()
    listener, dialer, stranger = Somebody(), Somebody(), Somebody()
    meeting = meetings.begin("name", listener, dialer, 1.0)
    assert meetings.find(meeting.identifier, listener) is meeting
    assert meetings.find(meeting.identifier, dialer) is meeting
    assert meetings.find(meeting.identifier, stranger) is None
    assert meetings.find(b"other", listener) is None
    assert [meetings.busy(each) for each in (listener, dialer, stranger)] == [
        True,
        True,
        False,
    ]


def test_other() -> None:
    """
    Each is the other's other.
    """
    listener, dialer = Somebody(), Somebody()
    meeting = introductions().begin("name", listener, dialer, 1.0)
    assert meeting.other(listener) is dialer
    assert meeting.other(dialer) is listener


def test_end() -> None:
    """
    An introduction that ended leaves nothing; others stay.
    """
    meetings = introductions()
    listener, first, second = Somebody(), Somebody(), Somebody()
    ended = meetings.begin("name", listener, first, 1.0)
    alive = meetings.begin("name", listener, second, 1.0)
    meetings.end(ended)
    assert meetings.find(ended.identifier, listener) is None
    assert not meetings.busy(first)
    assert meetings.of(first) == []
    assert meetings.of(listener) == [alive]
    assert len(meetings) == 1


def test_identifiers() -> None:
    """
    By default identifiers cannot be guessed.
    """
    meetings: Introductions[Somebody] = Introductions(Limits())
    made = {
        meetings.begin("name", Somebody(), Somebody(str(each)), 1.0).identifier
        for each in range(60)
    }
    assert len(made) == 60
    assert {len(each) for each in made} == {8}


def test_perName() -> None:
    """
    One name has so many alive; after one ends, there is room again.
    """
    meetings = introductions(introductionsPerName=2)
    listener = Somebody()
    first = meetings.begin("name", listener, Somebody("a"), 1.0)
    meetings.begin("name", listener, Somebody("b"), 1.0)
    with pytest.raises(TooMany, match="of one name"):
        meetings.begin("name", listener, Somebody("c"), 1.0)
    meetings.begin("other", listener, Somebody("c"), 1.0)
    meetings.end(first)
    meetings.begin("name", listener, Somebody("c"), 1.0)


def test_perAddress() -> None:
    """
    One address dials so many alive; what the name refused does not count.
    """
    meetings = introductions(introductionsPerAddress=2, introductionsPerName=1)
    first = meetings.begin("a", Somebody(), Somebody(), 1.0)
    with pytest.raises(TooMany):
        meetings.begin("a", Somebody(), Somebody(), 1.0)
    meetings.begin("b", Somebody(), Somebody(), 1.0)
    with pytest.raises(TooMany, match="from one address"):
        meetings.begin("c", Somebody(), Somebody(), 1.0)
    meetings.end(first)
    meetings.begin("c", Somebody(), Somebody(), 1.0)


def test_messages() -> None:
    """
    So many messages pass, of a size.
    """
    meetings = introductions(messagesPerIntroduction=2, messageBytes=10)
    meeting = meetings.begin("name", Somebody(), Somebody(), 1.0)
    meetings.count(meeting, b"x" * 10)
    with pytest.raises(TooLarge, match=r"(?i)at most 10 bytes"):
        meetings.count(meeting, b"x" * 11)
    meetings.count(meeting, b"")
    with pytest.raises(TooMany, match=r"(?i)at most 2 messages"):
        meetings.count(meeting, b"")


def test_overdue() -> None:
    """
    Those that live for too long are found, the oldest first.
    """
    meetings = introductions(introductionSeconds=10)
    begun = [
        meetings.begin("name", Somebody(), Somebody(), float(now)) for now in range(4)
    ]
    assert meetings.overdue(9.5) == []
    assert meetings.overdue(12.0) == begun[:3]
    meetings.end(begun[1])
    assert meetings.overdue(12.0) == [begun[0], begun[2]]

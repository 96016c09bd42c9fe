"""
Tests for L{punch.note}, and how L{punch.greeting} seals notes.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.address import tcpAddress
from punch.candidate import MAXIMUM, Candidate, Kind
from punch.details import Details
from punch.greeting import DialersGreeting, ListenersGreeting
from punch.note import BadNote, Note
from tests.test_translation import jsons, translations

PREDICTED = Candidate(Kind.PREDICTED, tcpAddress("198.51.100.1", 5001))

notes = st.builds(
    Note,
    st.none() | translations,
    st.lists(
        st.builds(
            Candidate,
            st.just(Kind.PREDICTED),
            st.builds(tcpAddress, st.ip_addresses().map(str), st.integers(1, 65535)),
        ),
        max_size=MAXIMUM,
    ).map(tuple),
)


@given(notes)
def test_roundTrip(note: Note) -> None:
    """
    What is written is read back.
    """
    assert Note.fromBytes(note.toBytes()) == note


@given(st.binary() | jsons.map(lambda value: json.dumps(value).encode()))
def test_anyBytes(data: bytes) -> None:
    """
    Any bytes are a note or L{BadNote}.
    """
    with suppress(BadNote):
        Note.fromBytes(data)


@pytest.mark.parametrize(
    "fields",
    [
        {"later": 1},
        {"nat": "no such"},
        {"nat": {"mapping": "a new one"}},
        {"candidates": ["no candidate"]},
    ],
)
def test_unknown(fields: dict[str, Any]) -> None:
    """
    What a later version says is passed over.
    """
    assert Note.fromBytes(json.dumps(fields).encode()) == Note()


def test_sealed() -> None:
    """
    Both sides can send notes once they have exchanged details, in any number.
    """
    dialer, listener = DialersGreeting("7", b"words"), ListenersGreeting("7", b"words")
    details = Details(b"d" * 32)
    _, last = dialer.answer(listener.answer(dialer.message, details), details)
    listener.finish(last)
    for note in (Note(), Note(candidates=(PREDICTED,))):
        assert listener.readNote(dialer.writeNote(note)) == note
        assert dialer.readNote(listener.writeNote(note)) == note


def test_forged() -> None:
    """
    What the rendezvous makes up is no note, and does not spoil the next.
    """
    dialer, listener = DialersGreeting("7", b"words"), ListenersGreeting("7", b"words")
    details = Details(b"d" * 32)
    _, last = dialer.answer(listener.answer(dialer.message, details), details)
    listener.finish(last)
    with pytest.raises(BadNote):
        listener.readNote(b"forged")
    assert listener.readNote(dialer.writeNote(Note())) == Note()

"""
Tests for L{punch.signaling.messages}, and how L{punch.signaling.greeting} seals notes.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from punch.ice.candidate import MAX_CANDIDATES, Candidate, Kind
from punch.net.address import tcpAddress
from punch.signaling.greeting import DialerGreeting, ListenerGreeting
from punch.signaling.messages import PIN_SIZE, BadDetails, BadNote, Details, Note

PIN = bytes(range(PIN_SIZE))
HOST = Candidate(Kind.HOST, tcpAddress("192.0.2.1", 4040))


def encoded(**fields: Any) -> bytes:
    """
    Details with some fields as given.
    """
    return json.dumps({"pin": PIN.hex(), **fields}).encode()


@pytest.mark.parametrize("levels", [900, 100_000])
@pytest.mark.parametrize("inside", ["later", "pin", "features"])
def test_deep(inside: str, levels: int) -> None:
    """
    JSON nested to any depth does no harm.
    """
    nested = "[" * levels + "]" * levels
    data = f'{{"pin": "{PIN.hex()}", "{inside}": {nested}}}'.encode()
    try:
        details = Details.fromBytes(data)
    except BadDetails:
        return
    assert (inside, details) == ("later", Details(PIN))


@pytest.mark.parametrize("number", ["9" * 10_000, "1e999", "-1E-999", "NaN"])
def test_huge(number: str) -> None:
    """
    Nor do numbers of any size, wherever they stand.
    """
    for field in ("later", "pin", "candidates"):
        data = f'{{"pin": "{PIN.hex()}", "{field}": {number}}}'.encode()
        try:
            details = Details.fromBytes(data)
        except BadDetails:
            continue
        assert (field, details) == ("later", Details(PIN))


def test_unknownFields() -> None:
    """
    Fields of later versions are ignored, and none but the pin must be there.
    """
    assert Details.fromBytes(encoded(later=[1, {"x": None}])) == Details(PIN)


def test_unknownFeatures() -> None:
    """
    Unknown features are kept, up to a bound.
    """
    details = Details.fromBytes(encoded(features=["a", "later"]))
    assert details.features == {"a", "later"}
    many = Details.fromBytes(encoded(features=[str(n) for n in range(1000)]))
    assert len(many.features) == 32


def test_unknownCandidates() -> None:
    """
    Candidates of an unknown kind are ignored, as are those past the bound.
    """
    later = HOST.toText().replace("tcptype so", "tcptype quic")
    details = Details.fromBytes(encoded(candidates=[later, "rubbish", HOST.toText()]))
    assert details.candidates == (HOST,)
    many = [
        Candidate(Kind.HOST, tcpAddress("192.0.2.1", port)).toText()
        for port in range(1, 1000)
    ]
    details = Details.fromBytes(encoded(candidates=many))
    assert len(details.candidates) == MAX_CANDIDATES


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"pin"',
        b"{}",
        b"{",
        b"\xff\xfe",
        encoded(pin=None),
        encoded(pin=1),
        encoded(pin=""),
        encoded(pin=PIN.hex()[2:]),
        encoded(pin=PIN.hex() + "00"),
        encoded(pin="zz" * PIN_SIZE),
        encoded(candidates=None),
        encoded(candidates={}),
        encoded(candidates="host"),
        encoded(candidates=[HOST.toText(), 1]),
        encoded(features=[None]),
    ],
)
def test_bad(data: bytes) -> None:
    """
    Bytes that are not details are refused.
    """
    with pytest.raises(BadDetails):
        Details.fromBytes(data)


PREDICTED = Candidate(Kind.PREDICTED, tcpAddress("198.51.100.1", 5001))


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
    What only a later version knows is ignored.
    """
    assert Note.fromBytes(json.dumps(fields).encode()) == Note()


def test_sealed() -> None:
    """
    Both sides can send notes once they have exchanged details, in any number.
    """
    dialer, listener = DialerGreeting("7", b"words"), ListenerGreeting("7", b"words")
    details = Details(b"d" * 32)
    _, last = dialer.answer(listener.answer(dialer.message, details), details)
    listener.finish(last)
    for note in (Note(), Note(candidates=(PREDICTED,))):
        assert listener.readNote(dialer.writeNote(note)) == note
        assert dialer.readNote(listener.writeNote(note)) == note


def test_forged() -> None:
    """
    A note that the rendezvous forges is refused, and the next one still opens.
    """
    dialer, listener = DialerGreeting("7", b"words"), ListenerGreeting("7", b"words")
    details = Details(b"d" * 32)
    _, last = dialer.answer(listener.answer(dialer.message, details), details)
    listener.finish(last)
    with pytest.raises(BadNote):
        listener.readNote(b"forged")
    assert listener.readNote(dialer.writeNote(Note())) == Note()

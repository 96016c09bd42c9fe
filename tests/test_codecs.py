"""
Tests for all codecs: what is written is read back, and anything else that is read is a
value or the documented error.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.errors import MalformedCode, ProtocolViolation, UnknownWord
from punch.ice.candidate import MAX_CANDIDATES, BadCandidate, Candidate
from punch.link.records import (
    MAXIMUM_CONTROL,
    MAXIMUM_DATA,
    Decoder,
    Record,
    Type,
    encodeHeader,
)
from punch.link.records import encode as encodeRecord
from punch.nat.behavior import BadBehavior, ObservedBehavior
from punch.nat.stun import NotSTUN, STUNFramer
from punch.nat.stun import decode as decodeSTUN
from punch.nat.verdict import AttemptReport, BadReport
from punch.net.address import BadAddress, formatAddress, parseAddress, splitHostPort
from punch.net.identity import parsePin
from punch.rendezvous.relaypreamble import TICKET_BYTES, encodePreamble, readPreamble
from punch.role import Role
from punch.signaling.code import parseCode
from punch.signaling.messages import PIN_SIZE, BadDetails, BadNote, Details, Note
from punch.signaling.pake import MESSAGE_SIZE, BadPAKEMessage, PAKEExchange
from punch.trace.jsonformat import BadTrace, tracesFromJSON, tracesToJSON
from punch.yamux.frames import DATA, FrameDecoder, Header
from punch.yamux.frames import encode as encodeFrame
from tests.support.strategies import (
    WORDLIST,
    addresses,
    behaviors,
    candidates,
    codes,
    everyDetails,
    frames,
    joinedRecords,
    jsons,
    notes,
    pins,
    records,
    reports,
    stunMessages,
    traces,
)


@dataclass
class Codec:
    """
    One codec.

    @ivar decode: reads a value.
    @ivar encode: writes a value.
    @ivar values: values to write and read back.
    @ivar anything: what to read apart from that.
    @ivar errors: what reading may raise.
    @ivar check: asserts what holds for each value that is read of C{anything}; is given
        what was read, and the value.
    @ivar isExact: whether a value that is read of C{anything} can be written, and is
        read back as itself.
    """

    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any] = lambda value: value
    values: st.SearchStrategy[Any] | None = None
    anything: st.SearchStrategy[Any] | None = None
    errors: tuple[type[Exception], ...] = ()
    check: Callable[[Any, Any], object] = lambda read, value: None
    isExact: bool = False


def _isPort(read: str, value: Any) -> None:
    assert 0 < value.port < 65536


def _isHostPort(read: str, value: tuple[str, int]) -> None:
    host, port = value
    assert host
    assert 0 < port < 65536


def _hasPinSize(read: str, pin: bytes) -> None:
    assert len(pin) == 32


def _hasKnownWords(read: str, code: Any) -> None:
    assert set(code.words) <= set(WORDLIST)


def _hasBounds(read: bytes, details: Details) -> None:
    assert len(details.pin) == PIN_SIZE
    assert len(details.candidates) <= MAX_CANDIDATES


def _isWhole(read: tuple[Role, bytes], seal: object) -> None:
    assert len(read[1]) == MESSAGE_SIZE


def _asJSON(value: Any) -> bytes:
    return json.dumps(value).encode()


CODECS = {
    "address": Codec(
        parseAddress,
        formatAddress,
        addresses,
        st.text() | st.from_regex(r"\[?[0-9a-f.:]*\]?:[0-9]*", fullmatch=True),
        (BadAddress,),
        _isPort,
        isExact=True,
    ),
    "host and port": Codec(
        splitHostPort, anything=st.text(), errors=(ValueError,), check=_isHostPort
    ),
    "pin": Codec(
        parsePin, bytes.hex, pins, st.text(), (ValueError,), _hasPinSize, isExact=True
    ),
    "pin with colons": Codec(parsePin, lambda pin: pin.hex(":").upper(), pins),
    "pin in groups": Codec(parsePin, lambda pin: f" {pin.hex(' ', 2)}\n", pins),
    "candidate": Codec(
        Candidate.fromText,
        Candidate.toText,
        candidates,
        st.text()
        | st.from_regex(
            r"candidate:\w* 1 TCP \d* [0-9a-f.:]* \d* typ (host|srflx|prflx|relay)"
            r" tcptype (so|active)( .*)?",
            fullmatch=True,
        ),
        (BadCandidate,),
        isExact=True,
    ),
    "STUN message": Codec(
        decodeSTUN,
        lambda message: message.toBytes(),
        stunMessages,
        st.binary(max_size=200),
        (NotSTUN,),
    ),
    "behavior of a NAT": Codec(
        ObservedBehavior.fromFields,
        ObservedBehavior.toFields,
        behaviors,
        jsons,
        (BadBehavior,),
    ),
    "report of an attempt": Codec(
        AttemptReport.fromFields, AttemptReport.toFields, reports, jsons, (BadReport,)
    ),
    "code": Codec(
        parseCode,
        str,
        codes,
        st.text()
        | st.lists(
            st.text() | st.sampled_from(WORDLIST) | st.integers().map(str), max_size=10
        ).map("-".join),
        (MalformedCode, UnknownWord),
        _hasKnownWords,
        isExact=True,
    ),
    "PAKE message": Codec(
        lambda read: PAKEExchange(read[0], "7", b"otter").finish(read[1]),
        anything=st.tuples(
            st.sampled_from(Role),
            st.binary(max_size=MESSAGE_SIZE + 2)
            | st.builds(
                bytes.__add__,
                st.sampled_from([b"A", b"B", b"S"]),
                st.binary(min_size=32, max_size=32),
            ),
        ),
        errors=(BadPAKEMessage,),
        check=_isWhole,
    ),
    "details": Codec(
        Details.fromBytes,
        Details.toBytes,
        everyDetails,
        st.binary(),
        (BadDetails,),
        isExact=True,
    ),
    "details of any JSON": Codec(
        Details.fromBytes,
        anything=(
            st.dictionaries(
                st.sampled_from(["pin", "candidates", "features", "later"]),
                jsons
                | st.just(bytes(range(PIN_SIZE)).hex())
                | st.lists(candidates.map(Candidate.toText)),
            )
            | jsons
        ).map(_asJSON),
        errors=(BadDetails,),
        check=_hasBounds,
    ),
    "note": Codec(
        Note.fromBytes,
        Note.toBytes,
        notes,
        st.binary() | jsons.map(_asJSON),
        (BadNote,),
    ),
    "relay preamble": Codec(
        readPreamble,
        lambda value: encodePreamble(value[0]) + value[1],
        st.tuples(st.binary(min_size=TICKET_BYTES, max_size=TICKET_BYTES), st.binary()),
    ),
    "traces": Codec(
        tracesFromJSON,
        lambda value: tracesToJSON(value).encode(),
        st.lists(traces, max_size=3),
        st.binary(),
        (BadTrace,),
    ),
}


# pytest-twisted wraps a property once for each case of a table, so the properties are
# inside of the tests.


@pytest.mark.parametrize(
    "name", [name for name, codec in CODECS.items() if codec.values is not None]
)
def test_roundTrip(name: str) -> None:
    """
    What is written is read back as the same value.
    """
    codec = CODECS[name]
    assert codec.values is not None

    @given(codec.values)
    def isReadBack(value: Any) -> None:
        assert codec.decode(codec.encode(value)) == value

    isReadBack()


@pytest.mark.parametrize(
    "name", [name for name, codec in CODECS.items() if codec.anything is not None]
)
def test_anything(name: str) -> None:
    """
    Anything is a value or the documented error.
    """
    codec = CODECS[name]
    assert codec.anything is not None

    @given(codec.anything)
    def isValueOrError(read: Any) -> None:
        try:
            value = codec.decode(read)
        except codec.errors:
            return
        codec.check(read, value)
        if codec.isExact:
            assert codec.decode(codec.encode(value)) == value

    isValueOrError()


@dataclass
class StreamCodec:
    """
    One codec of a stream of bytes, which arrives in pieces.

    @ivar decoder: makes a decoder, whose C{feed} takes a piece.
    @ivar encode: writes one value.
    @ivar joined: puts together what a decoder found in pieces.
    @ivar values: lists of values to write and read back.
    @ivar pieces: what to feed apart from that.
    @ivar errors: what feeding may raise.
    @ivar check: asserts what holds after each piece; is given the decoder and what it
        found.
    @ivar expected: what C{joined} is to give for a list of values.
    """

    decoder: Callable[[], Any]
    encode: Callable[[Any], bytes]
    joined: Callable[[list[Any]], list[Any]]
    values: st.SearchStrategy[list[Any]]
    pieces: st.SearchStrategy[list[bytes]]
    errors: tuple[type[Exception], ...]
    check: Callable[[Any, list[Any]], object] = lambda decoder, found: None
    expected: Callable[[list[Any]], list[Any]] = lambda values: values


def _writeRecord(record: Record) -> bytes:
    if isinstance(record, bytes):
        return encodeHeader(Type.DATA, len(record)) + record
    return encodeRecord(record.type, record.payload)


def _holdsOneControl(decoder: Decoder, found: list[Any]) -> None:
    assert len(decoder._partial) < 5 + MAXIMUM_CONTROL


def _writeFrame(frame: tuple[int, int, int, int | bytes]) -> bytes:
    type, flags, stream, last = frame
    if isinstance(last, bytes):
        return encodeFrame(type, flags, stream, len(last)) + last
    return encodeFrame(type, flags, stream, last)


def _joinedFrames(parts: list[Header | bytes]) -> list[Any]:
    whole: list[Any] = []
    for part in parts:
        if isinstance(part, Header):
            last = b"" if part.type == DATA else part.length
            whole.append((part.type, part.flags, part.stream, last))
        else:
            assert part
            *head, before = whole[-1]
            whole[-1] = (*head, before + part)
    return whole


def _areWhole(framer: STUNFramer, found: list[bytes]) -> None:
    assert all(found)


STREAMS = {
    "records": StreamCodec(
        Decoder,
        _writeRecord,
        joinedRecords,
        records,
        st.lists(
            st.binary()
            | st.builds(
                struct.Struct("!BI").pack,
                st.integers(0, 10),
                st.integers(0, 2 * MAXIMUM_CONTROL)
                | st.integers(MAXIMUM_DATA - 1, MAXIMUM_DATA + 1),
            )
        ),
        (ProtocolViolation,),
        _holdsOneControl,
        joinedRecords,
    ),
    "frames of yamux": StreamCodec(
        FrameDecoder,
        _writeFrame,
        _joinedFrames,
        frames,
        st.lists(st.binary(max_size=40)),
        (ProtocolViolation,),
    ),
    "STUN messages": StreamCodec(
        STUNFramer,
        lambda message: message.toBytes(),
        lambda found: list(map(decodeSTUN, found)),
        st.lists(stunMessages, max_size=6),
        st.lists(st.binary(max_size=200), max_size=4),
        (NotSTUN,),
        _areWhole,
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_cutAnywhere(name: str) -> None:
    """
    However the bytes are cut into pieces, the same values are read, in order.
    """
    codec = STREAMS[name]

    @given(codec.values, st.lists(st.integers(0, 60)))
    def isReadBack(values: list[Any], cuts: list[int]) -> None:
        decoder, found = codec.decoder(), []
        wire = b"".join(map(codec.encode, values))
        for cut in (*cuts, len(wire)):
            found += decoder.feed(wire[:cut])
            wire = wire[cut:]
        assert codec.joined(found) == codec.expected(values)

    isReadBack()


@pytest.mark.parametrize("name", STREAMS)
def test_byteByByte(name: str) -> None:
    """
    The same values are read if each byte arrives alone.
    """
    codec = STREAMS[name]

    @given(codec.values)
    def isReadBack(values: list[Any]) -> None:
        decoder, found = codec.decoder(), []
        for byte in b"".join(map(codec.encode, values)):
            found += decoder.feed(bytes([byte]))
        assert codec.joined(found) == codec.expected(values)

    isReadBack()


@pytest.mark.parametrize("name", STREAMS)
def test_anyPieces(name: str) -> None:
    """
    Any bytes are values or the documented error.
    """
    codec = STREAMS[name]

    @given(codec.pieces)
    def areValuesOrError(pieces: list[bytes]) -> None:
        decoder = codec.decoder()
        for piece in pieces:
            try:
                found = list(decoder.feed(piece))
            except codec.errors:
                return
            codec.check(decoder, found)

    areValuesOrError()

"""
Tests for L{punch.link.records}.
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.errors import ProtocolViolation
from punch.link.records import (
    MAXIMUM_CONTROL,
    MAXIMUM_DATA,
    Control,
    Decoder,
    Record,
    Type,
    decodeOffset,
    encode,
    encodeHeader,
    encodeOffset,
)

CONTROLS = [each for each in Type if each is not Type.DATA]
HEADER = 5

records = st.lists(
    st.binary(max_size=300)
    | st.builds(Control, st.sampled_from(CONTROLS), st.binary(max_size=50)),
    max_size=12,
)


def onTheWire(record: Record) -> bytes:
    """
    A record's bytes.
    """
    if isinstance(record, bytes):
        return encodeHeader(Type.DATA, len(record)) + record
    return encode(record.type, record.payload)


def joined(received: list[Record]) -> list[Record]:
    """
    Records with neighboring pieces of data put together.
    """
    whole: list[Record] = []
    for each in received:
        if isinstance(each, Control):
            whole.append(each)
        elif whole and isinstance(whole[-1], bytes):
            whole[-1] += each
        elif each:
            whole.append(each)
    return whole


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """
    C{data} cut into pieces.
    """
    found = []
    for cut in cuts:
        found.append(data[:cut])
        data = data[cut:]
    return [*found, data]


@given(records, st.lists(st.integers(0, 60)))
def test_roundTrip(sent: list[Record], cuts: list[int]) -> None:
    """
    However the bytes are cut, the same data and controls come out, in order.
    """
    wire = b"".join(map(onTheWire, sent))
    decoder = Decoder()
    received = [each for piece in pieces(wire, cuts) for each in decoder.feed(piece)]
    assert joined(received) == joined(sent)


@given(records)
def test_byteByByte(sent: list[Record]) -> None:
    """
    The same come out if the bytes arrive one by one.
    """
    decoder = Decoder()
    received: list[Record] = []
    for number in b"".join(map(onTheWire, sent)):
        received += decoder.feed(bytes([number]))
    assert joined(received) == joined(sent)


@given(
    st.lists(
        st.binary()
        | st.builds(
            struct.Struct("!BI").pack,
            st.integers(0, 10),
            st.integers(0, 2 * MAXIMUM_CONTROL)
            | st.integers(MAXIMUM_DATA - 1, MAXIMUM_DATA + 1),
        )
    )
)
def test_anyBytes(fed: list[bytes]) -> None:
    """
    Any bytes are records or a L{ProtocolViolation}, and never more is held than
    one control record.
    """
    decoder = Decoder()
    for each in fed:
        try:
            decoder.feed(each)
        except ProtocolViolation:
            return
        assert len(decoder._partial) < HEADER + MAXIMUM_CONTROL


def test_dataPasses() -> None:
    """
    Data is not held until its record is whole.
    """
    decoder = Decoder()
    assert decoder.feed(encodeHeader(Type.DATA, MAXIMUM_DATA)) == []
    assert decoder.feed(b"a" * 10) == [b"a" * 10]
    assert decoder.feed(b"b") == [b"b"]
    rest = decoder.feed(b"c" * (MAXIMUM_DATA - 11) + encode(Type.CLOSE))
    assert rest == [b"c" * (MAXIMUM_DATA - 11), Control(Type.CLOSE)]


def test_memory() -> None:
    """
    Megabytes that pass leave nothing behind.
    """
    decoder = Decoder()
    for _ in range(20):
        decoder.feed(encodeHeader(Type.DATA, MAXIMUM_DATA))
        for _ in range(4):
            decoder.feed(bytes(MAXIMUM_DATA // 4))
        decoder.feed(encode(Type.PING, bytes(MAXIMUM_CONTROL))[:-1])
        assert len(decoder._partial) == HEADER + MAXIMUM_CONTROL - 1
        decoder.feed(b"\0")
        assert len(decoder._partial) == 0


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"\0" + bytes(4), "unknown type 0"),
        (b"\x09" + bytes(4), "unknown type 9"),
        (b"\xff" + bytes(4), "unknown type 255"),
        (encodeHeader(Type.DATA, MAXIMUM_DATA + 1), "a DATA record of 1048577"),
        (encodeHeader(Type.PING, MAXIMUM_CONTROL + 1), "a PING record of 4097"),
        (encodeHeader(Type.CLOSE, 2**32 - 1), "a CLOSE record of 4294967295"),
        (b"GET / HTTP/1.1\r\n", "unknown type 71"),
    ],
)
def test_violation(header: bytes, said: str) -> None:
    """
    Unknown types and excessive lengths are named as soon as the header is there.
    """
    with pytest.raises(ProtocolViolation, match=said):
        Decoder().feed(header)


def test_largest() -> None:
    """
    The largest records allowed pass.
    """
    sent: list[Record] = [
        Control(Type.PING, bytes(MAXIMUM_CONTROL)),
        bytes(MAXIMUM_DATA),
        Control(Type.CLOSE),
    ]
    received = Decoder().feed(b"".join(map(onTheWire, sent)))
    assert joined(received) == sent


def test_wire() -> None:
    """
    Type, length in network order, payload: these bytes are the protocol.
    """
    assert encode(Type.ATTACH) == b"\1\0\0\0\0"
    assert encode(Type.PING, b"x") == b"\5\0\0\0\1x"
    assert encodeHeader(Type.DATA, 258) == b"\3\0\0\1\2"
    assert [each.value for each in Type] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert encode(Type.ACK, encodeOffset(258)) == b"\4\0\0\0\x08" + bytes(6) + b"\1\2"


@given(st.integers(0, 2**64 - 1), st.binary(max_size=20))
def test_offset(offset: int, more: bytes) -> None:
    """
    An offset is understood, also where a later version says more.
    """
    assert decodeOffset(encodeOffset(offset) + more) == offset


@given(st.binary(max_size=7))
def test_noOffset(payload: bytes) -> None:
    """
    Too short an offset is none.
    """
    with pytest.raises(ProtocolViolation, match="an offset of"):
        decodeOffset(payload)

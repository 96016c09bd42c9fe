"""
Tests for L{punch.link.records}.
"""

from __future__ import annotations

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
from tests.support.strategies import joinedRecords


def onTheWire(record: Record) -> bytes:
    """
    A record's bytes.
    """
    if isinstance(record, bytes):
        return encodeHeader(Type.DATA, len(record)) + record
    return encode(record.type, record.payload)


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
        assert len(decoder._partial) == 5 + MAXIMUM_CONTROL - 1
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
    assert joinedRecords(received) == sent


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

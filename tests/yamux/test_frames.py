"""
Tests for L{punch.yamux.frames}.
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.errors import ProtocolViolation
from punch.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    HEADER_SIZE,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    FrameDecoder,
    Header,
    encode,
)

flags = st.integers(0, SYN | ACK | FIN | RST)
ids = st.integers(1, 0xFFFFFFFF)
numbers = st.integers(0, 0xFFFFFFFF)

frames = st.one_of(
    st.tuples(st.just(DATA), flags, ids, st.binary(max_size=300)),
    st.tuples(st.just(WINDOW_UPDATE), flags, ids, numbers),
    st.tuples(st.sampled_from([PING, GO_AWAY]), flags, st.just(0), numbers),
)
Frame = tuple[int, int, int, "int | bytes"]


def onTheWire(frame: Frame) -> bytes:
    """
    A frame's bytes.
    """
    type, flags, stream, last = frame
    if isinstance(last, bytes):
        return encode(type, flags, stream, len(last)) + last
    return encode(type, flags, stream, last)


def joined(parts: list[Header | bytes]) -> list[Frame]:
    """
    Frames put together from what a decoder gave.
    """
    whole: list[Frame] = []
    for part in parts:
        if isinstance(part, Header):
            last = b"" if part.type == DATA else part.length
            whole.append((part.type, part.flags, part.stream, last))
            continue
        assert part
        *head, before = whole[-1]
        assert isinstance(before, bytes)
        whole[-1] = (head[0], head[1], head[2], before + part)
    return whole


def chunks(wire: bytes, cuts: list[int]) -> list[bytes]:
    """
    C{wire} cut into chunks.
    """
    found = []
    for cut in cuts:
        found.append(wire[:cut])
        wire = wire[cut:]
    return [*found, wire]


@given(st.lists(frames, max_size=12), st.lists(st.integers(0, 60)))
def test_roundTrip(sent: list[Frame], cuts: list[int]) -> None:
    """
    However the bytes are cut, the same frames come out.
    """
    decoder = FrameDecoder()
    wire = b"".join(map(onTheWire, sent))
    parts = [part for each in chunks(wire, cuts) for part in decoder.feed(each)]
    assert joined(parts) == sent


def test_onTheWire() -> None:
    """
    The header is as specified: version, type, flags, stream and length, in
    network order.
    """
    assert encode(WINDOW_UPDATE, ACK, 0x01020304, 0x0A0B0C0D) == bytes.fromhex(
        "00 01 0002 01020304 0a0b0c0d"
    )


def test_passesThrough() -> None:
    """
    A chunk of payload alone is handed on as it is, not copied.
    """
    decoder = FrameDecoder()
    decoder.feed(encode(DATA, 0, 1, 5000))
    chunk = bytes(4000)
    [passed] = decoder.feed(chunk)
    assert passed is chunk


def test_holdsOnlyAHeader() -> None:
    """
    Of a payload that is not whole all is handed on; of a header that is not
    whole, nothing.
    """
    decoder = FrameDecoder()
    wire = encode(DATA, 0, 1, 10) + b"abc"
    assert decoder.feed(wire[: HEADER_SIZE - 1]) == []
    assert decoder.feed(wire[HEADER_SIZE - 1 :]) == [Header(DATA, 0, 1, 10), b"abc"]
    assert decoder.feed(b"") == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ((1, DATA, 0, 1, 0), "version 1"),
        ((0, 4, 0, 0, 0), "type 4"),
        ((0, DATA, 16, 1, 0), "flags 0x10"),
        ((0, DATA, 0, 0, 0), "stream 0"),
        ((0, WINDOW_UPDATE, 0, 0, 0), "stream 0"),
        ((0, PING, SYN, 1, 0), "stream 1"),
        ((0, GO_AWAY, 0, 2, 0), "stream 2"),
    ],
)
def test_violations(fields: tuple[int, ...], says: str) -> None:
    """
    What no header may say.
    """
    with pytest.raises(ProtocolViolation, match=says):
        FrameDecoder().feed(struct.pack("!BBHII", *fields))


@given(st.lists(st.binary(max_size=40)))
def test_anyBytes(received: list[bytes]) -> None:
    """
    Any bytes are frames or a violation.
    """
    decoder = FrameDecoder()
    try:
        for each in received:
            decoder.feed(each)
    except ProtocolViolation:
        pass

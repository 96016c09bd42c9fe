"""
Tests for L{punch.yamux.frames}.
"""

from __future__ import annotations

import struct

import pytest

from punch.errors import ProtocolViolation
from punch.yamux import frames


def test_onTheWire() -> None:
    """
    The header is as specified: version, type, flags, stream and length, in
    network order.
    """
    assert frames.encode(
        frames.WINDOW_UPDATE, frames.ACK, 0x01020304, 0x0A0B0C0D
    ) == bytes.fromhex("00 01 0002 01020304 0a0b0c0d")


def test_passesThrough() -> None:
    """
    A chunk of payload alone is handed on as it is, not copied.
    """
    decoder = frames.FrameDecoder()
    decoder.feed(frames.encode(frames.DATA, 0, 1, 5000))
    chunk = bytes(4000)
    [passed] = decoder.feed(chunk)
    assert passed is chunk


def test_holdsOnlyAHeader() -> None:
    """
    Of a payload that is not whole all is handed on; of a header that is not
    whole, nothing.
    """
    decoder = frames.FrameDecoder()
    wire = frames.encode(frames.DATA, 0, 1, 10) + b"abc"
    assert decoder.feed(wire[: frames.HEADER_SIZE - 1]) == []
    assert decoder.feed(wire[frames.HEADER_SIZE - 1 :]) == [
        frames.Header(frames.DATA, 0, 1, 10),
        b"abc",
    ]
    assert decoder.feed(b"") == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ((1, frames.DATA, 0, 1, 0), "version 1"),
        ((0, 4, 0, 0, 0), "type 4"),
        ((0, frames.DATA, 16, 1, 0), "flags 0x10"),
        ((0, frames.DATA, 0, 0, 0), "stream 0"),
        ((0, frames.WINDOW_UPDATE, 0, 0, 0), "stream 0"),
        ((0, frames.PING, frames.SYN, 1, 0), "stream 1"),
        ((0, frames.GO_AWAY, 0, 2, 0), "stream 2"),
    ],
)
def test_violations(fields: tuple[int, ...], says: str) -> None:
    """
    What no header may say.
    """
    with pytest.raises(ProtocolViolation, match=says):
        frames.FrameDecoder().feed(struct.pack("!BBHII", *fields))

"""
The frames of yamux: a header of 12 bytes, followed by the payload in a frame of type
DATA (specification, "Framing").

The decoder hands on payload in the pieces in which it arrives.  It holds only an
incomplete header, so less than 12 bytes.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from punch.errors import ProtocolViolation
from punch.util.framing import PieceDecoder

# Plain numbers, not enums: every frame is compared with them.

DATA: Final = 0
WINDOW_UPDATE: Final = 1
PING: Final = 2
GO_AWAY: Final = 3

SYN: Final = 1
ACK: Final = 2
FIN: Final = 4
RST: Final = 8

SESSION: Final = 0
"""
The "stream" of pings and go-aways.
"""

MAXIMUM_ID: Final = 0xFFFFFFFF
MAXIMUM_LENGTH: Final = 0xFFFFFFFF

HEADER_SIZE: Final = 12

_VERSION: Final = 0
_FLAGS: Final = SYN | ACK | FIN | RST
_HEADER = struct.Struct("!BBHII")


class Header(NamedTuple):
    """
    The header of one frame.

    @ivar length: depends on C{type}: the payload's size in bytes, the window's
        increase in bytes, the ping's value or the go-away's code.
    """

    type: int
    flags: int
    stream: int
    length: int


def encode(type: int, flags: int, stream: int, length: int) -> bytes:
    """
    Encode a header.  A frame that is not DATA consists of its header alone.
    """
    return _HEADER.pack(_VERSION, type, flags, stream, length)


class FrameDecoder(PieceDecoder[Header]):
    """
    Takes the bytes that arrive and answers with headers and pieces of payload.
    """

    __slots__ = ()

    def _next(self, received: bytes, start: int, found: list[Header | bytes]) -> int:
        """
        Take a header.

        @raise ProtocolViolation: an unknown version, type or flag, or a stream
            where there should be none, or none where there should be one.
        """
        if len(received) - start < HEADER_SIZE:
            return 0
        header = _decode(received, start)
        if header.type == DATA:
            self._remaining = header.length
        found.append(header)
        return HEADER_SIZE


def _decode(received: bytes, start: int) -> Header:
    version, type, flags, stream, length = _HEADER.unpack_from(received, start)
    if version != _VERSION:
        raise ProtocolViolation(f"a frame of yamux version {version}")
    if type > GO_AWAY:
        raise ProtocolViolation(f"a frame of unknown type {type}")
    if flags & ~_FLAGS:
        raise ProtocolViolation(f"a frame with unknown flags {flags:#x}")
    if (stream == SESSION) != (type >= PING):
        raise ProtocolViolation(f"a frame of type {type} for stream {stream}")
    return Header(type, flags, stream, length)

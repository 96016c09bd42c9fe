"""
Records, the format of what passes on a path inside TLS: type (1 byte), length (4 bytes,
network order), payload.

DATA is passed on in the pieces in which it arrives.  The decoder holds only the short
control records until they are whole, so L{MAXIMUM_CONTROL} bounds its memory.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from punch.errors import ProtocolViolation
from punch.util.framing import PieceDecoder

MAXIMUM_DATA = 1 << 20
"""
Bytes of payload in one DATA record, at most.
"""

MAXIMUM_CONTROL = 4096
"""
Bytes of payload in any other record, at most.
"""

_HEADER = struct.Struct("!BI")

_OFFSET = struct.Struct("!Q")


class Type(IntEnum):
    """
    The type of a record, as its first byte says it.
    """

    ATTACH = 1
    ATTACHED = 2
    DATA = 3
    ACK = 4
    PING = 5
    PONG = 6
    CLOSE = 7
    SKIP = 8


@dataclass(frozen=True)
class Control:
    """
    A whole record of any type but DATA.  Who reads C{payload} ignores bytes after what
    it knows, so a later version may add some.
    """

    type: Type
    payload: bytes = b""


Record: TypeAlias = bytes | Control
"""
A control record; or the next bytes of the link, a whole DATA payload or a part of
one.
"""


def encodeHeader(type: Type, length: int) -> bytes:
    """
    The header of a record whose payload of C{length} bytes follows.
    """
    return _HEADER.pack(type, length)


def encode(type: Type, payload: bytes = b"") -> bytes:
    """
    A whole control record.
    """
    return _HEADER.pack(type, len(payload)) + payload


def encodeOffset(offset: int) -> bytes:
    """
    The payload of an ACK or a PONG, which is how many units of the link have been
    taken; or of a SKIP, which is the offset at which what follows on this path begins.
    """
    return _OFFSET.pack(offset)


def decodeOffset(payload: bytes) -> int:
    """
    Read the payload of an ACK, a PONG or a SKIP; what follows the offset is ignored.

    @raise ProtocolViolation: the payload is too short.
    """
    if len(payload) < _OFFSET.size:
        raise ProtocolViolation(f"an offset of {len(payload)} bytes")
    offset: int = _OFFSET.unpack_from(payload)[0]
    return offset


class Decoder(PieceDecoder[Control]):
    """
    Turns the bytes that arrive on one path into records.
    """

    __slots__ = ()

    def _next(self, received: bytes, start: int, found: list[Record]) -> int:
        """
        Take the header of a DATA record, or any other record whole.

        @raise ProtocolViolation: an unknown type, or a length over its bound.
        """
        if len(received) - start < _HEADER.size:
            return 0
        kind, length = _HEADER.unpack_from(received, start)
        type = _checked(kind, length)
        if type is Type.DATA:
            self._remaining = length
            return _HEADER.size
        size = _HEADER.size + int(length)
        if len(received) - start < size:
            return 0
        payload = received[start + _HEADER.size : start + size]
        found.append(Control(type, payload))
        return size


def _checked(kind: int, length: int) -> Type:
    try:
        type = Type(kind)
    except ValueError:
        raise ProtocolViolation(f"a record of unknown type {kind}") from None
    if length > (MAXIMUM_DATA if type is Type.DATA else MAXIMUM_CONTROL):
        raise ProtocolViolation(f"a {type.name} record of {length} bytes")
    return type

"""
The framing of a link's bytes inside TLS: type (1 byte), length (4 bytes, network
order), payload.

Data passes through in the pieces in which it arrives; only the short control
records are held until they are whole, so the decoder's memory is bounded by
L{MAXIMUM_CONTROL}.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from punch.errors import ProtocolViolation

MAXIMUM_DATA = 1 << 20
"""
Bytes of payload in one DATA record, at most.
"""

MAXIMUM_CONTROL = 4096
"""
Bytes of payload in any other record, at most.
"""

_HEADER = struct.Struct("!BI")


class Type(IntEnum):
    """
    The types of records.  (4 is ACK's, for a link that outlives its path.)
    """

    ATTACH = 1
    ATTACHED = 2
    DATA = 3
    PING = 5
    PONG = 6
    CLOSE = 7


@dataclass(frozen=True)
class Data:
    """
    The next bytes of the link: a whole DATA payload or a part of one.
    """

    data: bytes


@dataclass(frozen=True)
class Control:
    """
    A record of any other type, whole.  Bytes of C{payload} that a version does
    not know are ignored.
    """

    type: Type
    payload: bytes = b""


Record: TypeAlias = Data | Control


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


class Decoder:
    """
    Bytes in, records out.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        # Payload bytes still to come of the DATA record that we are inside of.
        self._remaining = 0

    def feed(self, received: bytes) -> list[Record]:
        """
        Take the bytes that arrived; give the records that they complete.

        @raise ProtocolViolation: an unknown type, or a length over its bound.
            The decoder is of no use after that.
        """
        if self._remaining > len(received) and not self._buffer:
            # The hot path of a bulk transfer: all of it is inside one record.
            self._remaining -= len(received)
            return [Data(received)]
        self._buffer += received
        records: list[Record] = []
        while self._take(records):
            pass
        return records

    def _take(self, records: list[Record]) -> bool:
        """
        Move one record (or a part of a DATA record) out of the buffer, if there
        is one.
        """
        buffer = self._buffer
        if self._remaining:
            piece = bytes(buffer[: self._remaining])
            if piece:
                del buffer[: len(piece)]
                self._remaining -= len(piece)
                records.append(Data(piece))
            return bool(piece)
        if len(buffer) < _HEADER.size:
            return False
        kind, length = _HEADER.unpack_from(buffer)
        type = _checked(kind, length)
        if type is Type.DATA:
            del buffer[: _HEADER.size]
            self._remaining = length
            return True
        end = _HEADER.size + length
        if len(buffer) < end:
            return False
        records.append(Control(type, bytes(buffer[_HEADER.size : end])))
        del buffer[:end]
        return True


def _checked(kind: int, length: int) -> Type:
    try:
        type = Type(kind)
    except ValueError:
        raise ProtocolViolation(f"a record of unknown type {kind}") from None
    if length > (MAXIMUM_DATA if type is Type.DATA else MAXIMUM_CONTROL):
        raise ProtocolViolation(f"a {type.name} record of {length} bytes")
    return type

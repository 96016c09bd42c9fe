"""
The framing of a link's bytes inside TLS: type (1 byte), length (4 bytes, network
order), payload.

Data passes through in the pieces in which it arrives, as it is; only the short
control records are held until they are whole, so the decoder's memory is bounded by
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
class Control:
    """
    A record of any other type, whole.  Bytes of C{payload} that a version does
    not know are ignored.
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


class Decoder:
    """
    Bytes in, records out.
    """

    def __init__(self) -> None:
        self._partial = b""
        # Payload bytes still to come of the DATA record that we are inside of.
        self._remaining = 0

    def feed(self, received: bytes) -> list[Record]:
        """
        Take the bytes that arrived; give the records that they complete, and the
        data, none of it empty.

        @raise ProtocolViolation: an unknown type, or a length over its bound.
            The decoder is of no use after that.
        """
        if 0 < len(received) <= self._remaining:
            # The hot path of a bulk transfer: all of it is inside one record.
            self._remaining -= len(received)
            return [received]
        if self._partial:
            received = self._partial + received
        return self._split(received)

    def _split(self, received: bytes) -> list[Record]:
        records: list[Record] = []
        start, end = 0, len(received)
        while start < end:
            if self._remaining:
                piece = received[start : start + self._remaining]
                self._remaining -= len(piece)
                start += len(piece)
                records.append(piece)
                continue
            size = self._next(received, start, records)
            if not size:
                break
            start += size
        self._partial = received[start:]
        return records

    def _next(self, received: bytes, start: int, records: list[Record]) -> int:
        """
        Take the header of a DATA record, or any other record whole.

        @return: its size, 0 if it is not all there.
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
        records.append(Control(type, payload))
        return size


def _checked(kind: int, length: int) -> Type:
    try:
        type = Type(kind)
    except ValueError:
        raise ProtocolViolation(f"a record of unknown type {kind}") from None
    if length > (MAXIMUM_DATA if type is Type.DATA else MAXIMUM_CONTROL):
        raise ProtocolViolation(f"a {type.name} record of {length} bytes")
    return type

"""
Pieces: how bytes that arrive are taken apart without being held.
"""

from __future__ import annotations

from typing import Generic, TypeVar

H = TypeVar("H")


class PieceDecoder(Generic[H]):
    """
    Bytes in; out come heads, each whole, and the payload that belongs to them, in
    the pieces in which it arrives.

    Only a head is held until it is whole, so how much is held is up to C{_next}.
    """

    __slots__ = ("_partial", "_remaining")

    def __init__(self) -> None:
        self._partial = b""
        # Payload bytes still to come that belong to the last head.
        self._remaining = 0

    def feed(self, received: bytes) -> list[H | bytes]:
        """
        Take the bytes that arrived.

        @return: heads, and pieces of payload, none of them empty.
        @raise punch.errors.ProtocolViolation: as C{_next} finds.  The decoder is of
            no use after that.
        """
        if 0 < len(received) <= self._remaining:
            # The hot path of a bulk transfer: all of it is payload.
            self._remaining -= len(received)
            return [received]
        if self._partial:
            received = self._partial + received
        return self._split(received)

    def _split(self, received: bytes) -> list[H | bytes]:
        found: list[H | bytes] = []
        start, end = 0, len(received)
        while start < end:
            if self._remaining:
                piece = received[start : start + self._remaining]
                self._remaining -= len(piece)
                start += len(piece)
                found.append(piece)
                continue
            size = self._next(received, start, found)
            if not size:
                break
            start += size
        self._partial = received[start:]
        return found

    def _next(self, received: bytes, start: int, found: list[H | bytes]) -> int:
        """
        Take the head that begins at C{start}: add it to C{found}, if it is to be
        told, and say in C{_remaining} how much payload follows.

        @return: its size, 0 if it is not all there.
        """
        raise NotImplementedError()

"""
The framing of a byte stream: heads with payload, decoded without holding the payload.
"""

from __future__ import annotations

from typing import Generic, TypeVar

H = TypeVar("H")


class PieceDecoder(Generic[H]):
    """
    Takes the bytes that arrive.  Answers with heads, each whole, and with their
    payload in the pieces in which it arrives.

    A subclass decodes the heads in C{_next}.  Only an incomplete head is held.
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
        @raise punch.errors.ProtocolViolation: C{_next} raised it.  The decoder cannot
            be used after that.
        """
        if 0 < len(received) <= self._remaining:
            # The most frequent case of a bulk transfer: all of it is payload.
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
        Decode the head that begins at C{start}: add it to C{found}, unless it is to be
        ignored, and set C{_remaining} to the bytes of payload that follow.

        @return: the head's size in bytes; 0 if it is not complete.
        """
        raise NotImplementedError()

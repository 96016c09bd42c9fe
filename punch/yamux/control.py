"""
The frames that go ahead of all data: window updates, acknowledgments, resets,
pings and go-aways.
"""

from __future__ import annotations

from punch.errors import ProtocolViolation
from punch.yamux.frames import WINDOW_UPDATE, encode
from punch.yamux.stream import Stream


class Control:
    """
    The control frames that wait for the link.

    Window updates and acknowledgments are kept as sums on their streams, so of
    them no more can wait than there are streams; the others are bounded by
    C{limit}, at which a peer that only makes us answer is cut off.
    """

    __slots__ = ("_frames", "_limit", "_streams")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: list[bytes] = []
        # Those that owe an update: an ordered set.
        self._streams: dict[int, Stream] = {}

    def put(self, frame: bytes) -> None:
        """
        Queue a frame of our own accord.
        """
        self._frames.append(frame)

    def checkRoom(self) -> None:
        """
        The peer is about to make us do something that may queue a frame.

        @raise ProtocolViolation: too many wait already.
        """
        if len(self._frames) >= self._limit:
            raise ProtocolViolation(f"{self._limit} answers wait to be taken")

    def update(self, stream: Stream) -> None:
        """
        Send what the stream owes: C{Stream.owed} and C{Stream.grant}.
        """
        self._streams[stream.id] = stream

    def forget(self, stream: Stream) -> None:
        """
        The stream is over and owes nothing.
        """
        self._streams.pop(stream.id, None)

    def take(self) -> list[bytes]:
        """
        Remove all frames, in an order that does not matter.
        """
        taken, self._frames = self._frames, []
        if self._streams:
            taken.extend(map(_updateOf, self._streams.values()))
            self._streams.clear()
        return taken


def _updateOf(stream: Stream) -> bytes:
    frame = encode(WINDOW_UPDATE, stream.owed, stream.id, stream.grant)
    stream.owed = stream.grant = 0
    return frame

"""
The queue of control frames: window updates, acknowledgments, resets, pings and
go-aways.  They go ahead of all data.
"""

from __future__ import annotations

from punch.errors import ProtocolViolation
from punch.yamux.frames import WINDOW_UPDATE, encode
from punch.yamux.stream import StreamState


class ControlQueue:
    """
    The control frames of one session that wait to be sent.

    Window updates and acknowledgments are added up on their streams, so no more of
    them can wait than there are streams.  The number of the others is bounded, so that
    a peer that makes us answer but takes no answer is cut off.
    """

    __slots__ = ("_frames", "_limit", "_streams")

    def __init__(self, limit: int) -> None:
        """
        @param limit: frames that may wait before L{checkRoom} raises.
        """
        self._limit = limit
        self._frames: list[bytes] = []
        # Those that owe an update: an ordered set.
        self._streams: dict[int, StreamState] = {}

    def put(self, frame: bytes) -> None:
        """
        Queue a frame.
        """
        self._frames.append(frame)

    def checkRoom(self) -> None:
        """
        Check that the peer may make us queue one more frame.

        @raise ProtocolViolation: too many wait already.
        """
        if len(self._frames) >= self._limit:
            raise ProtocolViolation(f"{self._limit} answers wait to be taken")

    def update(self, stream: StreamState) -> None:
        """
        Queue a window update with what the stream owes: C{StreamState.owedFlags} and
        C{StreamState.owedCredit}.
        """
        self._streams[stream.id] = stream

    def forget(self, stream: StreamState) -> None:
        """
        Drop what the stream owes: it is over.
        """
        self._streams.pop(stream.id, None)

    def take(self) -> list[bytes]:
        """
        Remove all frames and answer with them.  Their order does not matter.
        """
        taken, self._frames = self._frames, []
        if self._streams:
            taken.extend(map(_updateOf, self._streams.values()))
            self._streams.clear()
        return taken


def _updateOf(stream: StreamState) -> bytes:
    frame = encode(WINDOW_UPDATE, stream.owedFlags, stream.id, stream.owedCredit)
    stream.owedFlags = stream.owedCredit = 0
    return frame

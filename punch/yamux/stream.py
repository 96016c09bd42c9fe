"""
The state of one stream in its session, with its send queue.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

from punch.yamux.frames import SYN
from punch.yamux.window import INITIAL_WINDOW, ReceiveWindow

HIGH_MARK: Final = 128 << 10
"""
Bytes queued above which a stream's writer should pause.
"""

LOW_MARK: Final = 64 << 10
"""
Bytes queued at which it may resume.
"""


class SendQueue:
    """
    The bytes that an application wrote to one stream and that were not sent yet.

    @ivar size: bytes in the queue.
    """

    __slots__ = ("_chunks", "_start", "_wasHigh", "size")

    def __init__(self) -> None:
        self.size = 0
        # Made when needed: an empty deque alone is 760 bytes.
        self._chunks: deque[bytes] | None = None
        # Bytes of the first chunk that are gone already.
        self._start = 0
        self._wasHigh = False

    def put(self, data: bytes) -> None:
        """
        Append C{data}, which is not empty.
        """
        if self._chunks is None:
            self._chunks = deque()
        self._chunks.append(data)
        self.size += len(data)
        if self.size > HIGH_MARK:
            self._wasHigh = True

    def take(self, limit: int) -> list[bytes]:
        """
        Remove up to C{limit} bytes.

        @return: them, in the pieces in which they were put.  Each byte is copied once
            at most.
        """
        taken: list[bytes] = []
        chunks = self._chunks
        while chunks and limit:
            piece = chunks[0]
            if self._start or len(piece) > limit:
                piece = piece[self._start : self._start + limit]
            self._start += len(piece)
            if self._start == len(chunks[0]):
                chunks.popleft()
                self._start = 0
            limit -= len(piece)
            self.size -= len(piece)
            taken.append(piece)
        if not self.size:
            self._chunks = None
        return taken

    def hasDrained(self) -> bool:
        """
        Whether the queue has fallen from L{HIGH_MARK} to L{LOW_MARK}.  It is L{True}
        once for each time.
        """
        if self._wasHigh and self.size <= LOW_MARK:
            self._wasHigh = False
            return True
        return False


class HalfState(Enum):
    """
    The state of one direction of a stream.
    """

    OPEN = "open"
    FINISHING = "finishing"
    """
    FIN is to follow what is queued.
    """
    FINISHED = "finished"


class StreamState:
    """
    The state of an open stream.  A session's stream table makes and forgets it.

    @ivar owedFlags: flags that the next frame has to carry: SYN on a stream that we
        opened, ACK on one that the peer opened.
    @ivar owedCredit: bytes that the next window update has to grant to the peer.
    @ivar credit: bytes that we may still send.
    @ivar window: the receive window.
    @ivar sending: the direction to the peer.
    @ivar receiving: the direction from the peer.
    """

    __slots__ = (
        "credit",
        "id",
        "owedCredit",
        "owedFlags",
        "receiving",
        "sendQueue",
        "sending",
        "window",
    )

    def __init__(self, id: int, owedFlags: int, window: ReceiveWindow) -> None:
        self.id = id
        self.owedFlags = owedFlags
        self.window = window
        self.owedCredit = 0
        self.credit = INITIAL_WINDOW
        self.sendQueue = SendQueue()
        self.sending = HalfState.OPEN
        self.receiving = HalfState.OPEN

    def isReady(self) -> bool:
        """
        Whether a frame of this stream can be sent now.
        """
        if self.owedFlags & SYN:
            return True
        if self.sendQueue.size:
            return self.credit > 0
        return self.sending is HalfState.FINISHING

    def isOver(self) -> bool:
        """
        Whether both sides have finished.
        """
        return (
            self.sending is HalfState.FINISHED and self.receiving is HalfState.FINISHED
        )

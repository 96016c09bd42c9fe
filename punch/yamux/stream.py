"""
One stream as its session sees it.

What waits to be sent on one stream.
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
    A queue of bytes.

    @ivar size: bytes in it.
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
        Append some bytes, not none.
        """
        if self._chunks is None:
            self._chunks = deque()
        self._chunks.append(data)
        self.size += len(data)
        if self.size > HIGH_MARK:
            self._wasHigh = True

    def take(self, limit: int) -> list[bytes]:
        """
        Remove up to C{limit} bytes, in as many pieces as they were put, each byte
        copied once at most.
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
        Whether the queue has fallen from the high mark to the low one; said once.
        """
        if self._wasHigh and self.size <= LOW_MARK:
            self._wasHigh = False
            return True
        return False


class Half(Enum):
    """
    One direction of a stream.
    """

    OPEN = "open"
    FINISHING = "finishing"
    """
    FIN is to follow what is queued.
    """
    FINISHED = "finished"


class Stream:
    """
    A live stream: its two directions.

    @ivar owed: flags that the next frame has to carry: SYN on a stream of ours,
        ACK on one of the peer's.
    @ivar grant: bytes that the next window update has to give.
    @ivar credit: bytes that we may still send.
    """

    __slots__ = (
        "credit",
        "grant",
        "id",
        "outgoing",
        "owed",
        "receiving",
        "sending",
        "window",
    )

    def __init__(self, id: int, owed: int, window: ReceiveWindow) -> None:
        self.id = id
        self.owed = owed
        self.window = window
        self.grant = 0
        self.credit = INITIAL_WINDOW
        self.outgoing = SendQueue()
        self.sending = Half.OPEN
        self.receiving = Half.OPEN

    def isReady(self) -> bool:
        """
        Whether there is something that may be sent in its turn.
        """
        if self.owed & SYN:
            return True
        if self.outgoing.size:
            return self.credit > 0
        return self.sending is Half.FINISHING

    def isOver(self) -> bool:
        """
        Whether both sides have finished.
        """
        return self.sending is Half.FINISHED and self.receiving is Half.FINISHED

"""
One stream as its session sees it.
"""

from __future__ import annotations

from enum import Enum

from punch.yamux.frames import SYN
from punch.yamux.outgoing import Outgoing
from punch.yamux.window import INITIAL_WINDOW, ReceiveWindow


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
        self.outgoing = Outgoing()
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

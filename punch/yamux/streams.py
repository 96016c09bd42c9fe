"""
The table of a session's open streams, with their ids and the bounds on their number.
"""

from __future__ import annotations

from punch.errors import Bug, ProtocolViolation
from punch.role import Role
from punch.yamux.errors import StreamIdsExhausted, StreamLimitReached
from punch.yamux.frames import ACK, MAXIMUM_ID, SESSION, SYN
from punch.yamux.limits import SessionLimits
from punch.yamux.stream import StreamState
from punch.yamux.window import GrowthBudget, ReceiveWindow


class StreamIds:
    """
    Allots the stream ids of one session and checks the peer's (specification,
    "StreamID Field").

    The dialer's ids are odd and the listener's even.  Each side's ids only rise.  So
    two numbers tell whether an id was ever used, and nothing has to be kept of a
    stream that is over.
    """

    __slots__ = ("_next", "_parity", "_theirs")

    def __init__(self, role: Role) -> None:
        self._parity = 1 if role is Role.DIALER else 0
        self._next = 1 if role is Role.DIALER else 2
        # The highest that the peer has used.
        self._theirs = 0

    def allot(self) -> int:
        """
        Allot our next id.

        @raise StreamIdsExhausted: there is none left.
        """
        if self._next > MAXIMUM_ID:
            raise StreamIdsExhausted
        id = self._next
        self._next += 2
        return id

    def isOurs(self, id: int) -> bool:
        """
        Whether this id is one of those that our side allots.
        """
        return id & 1 == self._parity

    def wasOpened(self, id: int) -> bool:
        """
        Whether there may have been a stream of this id.  (Ids may be skipped.)
        """
        if self.isOurs(id):
            return SESSION < id < self._next
        return SESSION < id <= self._theirs

    def accept(self, id: int) -> None:
        """
        Note that the peer opens a stream of this id.

        @raise ProtocolViolation: the id is one of ours, or not above the last one.
        """
        if self.isOurs(id):
            raise ProtocolViolation(f"stream {id} opened by the wrong side")
        if id <= self._theirs:
            raise ProtocolViolation(f"stream {id} opened after {self._theirs}")
        self._theirs = id


class StreamTable:
    """
    The open streams of one session.

    Nothing is kept of a stream that is over; its id tells that there was one.
    """

    __slots__ = ("_growth", "_ids", "_limits", "_live", "_theirs", "_unacknowledged")

    def __init__(self, role: Role, limits: SessionLimits) -> None:
        self._limits = limits
        self._growth = GrowthBudget(limits.windowGrowth)
        self._ids = StreamIds(role)
        self._live: dict[int, StreamState] = {}
        # How many of them the peer opened.
        self._theirs = 0
        # Those of ours that the peer has not acknowledged.
        self._unacknowledged: set[int] = set()

    def __len__(self) -> int:
        """
        How many streams are open.
        """
        return len(self._live)

    def find(self, id: int) -> StreamState | None:
        """
        Find the stream that the application means.

        @return: the stream; L{None} if it is over.
        @raise Bug: there never was a stream of this id.
        """
        stream = self._live.get(id)
        if stream is None and not self._ids.wasOpened(id):
            raise Bug(f"no stream {id}")
        return stream

    def findForPeer(self, id: int) -> StreamState | None:
        """
        Find the stream that the peer means.

        @return: the stream; L{None} if it is over.
        @raise ProtocolViolation: there never was a stream of this id that the peer
            could know of.
        """
        stream = self._live.get(id)
        known = (
            self._ids.wasOpened(id) if stream is None else not stream.owedFlags & SYN
        )
        if not known:
            raise ProtocolViolation(f"a frame for stream {id}, which never was")
        return stream

    def open(self) -> StreamState:
        """
        Open a stream of ours.

        @raise CannotOpen: L{StreamLimitReached} or L{StreamIdsExhausted
            <punch.yamux.errors.StreamIdsExhausted>}.
        """
        limits = self._limits
        if (
            len(self._live) - self._theirs >= limits.localStreams
            or len(self._unacknowledged) >= limits.unacknowledged
        ):
            raise StreamLimitReached
        stream = self._add(self._ids.allot(), SYN)
        self._unacknowledged.add(stream.id)
        return stream

    def accept(self, id: int, welcome: bool) -> StreamState | None:
        """
        Accept a stream that the peer opens.

        @param welcome: whether we take new streams.
        @return: the stream; L{None} if it is to be refused.
        @raise ProtocolViolation: the peer may not use this id.
        """
        self._ids.accept(id)
        if not welcome or self._theirs >= self._limits.remoteStreams:
            return None
        self._theirs += 1
        return self._add(id, ACK)

    def acknowledged(self, id: int) -> None:
        """
        Note that the peer acknowledged a stream.

        @raise ProtocolViolation: the stream is one of its own.
        """
        if not self._ids.isOurs(id):
            raise ProtocolViolation(f"an acknowledgment of its own stream {id}")
        self._unacknowledged.discard(id)

    def remove(self, stream: StreamState) -> None:
        """
        Forget a stream that is over.
        """
        del self._live[stream.id]
        if self._ids.isOurs(stream.id):
            self._unacknowledged.discard(stream.id)
        else:
            self._theirs -= 1
        stream.window.close()

    def _add(self, id: int, owedFlags: int) -> StreamState:
        window = ReceiveWindow(self._limits.window, self._growth)
        stream = self._live[id] = StreamState(id, owedFlags, window)
        return stream

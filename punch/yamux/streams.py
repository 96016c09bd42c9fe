"""
The live streams of a session, and the bounds on their number.

Which ids belong to whom, and which were used (specification, "StreamID Field").
"""

from __future__ import annotations

from punch.errors import Bug, ProtocolViolation
from punch.role import Role
from punch.yamux.errors import StreamsExhausted, TooManyStreams
from punch.yamux.frames import ACK, MAXIMUM_ID, SESSION, SYN
from punch.yamux.limits import Limits
from punch.yamux.stream import Stream
from punch.yamux.window import Growth, ReceiveWindow


class StreamIds:
    """
    The ids of one session: the dialer's are odd, the listener's even, each
    side's only rise, and none comes twice.  So two numbers tell whether any id
    was ever used, and nothing has to be kept of a stream that is over.
    """

    __slots__ = ("_next", "_parity", "_theirs")

    def __init__(self, role: Role) -> None:
        self._parity = 1 if role is Role.DIALER else 0
        self._next = 1 if role is Role.DIALER else 2
        # The highest that the peer has used.
        self._theirs = 0

    def allot(self) -> int:
        """
        The next id of ours.

        @raise StreamsExhausted: there is none left.
        """
        if self._next > MAXIMUM_ID:
            raise StreamsExhausted
        id = self._next
        self._next += 2
        return id

    def isOurs(self, id: int) -> bool:
        """
        Whether it is for us to open the stream of this id.
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
        The peer opens a stream of this id.

        @raise ProtocolViolation: the id is one of ours, or was used, or should
            have been used earlier.
        """
        if self.isOurs(id):
            raise ProtocolViolation(f"stream {id} opened by the wrong side")
        if id <= self._theirs:
            raise ProtocolViolation(f"stream {id} opened after {self._theirs}")
        self._theirs = id


class Streams:
    """
    The streams that live.  Of one that is over nothing stays; that it was is
    known from its id.
    """

    __slots__ = ("_growth", "_ids", "_limits", "_live", "_theirs", "_unacknowledged")

    def __init__(self, role: Role, limits: Limits) -> None:
        self._limits = limits
        self._growth = Growth(limits.growth)
        self._ids = StreamIds(role)
        self._live: dict[int, Stream] = {}
        # How many of them the peer opened.
        self._theirs = 0
        # Those of ours that the peer has not acknowledged.
        self._unacknowledged: set[int] = set()

    def __len__(self) -> int:
        """
        How many live.
        """
        return len(self._live)

    def find(self, id: int) -> Stream | None:
        """
        The stream that the application means; L{None} if it is over.

        @raise Bug: there never was one.
        """
        stream = self._live.get(id)
        if stream is None and not self._ids.wasOpened(id):
            raise Bug(f"no stream {id}")
        return stream

    def findForPeer(self, id: int) -> Stream | None:
        """
        The stream that the peer means; L{None} if it is over.

        @raise ProtocolViolation: there never was one, for all that the peer can
            know.
        """
        stream = self._live.get(id)
        known = self._ids.wasOpened(id) if stream is None else not stream.owed & SYN
        if not known:
            raise ProtocolViolation(f"a frame for stream {id}, which never was")
        return stream

    def open(self) -> Stream:
        """
        One more of ours.

        @raise CannotOpen: L{TooManyStreams} or L{StreamsExhausted
            <punch.yamux.errors.StreamsExhausted>}.
        """
        limits = self._limits
        if (
            len(self._live) - self._theirs >= limits.ours
            or len(self._unacknowledged) >= limits.backlog
        ):
            raise TooManyStreams
        stream = self._add(self._ids.allot(), SYN)
        self._unacknowledged.add(stream.id)
        return stream

    def accept(self, id: int, welcome: bool) -> Stream | None:
        """
        One more of the peer's.

        @param welcome: whether we take any.
        @return: L{None} if it is to be refused.
        @raise ProtocolViolation: the peer may not use this id (now).
        """
        self._ids.accept(id)
        if not welcome or self._theirs >= self._limits.theirs:
            return None
        self._theirs += 1
        return self._add(id, ACK)

    def acknowledged(self, id: int) -> None:
        """
        The peer acknowledged a stream.

        @raise ProtocolViolation: it is one of its own.
        """
        if not self._ids.isOurs(id):
            raise ProtocolViolation(f"an acknowledgment of its own stream {id}")
        self._unacknowledged.discard(id)

    def remove(self, stream: Stream) -> None:
        """
        The stream is over.
        """
        del self._live[stream.id]
        if self._ids.isOurs(stream.id):
            self._unacknowledged.discard(stream.id)
        else:
            self._theirs -= 1
        stream.window.close()

    def _add(self, id: int, owed: int) -> Stream:
        window = ReceiveWindow(self._limits.window, self._growth)
        stream = self._live[id] = Stream(id, owed, window)
        return stream

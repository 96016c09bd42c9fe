"""
Which ids belong to whom, and which were used (specification, "StreamID Field").
"""

from __future__ import annotations

from punch.errors import ProtocolViolation
from punch.role import Role
from punch.yamux.frames import MAXIMUM_ID, SESSION
from punch.yamux.refusals import StreamsExhausted


class Ids:
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

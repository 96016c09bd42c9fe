"""
The byte stream of a connection, one class for each direction.

No acknowledgments are sent.  The network tells the sender of a lost segment, which
sends it again as if an acknowledgment had not come.  For flow control an ACK tells how
much the program has read, once in half a window.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from punch.testing.medium import Medium
from punch.testing.segment import Segment, SegmentKind, SocketAddress
from punch.testing.timeline import Timer

WINDOW = 65536
"""
Bytes of one direction that may be on their way or unread.
"""

RETRANSMISSION_TIMEOUT = 0.2
MAXIMUM_TIMEOUT = 120.0
"""
Seconds: Linux's floor and ceiling (TCP_RTO_MIN and TCP_RTO_MAX).
"""


class ConnectionEnd(Protocol):
    """
    What the sending half needs of its connection.

    @ivar addresses: the local and the remote address.
    @ivar network: the network that its host is on.
    """

    addresses: tuple[SocketAddress, SocketAddress]
    network: Medium

    def transmit(self, segment: Segment) -> None:
        """
        Send a segment to the other end.
        """

    def isSuperseded(self, segment: Segment) -> bool:
        """
        Whether a lost segment need not be sent again.
        """

    def expire(self, silence: float) -> bool:
        """
        Give up if C{silence} seconds without an answer are too long.

        @return: whether they were.
        """


class SendingHalf:
    """
    The bytes that one end of a connection sends.

    @ivar isFinal: whether a FIN was sent.
    """

    def __init__(self, connection: ConnectionEnd) -> None:
        self._connection = connection
        self._sent = 0
        self._limit = WINDOW
        self._resending: dict[Segment, Timer] = {}
        self._stopped = False
        self.isFinal = False

    @property
    def room(self) -> int:
        """
        How many bytes may be sent now.
        """
        return self._limit - self._sent

    def push(self, data: bytes | memoryview) -> int:
        """
        Send as much as the window admits.

        @return: how many bytes were sent.
        """
        taken = min(len(data), self.room)
        size = self._connection.network.segmentSize
        for start in range(0, taken, size):
            if self._stopped:
                break
            self._send(bytes(data[start : min(start + size, taken)]))
        return taken

    def finish(self) -> None:
        """
        Send a FIN.
        """
        self.isFinal = True
        self._send(b"")

    def allow(self, consumed: int) -> None:
        """
        Open the window: the other end has read C{consumed} bytes so far.
        """
        self._limit = max(self._limit, consumed + WINDOW)

    def stop(self) -> None:
        """
        Send nothing again: the connection is over.
        """
        self._stopped = True
        for timer in self._resending.values():
            timer.cancel()
        self._resending.clear()

    def acknowledge(self, consumed: int) -> None:
        """
        Tell the other end how much of its stream has been read.
        """
        segment = Segment(SegmentKind.ACK, *self._connection.addresses)
        segment.window = consumed
        segment.sender = self
        self._connection.transmit(segment)

    def _send(self, payload: bytes) -> None:
        segment = Segment(SegmentKind.DATA, *self._connection.addresses)
        segment.offset = self._sent
        segment.payload = payload
        segment.final = self.isFinal
        segment.sender = self
        self._sent += len(payload)
        self._connection.transmit(segment)

    def lost(self, segment: Segment) -> None:
        """
        Send a lost segment again, later each time, until the connection gives up.
        """
        if self._stopped or self._connection.isSuperseded(segment):
            return
        timeline = self._connection.network.timeline
        now = timeline.clock.seconds()
        if segment.attempts == 0:
            segment.lostAt = now
        elif self._connection.expire(now - segment.lostAt):
            return
        delay = min(MAXIMUM_TIMEOUT, RETRANSMISSION_TIMEOUT * 2.0**segment.attempts)
        segment.attempts += 1
        self._resending[segment] = timeline.after(delay, self._resend, segment)

    def _resend(self, segment: Segment) -> None:
        del self._resending[segment]
        # The NATs it passed have rewritten these.
        segment.source, segment.destination = self._connection.addresses
        self._connection.transmit(segment)


class ReceivingHalf:
    """
    The bytes that one end of a connection receives, put in order.

    @ivar advertised: bytes of which the other end knows that they were read.
    @ivar unread: bytes that the program can read.
    @ivar isFinal: whether the FIN has come, and all before it.
    """

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._early: dict[int, Segment] = {}
        self._expected = 0
        self._consumed = 0
        self.advertised = 0
        self.unread = 0
        self.isFinal = False

    def insert(self, segment: Segment) -> None:
        """
        Take a segment of data.  One that is early waits for those before it.
        """
        self._early[segment.offset] = segment
        while (following := self._early.pop(self._expected, None)) is not None:
            if following.payload:
                self._chunks.append(following.payload)
            self._expected += len(following.payload)
            self.unread += len(following.payload)
            self.isFinal = following.final

    def take(self, size: int) -> bytes:
        """
        Read up to C{size} bytes that have arrived.
        """
        taken: list[bytes] = []
        missing = min(size, self.unread)
        self.unread -= missing
        self._consumed += missing
        while missing:
            chunk = self._chunks.popleft()
            if len(chunk) > missing:
                self._chunks.appendleft(chunk[missing:])
                chunk = chunk[:missing]
            taken.append(chunk)
            missing -= len(chunk)
        return b"".join(taken)

    def windowToAdvertise(self) -> int | None:
        """
        How many bytes have been read so far; L{None} if it is too early to tell.
        """
        if self.isFinal or self._consumed - self.advertised < WINDOW // 2:
            return None
        self.advertised = self._consumed
        return self._consumed

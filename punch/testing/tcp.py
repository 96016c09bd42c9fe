"""
The TCP of a host: its connections, its listeners, and which of them a segment is for.

The handshake is that of a kernel, segment by segment, simultaneous open included.
There is no TIME-WAIT: a connection that both ends have finished frees its four-tuple at
once, as it does for connect() where TCP timestamps are on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from errno import ECONNREFUSED, ECONNRESET, EPIPE, ETIMEDOUT
from typing import Protocol
from zlib import crc32

from punch.testing.bytestream import ReceivingHalf, SendingHalf
from punch.testing.medium import Medium
from punch.testing.ports import WILDCARDS, Claim, PortTable
from punch.testing.segment import Segment, SegmentKind, SocketAddress, canonicalIP
from punch.testing.timeline import Timer

SYN_INTERVALS = (1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 4.0, 8.0, 16.0)
"""
Seconds from each SYN to the next (measured on Linux 6.18: they go out at 0, 1, 2, 3,
4, 5, 7, 11 and 19 s); the last is the wait for an answer to the last.
"""

SYN_ACK_INTERVALS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""
The same for the answer to a SYN (Linux's tcp_synack_retries).
"""

FIN_TIMEOUT = 60.0
"""
Seconds that a closed socket waits for the other end's FIN (Linux's
tcp_fin_timeout).
"""

RETRANSMISSION_LIMIT = 900.0
ORPHAN_LIMIT = 100.0
"""
Seconds for which a lost segment is sent again, with and without a socket (about what
Linux's tcp_retries2 and tcp_orphan_retries come to).
"""


class TCPState(Enum):
    """
    The states of the handshake.  How far each direction has ended is known to its half.
    """

    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    CLOSED = "CLOSED"


class Waker(Protocol):
    """
    What a connection or listener tells of news: the socket that it belongs to.
    """

    def wake(self) -> None:
        """
        Something may have become readable or writable.
        """


class TCB:
    """
    The transmission control block (RFC 9293) of one end of a connection, from the first
    SYN to the last FIN.  A socket makes it to connect, an accept queue for a SYN.

    @ivar socket: the program's socket; L{None} before accept() and after close().
    @ivar listener: the accept queue that it is in, until the program accepts it.
    @ivar addresses: the local and the remote address.
    @ivar claim: its hold on the local port.
    @ivar sequence: its initial sequence number, which no other connection has.
    @ivar error: the C{errno} that ended it, or 0.
    @ivar incoming: what it has received.
    @ivar outgoing: what it sends.
    """

    socket: Waker | None = None
    listener: AcceptQueue | None = None

    def __init__(
        self,
        stack: TCPStack,
        local: SocketAddress,
        remote: SocketAddress,
        claim: Claim,
    ) -> None:
        self.stack = stack
        self.network = stack.network
        self.addresses = (local, remote)
        self.claim = claim
        self.state = TCPState.CLOSED
        self.error = 0
        self.incoming = ReceivingHalf()
        self.outgoing = SendingHalf(self)
        self.sequence = self.network.initialSequence()
        self._peer: int | None = None
        self._timer: Timer | None = None

    # What the program does.

    def open(self) -> None:
        """
        Connect (RFC 9293 section 3.10.1, active).
        """
        self.state = TCPState.SYN_SENT
        self.stack.add(self)
        self._synchronize(SegmentKind.SYN, SYN_INTERVALS, 0)

    def answer(self, segment: Segment) -> None:
        """
        Accept a SYN that came to a listener.
        """
        self.stack.add(self)
        self._receiveSYN(segment)

    def finish(self) -> None:
        """
        Send a FIN after what has been sent.  The other direction goes on.
        """
        if self.state is TCPState.SYN_SENT:
            self.discard()
        elif self.state is not TCPState.CLOSED and not self.outgoing.isFinal:
            self.outgoing.finish()
            self._finishIfBoth()

    def close(self, abruptly: bool) -> None:
        """
        Close: the program closed its socket.  With unread bytes that is a reset, as in
        Linux.

        @param abruptly: whether it is a reset in any case.
        """
        self.socket = None
        if self.state is TCPState.CLOSED or self.state is TCPState.SYN_SENT:
            self.discard()
        elif self._isFinished:
            pass
        elif abruptly or self.incoming.unread:
            self.reset()
        else:
            self.finish()
            self._expectFIN()

    def reset(self) -> None:
        """
        End the connection at once and tell the other end.
        """
        if self.state is not TCPState.CLOSED:
            self.discard()
            self.transmit(Segment(SegmentKind.RST, *self.addresses))

    def discard(self) -> None:
        """
        End the connection at once and tell nobody.
        """
        self.state = TCPState.CLOSED
        self.outgoing.stop()
        self._release()
        if self.listener is not None:
            self.listener.forget(self)

    def fail(self, error: int) -> None:
        """
        End the connection at once and tell the program this C{errno}.
        """
        self.error = error
        self.discard()
        self._notify()

    def expire(self, silence: float) -> bool:
        """
        Fail if a segment was lost again and again for too long.

        @param silence: seconds since it was first lost.
        @return: whether that is too long.
        """
        limit = ORPHAN_LIMIT if self.socket is None else RETRANSMISSION_LIMIT
        if silence > limit:
            self.fail(ETIMEDOUT)
        return silence > limit

    # What the network does (RFC 9293 section 3.10.7).

    def receive(self, segment: Segment) -> None:
        """
        Take a segment that came on this four-tuple.
        """
        kind = segment.kind
        if kind is SegmentKind.RST:
            self._receiveRST(segment)
        elif kind is SegmentKind.UNREACHABLE:
            self._receiveUnreachable(segment)
        elif self.state is TCPState.SYN_SENT:
            self._receiveInSYNSent(segment)
        elif kind is SegmentKind.SYN:
            self._receiveAnotherSYN(segment)
        elif (segment.acknowledgment, segment.sequence) != (self.sequence, self._peer):
            self._receiveStray(segment)
        else:
            self._receiveOurs(segment)

    def _receiveRST(self, segment: Segment) -> None:
        if self.state is TCPState.SYN_SENT:
            if segment.acknowledgment == self.sequence:
                self.fail(ECONNREFUSED)
        elif segment.sequence == self._peer:
            self.fail(EPIPE if self.incoming.isFinal else ECONNRESET)

    def _receiveUnreachable(self, segment: Segment) -> None:
        ours = segment.acknowledgment == self.sequence
        if ours and self.state is not TCPState.ESTABLISHED:
            self.fail(segment.error)

    def _receiveInSYNSent(self, segment: Segment) -> None:
        if segment.kind is SegmentKind.SYN:
            self._receiveSYN(segment)
        elif segment.acknowledgment != self.sequence:
            self.stack.refuse(segment)
        elif segment.kind is SegmentKind.SYN_ACK:
            self._peer = segment.sequence
            self._establish()
            self._send(SegmentKind.ACK)
        else:
            self.network.drop(segment)

    def _receiveSYN(self, segment: Segment) -> None:
        """
        Take the other end's first SYN: to a listener, or crossing our own.
        """
        self.state = TCPState.SYN_RECEIVED
        self._peer = segment.sequence
        self._synchronize(SegmentKind.SYN_ACK, SYN_ACK_INTERVALS, 0)

    def _receiveAnotherSYN(self, segment: Segment) -> None:
        """
        Answer the first SYN again.  Answer the SYN of a newer connection with a
        challenge ACK, so that the newer connection resets this one if it is real (RFC
        5961 section 4).
        """
        if self.state is TCPState.SYN_RECEIVED and segment.sequence == self._peer:
            self._send(SegmentKind.SYN_ACK)
        else:
            self._send(SegmentKind.ACK)

    def _receiveStray(self, segment: Segment) -> None:
        """
        Take a segment of another connection on the same four-tuple.
        """
        if self.state is TCPState.SYN_RECEIVED:
            self.stack.refuse(segment)
        else:
            self.network.drop(segment)

    def _receiveOurs(self, segment: Segment) -> None:
        if self.state is TCPState.SYN_RECEIVED:
            self._establish()
        if segment.kind is SegmentKind.SYN_ACK:
            self._send(SegmentKind.ACK)
        elif segment.kind is SegmentKind.DATA:
            self._receiveData(segment)
        elif segment.window is not None:
            self.outgoing.allow(segment.window)
            self._notify()

    def _receiveData(self, segment: Segment) -> None:
        if segment.payload and self.socket is None and self.listener is None:
            self.discard()
            self.stack.refuse(segment)
            return
        self.incoming.insert(segment)
        self._notify()
        self._finishIfBoth()

    # What the streams and the machine need.

    def transmit(self, segment: Segment) -> None:
        """
        Send a segment of this connection.
        """
        segment.sequence = self.sequence
        segment.acknowledgment = self._peer
        self.stack.emit(segment)

    def isSuperseded(self, segment: Segment) -> bool:
        """
        Whether a lost segment is an ACK after which a later one was sent.
        """
        return (
            segment.kind is SegmentKind.ACK
            and segment.window != self.incoming.advertised
        )

    def acknowledge(self) -> None:
        """
        Tell the other end, now and then, how much the program has read.
        """
        consumed = self.incoming.windowToAdvertise()
        if consumed is not None and self.state is not TCPState.CLOSED:
            self.outgoing.acknowledge(consumed)

    @property
    def _isFinished(self) -> bool:
        return self.outgoing.isFinal and self.incoming.isFinal

    def _expectFIN(self) -> None:
        """
        Wait for the other end's FIN no longer than L{FIN_TIMEOUT}: there is no socket.
        """
        if self.state is TCPState.ESTABLISHED and not self._isFinished:
            self._setTimer(FIN_TIMEOUT, self.discard)

    def _finishIfBoth(self) -> None:
        if self._isFinished:
            self.stack.remember(self)
            self._release()

    def _release(self) -> None:
        self._cancelTimer()
        self.stack.remove(self)

    def _establish(self) -> None:
        self._cancelTimer()
        self.state = TCPState.ESTABLISHED
        if self.listener is not None:
            self.listener.complete(self)
        elif self.socket is not None:
            self._notify()
        else:
            self._expectFIN()

    def _notify(self) -> None:
        if self.socket is not None:
            self.socket.wake()

    def _synchronize(
        self, kind: SegmentKind, intervals: tuple[float, ...], attempt: int
    ) -> None:
        """
        Send a SYN or SYN-ACK until it is answered, or fail after the last interval.
        """
        if attempt == len(intervals):
            self.fail(ETIMEDOUT)
            return
        self._setTimer(
            intervals[attempt], self._synchronize, kind, intervals, attempt + 1
        )
        self._send(kind)

    def _send(self, kind: SegmentKind) -> None:
        self.transmit(Segment(kind, *self.addresses))

    def _setTimer(
        self, delay: float, call: Callable[..., object], *args: object
    ) -> None:
        self._cancelTimer()
        self._timer = self.network.timeline.after(delay, call, *args)

    def _cancelTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class AcceptQueue:
    """
    Answers the SYNs that come to a listening socket, and keeps the connections that
    wait to be accepted.  A socket makes it when it listens and closes it.

    @ivar claim: the socket's hold on its local port.
    @ivar queue: established connections that the program has not accepted yet.
    """

    def __init__(
        self, stack: TCPStack, claim: Claim, backlog: int, socket: Waker
    ) -> None:
        self.claim = claim
        self._stack = stack
        self._backlog = backlog
        self._socket = socket
        self._half: set[TCB] = set()
        self.queue: deque[TCB] = deque()

    def receive(self, segment: Segment) -> None:
        """
        Answer a SYN.  If the queue is full it is dropped, and will be sent again.
        """
        if len(self.queue) + len(self._half) > self._backlog:
            return
        claim = self._stack.ports.share(self.claim, segment.destination[0])
        child = TCB(self._stack, segment.destination, segment.source, claim)
        child.listener = self
        self._half.add(child)
        child.answer(segment)

    def complete(self, child: TCB) -> None:
        """
        Queue a connection whose handshake is done.
        """
        self._half.discard(child)
        self.queue.append(child)
        self._socket.wake()

    def forget(self, child: TCB) -> None:
        """
        Note that a connection is over.  If it waits in the queue it stays there and
        fails when it is accepted, as in Linux.
        """
        self._half.discard(child)

    def close(self) -> None:
        """
        Stop listening.  Connections in the queue are reset; unfinished handshakes are
        dropped silently.
        """
        for child in list(self._half):
            child.discard()
        for child in self.queue:
            child.reset()
        self._stack.stopListening(self)


class TCPStack:
    """
    The connections, the listeners and the local addresses of one host, which makes it.

    It finds the connection or listener that a segment is for, and answers others with a
    RST.

    @ivar network: the network that the host is on.
    @ivar emit: sends a segment off.
    @ivar ports: which sockets hold which local ports.
    """

    def __init__(
        self,
        network: Medium,
        addresses: Sequence[str],
        emit: Callable[[Segment], None],
    ) -> None:
        """
        @param addresses: the host's addresses, without the loopback ones.
        """
        self.network = network
        self.emit = emit
        self.ports = PortTable(network.random)
        self._addresses = addresses
        self._local = {"127.0.0.1", *addresses}
        if any(":" in each for each in addresses):
            self._local.add("::1")
        self._connections: dict[tuple[SocketAddress, SocketAddress], TCB] = {}
        self._finished: dict[tuple[SocketAddress, SocketAddress], int] = {}
        self._listeners: dict[int, list[AcceptQueue]] = {}

    def isLocal(self, host: str) -> bool:
        """
        Whether C{host} is an address of this host.
        """
        return host in self._local or host.startswith("127.")

    def mayBind(self, host: str) -> bool:
        """
        Whether a socket can listen on, or connect from, this address.
        """
        if host in WILDCARDS:
            return ":" not in host or "::1" in self._local
        return self.isLocal(host)

    def destination(self, host: str) -> str:
        """
        The address to which a connection to C{host} goes: the unspecified address
        means loopback.
        """
        host = canonicalIP(host)
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)

    def sourceFor(self, destination: str) -> str | None:
        """
        The address from which this host reaches another; L{None} if it has none of
        that family.
        """
        if self.isLocal(destination):
            return destination
        for each in self._addresses:
            if (":" in each) == (":" in destination):
                return each
        return None

    # What its connections and listeners ask.

    def isTaken(self, local: SocketAddress, remote: SocketAddress) -> bool:
        """
        Whether there is a connection, in whatever state, on this four-tuple.
        """
        return (local, remote) in self._connections

    def connections(self) -> list[TCB]:
        """
        The connections that are not over.
        """
        return list(self._connections.values())

    def add(self, connection: TCB) -> None:
        """
        Add a connection.
        """
        self._connections[connection.addresses] = connection

    def remove(self, connection: TCB) -> None:
        """
        Remove a connection that is over, and free its four-tuple and port.
        """
        if self._connections.get(connection.addresses) is connection:
            del self._connections[connection.addresses]
        self.ports.release(connection.claim)

    def remember(self, connection: TCB) -> None:
        """
        Ignore, instead of refusing, what still comes for a connection that ended well.
        That much of TIME-WAIT is needed.
        """
        self._finished[connection.addresses] = connection.sequence

    def listen(self, listener: AcceptQueue) -> None:
        """
        Add a listener.
        """
        self._listeners.setdefault(listener.claim.port, []).append(listener)

    def stopListening(self, listener: AcceptQueue) -> None:
        """
        Remove a listener that is closed, and free its port.
        """
        listeners = self._listeners[listener.claim.port]
        listeners.remove(listener)
        if not listeners:
            del self._listeners[listener.claim.port]
        self.ports.release(listener.claim)

    def receive(self, segment: Segment) -> None:
        """
        Take a segment for this host.
        """
        addresses = (segment.destination, segment.source)
        connection = self._connections.get(addresses)
        if connection is not None:
            connection.receive(segment)
            return
        if segment.kind is SegmentKind.SYN:
            listener = self._listener(segment)
            if listener is not None:
                listener.receive(segment)
                return
        if segment.kind is SegmentKind.RST or segment.kind is SegmentKind.UNREACHABLE:
            return
        if segment.acknowledgment != self._finished.get(addresses, 0):
            self.refuse(segment)

    def refuse(self, segment: Segment) -> None:
        """
        Answer a segment with a RST.  If that is lost, the segment comes again.
        """
        self.emit(segment.refusal())
        self.network.drop(segment)

    def _listener(self, segment: Segment) -> AcceptQueue | None:
        """
        The listener for a SYN: one on its very address before one on any address.
        Among those that share address and port the hash of the four-tuple decides.
        """
        host, port = segment.destination
        found = self._listeners.get(port, ())
        matching = [each for each in found if each.claim.host == host]
        if not matching:
            matching = [
                each
                for each in found
                if each.claim.host in WILDCARDS
                and (":" in each.claim.host) == (":" in host)
            ]
        if not matching:
            return None
        key = f"{segment.source}{segment.destination}".encode()
        return matching[crc32(key) % len(matching)]

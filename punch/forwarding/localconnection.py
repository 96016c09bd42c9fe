"""
Local connections, each spliced to a stream so that neither side can tell.

The relay splices two connections in the same way; see L{punch.net.splice}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from punch.net.splice import SocketEnd, SpliceEnd
from punch.streams.stream import Stream
from punch.util.deferreds import SharedResult
from punch.yamux.batching import MAXIMUM, MINIMUM
from punch.yamux.session import MAX_FRAME_DATA


class LocalConnection(SocketEnd):
    """
    A connection to or from a program on this side.  It reads nothing until it is
    joined to a stream.
    """

    other: StreamEnd
    _joined = False

    def __init__(
        self,
        connections: LocalConnections,
        connected: Callable[[LocalConnection], None] = lambda local: None,
    ) -> None:
        """
        @param connections: keeps track of this one while it is open.
        @param connected: is called when the connection is made.
        """
        self._connections = connections
        self._connected = connected

    def connectionMade(self) -> None:
        self._connections.add(self)
        self.transport.pauseProducing()
        if isinstance(self.transport.getHost(), (IPv4Address, IPv6Address)):
            self.transport.setTcpNoDelay(True)
            # Without it nobody would notice that a host is gone.
            self.transport.setTcpKeepAlive(True)
            # What one read returns fills whole frames, which are sent together.
            self.transport.bufferSize = MAXIMUM // MINIMUM * MAX_FRAME_DATA
            self.transport.SEND_LIMIT = MAXIMUM
        self._connected(self)

    @property
    def isOpen(self) -> bool:
        """
        Whether the connection has not ended.
        """
        return self._lost is None

    def join(self, other: SpliceEnd) -> None:
        """
        Pass what arrives on to the stream, from now on.
        """
        self._joined = True
        SocketEnd.join(self, other)
        if self._lost is not None:
            SpliceEnd.connectionLost(self, self._lost)
        else:
            self.transport.resumeProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._connections.remove(self)
        self._lost = reason
        if self._joined:
            SocketEnd.connectionLost(self, reason)


class StreamEnd(SpliceEnd):
    """
    The protocol on a stream that is spliced to a local connection.  The two are joined
    when the stream starts it.
    """

    transport: Stream

    def __init__(self, local: LocalConnection) -> None:
        self._local = local

    def connectionMade(self) -> None:
        self.join(self._local)
        self._local.join(self)

    def finish(self) -> None:
        # loseConnection would give up on a slow reader.
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()

    def abort(self) -> None:
        self.transport.abortConnection()


class LocalConnections:
    """
    The local connections that are open, of all services and forwards together.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._open: set[LocalConnection] = set()
        self._closed: SharedResult[None] = SharedResult()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, local: LocalConnection) -> None:
        """
        Keep track of a connection.
        """
        self._open.add(local)

    def remove(self, local: LocalConnection) -> None:
        """
        Forget a connection that has ended.
        """
        self._open.discard(local)
        if not self._open:
            closed, self._closed = self._closed, SharedResult()
            closed.succeed(None)

    async def whenClosed(self, timeout: float) -> None:
        """
        Wait until no connection is left.

        @param timeout: seconds after which those that are left are aborted.
        """
        timer = self._clock.callLater(timeout, self._abort)
        if self._open:
            await self._closed.wait()
        if timer.active():
            timer.cancel()

    def _abort(self) -> None:
        for local in list(self._open):
            local.abort()

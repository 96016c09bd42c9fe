"""
The splice: a local connection and a stream, joined so that neither side can tell
(see L{punch.net.splice}: the relay joins two connections likewise).
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from punch.net.splice import End, SocketEnd
from punch.streams.stream import Stream
from punch.util.deferreds import SharedResult
from punch.yamux.batching import LEAST, MOST
from punch.yamux.session import PIECE


class Local(SocketEnd):
    """
    The local connection.  Nothing of it is read until it is joined to a stream.
    """

    other: StreamEnd
    _joined = False

    def __init__(
        self, locals: Locals, connected: Callable[[Local], None] = lambda local: None
    ) -> None:
        """
        @param locals: will know this one while it lives.
        @param connected: called once it is a connection.
        """
        self._locals = locals
        self._connected = connected

    def connectionMade(self) -> None:
        self._locals.add(self)
        self.transport.pauseProducing()
        if isinstance(self.transport.getHost(), (IPv4Address, IPv6Address)):
            self.transport.setTcpNoDelay(True)
            # Nobody else would notice a host that is gone.
            self.transport.setTcpKeepAlive(True)
            # What is read at once fills whole frames, and goes out in one portion.
            self.transport.bufferSize = MOST // LEAST * PIECE
            self.transport.SEND_LIMIT = MOST
        self._connected(self)

    @property
    def lives(self) -> bool:
        """
        Whether it has not ended.
        """
        return self._lost is None

    def join(self, other: End) -> None:
        """
        Begin to read.
        """
        self._joined = True
        SocketEnd.join(self, other)
        if self._lost is not None:
            End.connectionLost(self, self._lost)
        else:
            self.transport.resumeProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._locals.remove(self)
        self._lost = reason
        if self._joined:
            SocketEnd.connectionLost(self, reason)


class StreamEnd(End):
    """
    The stream; the splice begins when this runs on it.
    """

    transport: Stream

    def __init__(self, local: Local) -> None:
        self._local = local

    def connectionMade(self) -> None:
        self.join(self._local)
        self._local.join(self)

    def finish(self) -> None:
        # Not loseConnection, which is not as patient with a slow reader.
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()

    def abort(self) -> None:
        self.transport.abortConnection()


class Locals:
    """
    The local connections that live.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._living: set[Local] = set()
        self._none: SharedResult[None] = SharedResult()

    def __len__(self) -> int:
        return len(self._living)

    def add(self, local: Local) -> None:
        """
        One more.
        """
        self._living.add(local)

    def remove(self, local: Local) -> None:
        """
        It has ended.
        """
        self._living.discard(local)
        if not self._living:
            arrived, self._none = self._none, SharedResult()
            arrived.succeed(None)

    async def end(self, patience: float) -> None:
        """
        Wait until none is left; those that are after C{patience} seconds are
        aborted.
        """
        timer = self._clock.callLater(patience, self._abort)
        if self._living:
            await self._none.wait()
        if timer.active():
            timer.cancel()

    def _abort(self) -> None:
        for local in list(self._living):
            local.abort()

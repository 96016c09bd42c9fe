"""
The splice: a local connection and a stream, joined so that neither side can tell.

What one side sends the other gets, no faster than it takes it.  The end of one
direction is the end of that direction alone; and where one side breaks off, so does
the other: a broken connection never looks like a whole one.

A local connection that cannot end one direction alone (TLS) ends when the stream's
other side has finished; when it ends first, what the other side still sends is
dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.arrival import Arrival
from punch.streams.stream import Stream
from punch.yamux.session import PIECE


class _End(Protocol):
    """
    One of the two.  To the other one's transport it is a producer: nobody but us
    ends our transport.

    C{heardEnd}: nothing more comes from here.
    """

    transport: Any
    heardEnd = False
    peer: Any
    other: _End

    def join(self, other: _End) -> None:
        """
        What comes from here goes to C{other} from now on.
        """
        self.other, self.peer = other, other.transport
        self.peer.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        self.peer.write(data)

    def readConnectionLost(self) -> None:
        """
        Our side has finished.
        """
        self.heardEnd = True
        self.other.finish()

    def writeConnectionLost(self) -> None:
        """
        Our side has been told that the other one has finished.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not reason.check(ConnectionDone):
            self.other.abort()
        elif not self.heardEnd:
            self.heardEnd = True
            self.other.finish()

    def finish(self) -> None:
        """
        The other side has finished.
        """
        raise NotImplementedError()

    def abort(self) -> None:
        """
        The other side broke off.
        """
        raise NotImplementedError()

    def pauseProducing(self) -> None:
        """
        The other side takes no more for now.
        """
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        The other side takes more.
        """
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        The other side is gone; how that came about, it says itself.
        """


# zope.interface.implementer would hide Protocol's own declarations from mypy.
implementer(IHalfCloseableProtocol, IPushProducer)(_End)


class Local(_End):
    """
    The local connection.  Nothing of it is read until it is joined to a stream.
    """

    other: StreamEnd
    _joined = False
    _lost: Failure | None = None
    _isTold = False

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
            # What is read at once goes out in one frame.
            self.transport.bufferSize = PIECE
        self._connected(self)

    @property
    def lives(self) -> bool:
        """
        Whether it has not ended.
        """
        return self._lost is None

    def join(self, other: _End) -> None:
        """
        Begin to read.
        """
        self._joined = True
        _End.join(self, other)
        if self._lost is not None:
            _End.connectionLost(self, self._lost)
        else:
            self.transport.resumeProducing()

    def readConnectionLost(self) -> None:
        _End.readConnectionLost(self)
        if self._isTold:
            self.transport.loseConnection()

    def finish(self) -> None:
        self._isTold = True
        self.transport.unregisterProducer()
        if self.heardEnd or not self._halfCloses():
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()

    def _halfCloses(self) -> bool:
        # TLS has the method too: its TCP connection's, which would cut it off.
        isTLS = ISSLTransport.providedBy(self.transport)
        return hasattr(self.transport, "loseWriteConnection") and not isTLS

    def abort(self) -> None:
        if hasattr(self.transport, "abortConnection"):
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._locals.remove(self)
        self._lost = reason
        if not self._joined:
            return
        _End.connectionLost(self, reason)
        if not self.other.heardEnd:
            self.other.leave()


class StreamEnd(_End):
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

    def leave(self) -> None:
        """
        There is nobody left to take what the stream still brings.
        """
        self.transport.loseConnection()


class Locals:
    """
    The local connections that live.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._living: set[Local] = set()
        self._none: Arrival[None] = Arrival()

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
            arrived, self._none = self._none, Arrival()
            arrived.arrive(None)

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

"""
A splice: two connections that are joined, so that each side seems to talk to the other.

What one side sends, the other gets, no faster than it reads.  When one side finishes
writing, only that direction ends.  When one connection breaks, the other is aborted: a
broken connection never looks like one that ended cleanly.

A connection that cannot end one direction alone (TLS) is closed when the other side has
finished; if it ends first, what the other side still sends is dropped.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer


class SpliceEnd(Protocol):
    """
    The protocol of one of the two connections.

    Whoever accepts or makes the connection makes it, and calls L{join} on both when
    both are there.  It ends with its connection.  For the other connection's transport
    it is the producer.

    @ivar heardEnd: whether this side sends no more.
    @ivar other: the other connection's end, once both are joined.
    @ivar consumer: the other connection's transport.
    """

    transport: Any
    heardEnd = False
    consumer: Any
    other: SpliceEnd

    def join(self, other: SpliceEnd) -> None:
        """
        Pass what arrives on to C{other} from now on.
        """
        self.other, self.consumer = other, other.transport
        self.consumer.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        self.consumer.write(data)

    def readConnectionLost(self) -> None:
        """
        This side sends no more.
        """
        self.heardEnd = True
        self.other.finish()

    def writeConnectionLost(self) -> None:
        """
        This side was told that the other one sends no more.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not reason.check(ConnectionDone):
            self.other.abort()
        elif not self.heardEnd:
            self.heardEnd = True
            self.other.finish()

    def finish(self) -> None:
        """
        Tell this side that the other one sends no more.
        """
        raise NotImplementedError()

    def abort(self) -> None:
        """
        The other connection broke: break this one too.
        """
        raise NotImplementedError()

    def otherClosed(self) -> None:
        """
        The other connection is closed, so what this side still sends is dropped.
        """
        self.transport.loseConnection()

    def pauseProducing(self) -> None:
        """
        The other side does not read for now.
        """
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        The other side reads again.
        """
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        The other connection is lost; its own end does what is needed.
        """


# zope.interface.implementer would hide Protocol's own declarations from mypy.
implementer(IHalfCloseableProtocol, IPushProducer)(SpliceEnd)


class SocketEnd(SpliceEnd):
    """
    The end on a transport of Twisted's: TCP, TLS and the like.
    """

    _isFinishing = False
    _lost: Failure | None = None

    def readConnectionLost(self) -> None:
        SpliceEnd.readConnectionLost(self)
        if self._isFinishing:
            self.transport.loseConnection()

    def finish(self) -> None:
        self._isFinishing = True
        if self._lost is not None:
            return
        self.transport.unregisterProducer()
        if self.heardEnd or not self._halfCloses():
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()

    def _halfCloses(self) -> bool:
        # TLS has the method too, but it is its TCP connection's, and would cut TLS off.
        isTLS = ISSLTransport.providedBy(self.transport)
        return hasattr(self.transport, "loseWriteConnection") and not isTLS

    def abort(self) -> None:
        if self._lost is not None:
            return
        if hasattr(self.transport, "abortConnection"):
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # To close TLS that is lost would fail.
        self._lost = reason
        SpliceEnd.connectionLost(self, reason)
        if not self.other.heardEnd:
            self.other.otherClosed()

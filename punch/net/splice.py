"""
The two ends of a splice: connections that are joined so that neither side can tell.

What one side sends the other gets, no faster than it takes it.  The end of one
direction is the end of that direction alone; and where one side breaks off, so does
the other: a broken connection never looks like a whole one.

A connection that cannot end one direction alone (TLS) ends when the other side has
finished; when it ends first, what the other side still sends is dropped.
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


class End(Protocol):
    """
    One of the two.  To the other one's transport it is a producer: nobody but us
    ends our transport.

    C{heardEnd}: nothing more comes from here.
    """

    transport: Any
    heardEnd = False
    peer: Any
    other: End

    def join(self, other: End) -> None:
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

    def leave(self) -> None:
        """
        There is nobody left to take what still comes from here.
        """
        self.transport.loseConnection()

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
implementer(IHalfCloseableProtocol, IPushProducer)(End)


class SocketEnd(End):
    """
    An end that the system's transports carry: TCP, TLS and the like.
    """

    _isTold = False
    _lost: Failure | None = None

    def readConnectionLost(self) -> None:
        End.readConnectionLost(self)
        if self._isTold:
            self.transport.loseConnection()

    def finish(self) -> None:
        self._isTold = True
        if self._lost is not None:
            return
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
        if self._lost is not None:
            return
        if hasattr(self.transport, "abortConnection"):
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # TLS that was lost does not bear to be ended.
        self._lost = reason
        End.connectionLost(self, reason)
        if not self.other.heardEnd:
            self.other.leave()

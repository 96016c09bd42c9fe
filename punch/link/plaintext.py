"""
A plain link: the winning TCP connection itself, with no TLS and no records.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import alsoProvides

from punch.errors import LinkError, PathLost
from punch.net.address import Address
from punch.net.connection import Connection
from punch.util.deferreds import SharedResult


class _Counted(ProtocolWrapper):
    """
    Counts a protocol's bytes, both ways.
    """

    factory: _CountingFactory

    def __init__(self, factory: _CountingFactory, wrapped: IProtocol) -> None:
        ProtocolWrapper.__init__(self, factory, wrapped)
        if IHalfCloseableProtocol.providedBy(wrapped):
            self.readConnectionLost = wrapped.readConnectionLost
            self.writeConnectionLost = wrapped.writeConnectionLost
            alsoProvides(self, IHalfCloseableProtocol)

    def write(self, data: bytes) -> None:
        self.factory.link.sent += len(data)
        ProtocolWrapper.write(self, data)

    def writeSequence(self, data: list[bytes]) -> None:
        self.write(b"".join(data))

    def dataReceived(self, data: bytes) -> None:
        self.factory.link.received += len(data)
        ProtocolWrapper.dataReceived(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        ProtocolWrapper.connectionLost(self, reason)
        self.factory.link.ended(reason)


class _CountingFactory(WrappingFactory[_Counted]):
    protocol = _Counted
    noisy = False

    def __init__(self, link: PlainLink, protocol: IProtocol) -> None:
        super().__init__(Factory.forProtocol(lambda: protocol))  # type: ignore[no-untyped-call]
        self.link = link


class PlainLink:
    """
    A link without its own layer.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ended: SharedResult[LinkError | None] = SharedResult()
        self.sent = 0
        self.received = 0

    def getPeer(self) -> Address:
        """
        The other end's address.
        """
        return self._connection.remote

    def start(self, protocol: IProtocol) -> None:
        """
        Let C{protocol} run on the connection.
        """
        factory = _CountingFactory(self, protocol)
        wrapper = factory.buildProtocol(self._connection.remote)
        assert wrapper is not None
        self._connection.handOver(wrapper)

    def ended(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self._ended.succeed(None if reason.check(ConnectionDone) else PathLost())

    def whenReleased(self) -> Deferred[None]:
        """
        Fires when nothing is left of it.
        """
        return self.whenEnded().addCallback(lambda error: None)

    def whenEnded(self) -> Deferred[LinkError | None]:
        """
        Fires after the link: C{None} for a clean end, else why it ended early.
        """
        return self._ended.wait()

    def loseConnection(self) -> None:
        """
        End it, after what was written.
        """
        self._connection.transport.loseConnection()

    def abortConnection(self) -> None:
        """
        End it at once.
        """
        self._connection.abort()

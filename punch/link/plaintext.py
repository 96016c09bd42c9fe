"""
The link of C{--plaintext}: the TCP connection itself, without TLS and records.
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


class _CountingProtocol(ProtocolWrapper):
    """
    Counts the bytes that a protocol sends and receives.
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


class _CountingFactory(WrappingFactory[_CountingProtocol]):
    """
    Wraps the one protocol of a plain link, so that its bytes are counted.
    """

    protocol = _CountingProtocol
    noisy = False

    def __init__(self, link: PlainLink, protocol: IProtocol) -> None:
        super().__init__(Factory.forProtocol(lambda: protocol))  # type: ignore[no-untyped-call]
        self.link = link


class PlainLink:
    """
    Lets a protocol run on a bare TCP connection, with as much of L{Link
    <punch.link.transport.Link>} as that allows.

    A peer that is told C{--plaintext} makes it; the connection's end is its end.

    @ivar sent: bytes that the application has written.
    @ivar received: bytes that the application was given.
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
        The connection has ended.
        """
        self._ended.succeed(None if reason.check(ConnectionDone) else PathLost())

    def whenReleased(self) -> Deferred[None]:
        """
        Fires when the connection has ended.
        """
        return self.whenEnded().addCallback(lambda error: None)

    def whenEnded(self) -> Deferred[LinkError | None]:
        """
        Fires when the connection has ended: with C{None} after a clean end, else with
        why it ended early.
        """
        return self._ended.wait()

    def loseConnection(self) -> None:
        """
        End the connection, after what was written.
        """
        self._connection.transport.loseConnection()

    def abortConnection(self) -> None:
        """
        Abort the connection.
        """
        self._connection.abort()

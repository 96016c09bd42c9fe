"""
A connection: established, and nobody's yet.

Its bytes wait until somebody takes it.  The shared port gives such connections,
TCP's; L{punch.net.tls} turns one into another, TLS's.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    ISystemHandle,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.net.address import Address, tcpAddress
from punch.net.nat64 import Prefix

TCP_NOTSENT_LOWAT = 25
"""
Linux's option (C{socket} has it from Python 3.12): how many bytes the kernel may
hold that it has not sent yet, before a socket is no longer writable.
"""

_NOT_SENT = 128 << 10

BULK_SIZE = 16 * ((16 << 10) + 22)
"""
Bytes that may be read, or sent, at once: sixteen full records of TLS 1.3.  What a
little less than that would leave of them costs as much again.
"""


class Origin(Enum):
    """
    How a connection came about.  Values are those that events show.
    """

    CONNECTED = "connected"
    ACCEPTED = "accepted"


class IStreamTransport(ITCPTransport, IConsumer, IPushProducer, ISystemHandle):
    """
    What TCP's transports and TLS's provide alike.
    """


def setTCPOptions(transport: IStreamTransport) -> None:
    """
    Have small writes on a TCP connection leave at once, and large ones together.
    """
    transport.setTcpNoDelay(True)
    connection: Any = transport
    connection.SEND_LIMIT = BULK_SIZE
    if sys.platform == "linux":
        # A small write must not wait behind megabytes in the kernel.
        handle: Any = transport.getHandle()
        handle.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, _NOT_SENT)


def copyReason(reason: Failure) -> Failure:
    """
    The same reason, of a connection's own.  Twisted gives all connections one instance,
    and whoever raises that ties all that is on the stack to it, for ever.
    """
    value: Any = reason.value
    if type(value) in (ConnectionDone, ConnectionLost):
        return Failure(type(value)(*value.args))
    return reason


@implementer(IHalfCloseableProtocol)
class Connection(Protocol):
    """
    An established connection whose bytes wait for whoever takes it.

    C{how}: who opened it.  C{whenLost}: fires when it has ended.
    """

    transport: IStreamTransport

    def __init__(
        self,
        how: Origin,
        made: Callable[[Connection], None] | None = None,
        prefix: Prefix | None = None,
    ) -> None:
        """
        @param made: called when the connection is there.
        @param prefix: of the NAT64 that we are behind.
        """
        self.how = how
        self.whenLost: Deferred[None] = Deferred()
        self._made = made
        self._prefix = prefix
        self._held: list[bytes] = []
        self._lost: Failure | None = None
        self._taker: IProtocol | None = None

    @property
    def remote(self) -> Address:
        """
        The other end's address; of IPv4 where a NAT64 is between us.
        """
        peer = self.transport.getPeer()
        address = tcpAddress(peer.host, peer.port)
        return address if self._prefix is None else self._prefix.toIPv4(address)

    @property
    def local(self) -> Address:
        """
        Our end's address.
        """
        host = self.transport.getHost()
        return tcpAddress(host.host, host.port)

    def connectionMade(self) -> None:
        setTCPOptions(self.transport)
        self.transport.pauseProducing()
        if self._made is not None:
            self._made(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes that were under way when we paused.
        """
        self._held.append(data)

    def handOver(self, protocol: IProtocol) -> None:
        """
        Give the connection to C{protocol}, with what has arrived.
        """
        self._taker = protocol
        self._bypass(protocol)
        if self._lost is None:
            # Before it is theirs: they may pause it again at once.
            self.transport.resumeProducing()
        protocol.makeConnection(self.transport)
        if self._held:
            held, self._held = b"".join(self._held), []
            self.dataReceived(held)
        if self._lost is not None:
            protocol.connectionLost(self._lost)

    def _bypass(self, taker: IProtocol) -> None:
        """
        From here on bytes go to their taker without passing through us.
        """
        self.dataReceived = taker.dataReceived  # type: ignore[method-assign]

    def readConnectionLost(self) -> None:
        """
        The other end has finished writing.
        """
        if IHalfCloseableProtocol.providedBy(self._taker):
            self._taker.readConnectionLost()
        else:
            # Who produces for it has nobody to produce for.
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        We have finished writing.
        """
        if IHalfCloseableProtocol.providedBy(self._taker):
            self._taker.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        reason = self._lost = copyReason(reason)
        if self._taker is not None:
            self._taker.connectionLost(reason)
        self.whenLost.callback(None)

    def abort(self) -> None:
        """
        End it at once (RST): what nobody takes is told nothing.
        """
        self.transport.abortConnection()

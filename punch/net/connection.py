"""
A connection that is established and has no protocol yet.

Its bytes wait until it is handed over to a protocol.  The shared port makes such
connections of TCP; L{punch.net.tls} puts TLS on one, which makes another.
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
Bytes that may be read, or sent, at once: sixteen full records of TLS 1.3.  A little
less would leave a part of the last record, which costs as much again.
"""


class Origin(Enum):
    """
    How a connection came about: by our connect, or by the other side's.  Events show
    the values.
    """

    CONNECTED = "connected"
    ACCEPTED = "accepted"


class IStreamTransport(ITCPTransport, IConsumer, IPushProducer, ISystemHandle):
    """
    What Twisted's transports for TCP and for TLS both provide.
    """


def setTCPOptions(transport: IStreamTransport) -> None:
    """
    Set up a TCP connection so that small writes are sent at once and large ones
    together.
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
    Copy a reason that Twisted shares between all connections.  An exception that is
    raised holds its stack, and a shared one would hold it for ever.
    """
    value: Any = reason.value
    if type(value) in (ConnectionDone, ConnectionLost):
        return Failure(type(value)(*value.args))
    return reason


@implementer(IHalfCloseableProtocol)
class Connection(Protocol):
    """
    An established connection whose bytes wait for the protocol that it is handed over
    to.  The shared port makes one for each connect and accept.  Its user hands it over
    or aborts it.

    @ivar how: which side opened it.
    @ivar whenLost: fires when the connection has ended.
    """

    transport: IStreamTransport

    def __init__(
        self,
        how: Origin,
        made: Callable[[Connection], None] | None = None,
        prefix: Prefix | None = None,
    ) -> None:
        """
        @param made: called with this connection when it is established.
        @param prefix: the prefix of the NAT64 that we are behind, if any.
        """
        self.how = how
        self.whenLost: Deferred[None] = Deferred()
        self._made = made
        self._prefix = prefix
        self._held: list[bytes] = []
        self._lost: Failure | None = None
        self._protocol: IProtocol | None = None

    @property
    def remote(self) -> Address:
        """
        The other end's address.  Through a NAT64 it is the IPv4 address.
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
        Hold bytes that were on their way when we paused.
        """
        self._held.append(data)

    def handOver(self, protocol: IProtocol) -> None:
        """
        Give the connection to C{protocol}, with the bytes that have arrived.
        """
        self._protocol = protocol
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

    def _bypass(self, protocol: IProtocol) -> None:
        """
        From now on give bytes to the protocol without a call in between.
        """
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]

    def readConnectionLost(self) -> None:
        """
        The other end has finished writing.
        """
        if IHalfCloseableProtocol.providedBy(self._protocol):
            self._protocol.readConnectionLost()
        else:
            # A producer would go on for nobody.
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        We have finished writing.
        """
        if IHalfCloseableProtocol.providedBy(self._protocol):
            self._protocol.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        reason = self._lost = copyReason(reason)
        if self._protocol is not None:
            self._protocol.connectionLost(reason)
        self.whenLost.callback(None)

    def abort(self) -> None:
        """
        End the connection at once, with a RST.
        """
        self.transport.abortConnection()

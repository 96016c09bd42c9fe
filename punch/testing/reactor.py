"""
The reactor of a host: Twisted's own TCP transports over sockets in memory.

So everything between a protocol and the socket calls is Twisted's own code: write
buffers, producers, half-close, TLS, and the errors with which connecting ends.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from twisted.internet import tcp
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    Binding,
    IAddress,
    IConnector,
    IDelayedCall,
    IHostnameResolver,
    IHostResolution,
    IListeningPort,
    IProtocolFactory,
    IReactorFDSet,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
    IReadDescriptor,
    IResolutionReceiver,
    IWriteDescriptor,
)
from twisted.internet.protocol import ClientFactory
from zope.interface import implementer

from punch.testing.sockets import MemorySocket
from punch.testing.tcp import TCPStack

_Descriptor: TypeAlias = IReadDescriptor | IWriteDescriptor


class _Client(tcp.Client):
    """
    Twisted's client transport, over a socket of its connector's host.
    """

    def createInternetSocket(self) -> MemorySocket:
        """
        @see: L{tcp.BaseClient.createInternetSocket}
        """
        # The transport has its reactor only later; its connector has it now.
        reactor: MemoryReactor = self.connector.reactor
        return reactor.openSocket(self.addressFamily)


class _Port(tcp.Port):
    """
    Twisted's listening port, over a socket of its host.
    """

    reactor: MemoryReactor
    # Twisted's own L{createInternetSocket} reads these too.
    _reuseAddress: bool
    _reusePort: bool

    def createInternetSocket(self) -> MemorySocket:  # type: ignore[override]
        """
        @see: L{tcp.Port.createInternetSocket}
        """
        made = self.reactor.openSocket(self.addressFamily)
        if self._reuseAddress:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._reusePort:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return made


class _Connector(tcp.Connector):
    """
    Twisted's connector, whose transports have sockets of the connector's host.
    """

    def _makeTransport(self) -> _Client:
        return _Client(self.host, self.port, self.bindAddress, self, self.reactor)


@implementer(IHostResolution)
class _Resolution:
    """
    The resolution of one name.  It ends in the next turn of the reactor.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.call: IDelayedCall | None = None

    def cancel(self) -> None:
        """
        @see: L{IHostResolution.cancel}
        """
        if self.call is not None and self.call.active():
            self.call.cancel()


@implementer(IHostnameResolver)
class _Resolver:
    """
    Resolves IP addresses, C{localhost} and the names of its network.
    """

    def __init__(self, reactor: MemoryReactor) -> None:
        self._reactor = reactor

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """
        @see: L{IHostnameResolver.resolveHostName}
        """
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        found = [
            address
            for address in self._addresses(hostName, portNumber)
            if addressTypes is None or isinstance(address, tuple(addressTypes))
        ]
        resolution.call = self._reactor.callLater(
            0, self._deliver, resolutionReceiver, found
        )
        return resolution

    def _addresses(self, name: str, port: int) -> Iterable[IAddress]:
        for host in self._reactor.lookUp(name):
            kind = IPv6Address if ":" in host else IPv4Address
            yield kind("TCP", host, port)

    def _deliver(self, receiver: IResolutionReceiver, found: list[IAddress]) -> None:
        for address in found:
            receiver.addressResolved(address)
        receiver.resolutionComplete()


@implementer(IReactorTime, IReactorTCP, IReactorFDSet, IReactorPluggableNameResolver)
class MemoryReactor:
    """
    The reactor of the programs on one host.  L{MemoryHost<punch.testing.MemoryHost>} is
    one.

    @ivar network: the network that the host is on.
    @ivar stack: the host's TCP.
    """

    def __init__(self, stack: TCPStack) -> None:
        self.network = stack.network
        self.stack = stack
        self.nameResolver: IHostnameResolver = _Resolver(self)
        self._sockets: dict[int, MemorySocket] = {}
        self.network.sockets.append(self._sockets)

    # IReactorTime

    def seconds(self) -> float:
        """
        @see: L{IReactorTime.seconds}
        """
        return self.network.clock.seconds()

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kw: object
    ) -> IDelayedCall:
        """
        @see: L{IReactorTime.callLater}
        """
        return self.network.clock.callLater(delay, callable, *args, **kw)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """
        The delayed calls of the programs on all hosts, without the network's own for
        segments and retransmissions.
        """
        return self.network.delayedCalls()

    # IReactorTCP

    def listenTCP(
        self,
        port: int | Binding,
        factory: IProtocolFactory,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """
        @see: L{twisted.internet.interfaces.IReactorTCP2.listenTCP}
        """
        listening: IListeningPort = _Port(port, factory, backlog, interface, self)  # type: ignore[arg-type]
        listening.startListening()
        return listening

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        timeout: float = 30.0,
        bindAddress: Binding | tuple[str, int] | None = None,
    ) -> IConnector:
        """
        @see: L{twisted.internet.interfaces.IReactorTCP2.connectTCP}
        """
        connector = _Connector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    # Names

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """
        @see: L{IReactorPluggableNameResolver.installNameResolver}
        """
        previous, self.nameResolver = self.nameResolver, resolver
        return previous

    def resolve(self, name: str, timeout: Sequence[int] = ()) -> Deferred[str]:
        """
        @see: L{twisted.internet.interfaces.IReactorCore.resolve}
        """
        for host in self.lookUp(name):
            if isIPAddress(host):
                return succeed(host)
        return fail(DNSLookupError(f"no address for {name}"))

    def lookUp(self, name: str) -> Sequence[str]:
        """
        The addresses of a name; none if it is unknown.
        """
        if isIPAddress(name) or isIPv6Address(name):
            return [name]
        if name == "localhost":
            return ["127.0.0.1"]
        return self.network.names.get(name.lower(), ())

    # IReactorFDSet

    def addReader(self, reader: IReadDescriptor) -> None:
        """
        @see: L{IReactorFDSet.addReader}
        """
        found = self._sockets.get(reader.fileno())
        if found is not None:
            found.reader = reader
            found.wake()

    def addWriter(self, writer: IWriteDescriptor) -> None:
        """
        @see: L{IReactorFDSet.addWriter}
        """
        found = self._sockets.get(writer.fileno())
        if found is not None:
            found.writer = writer
            found.wake()

    def removeReader(self, reader: IReadDescriptor) -> None:
        """
        @see: L{IReactorFDSet.removeReader}
        """
        found = self._sockets.get(reader.fileno())
        if found is not None:
            found.reader = None

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        """
        @see: L{IReactorFDSet.removeWriter}
        """
        found = self._sockets.get(writer.fileno())
        if found is not None:
            found.writer = None

    def getReaders(self) -> list[IReadDescriptor]:
        """
        @see: L{IReactorFDSet.getReaders}
        """
        return [each.reader for each in self._sockets.values() if each.reader]

    def getWriters(self) -> list[IWriteDescriptor]:
        """
        @see: L{IReactorFDSet.getWriters}
        """
        return [each.writer for each in self._sockets.values() if each.writer]

    def removeAll(self) -> list[_Descriptor]:
        """
        @see: L{IReactorFDSet.removeAll}
        """
        removed: dict[_Descriptor, None] = dict.fromkeys(self.getReaders())
        removed.update(dict.fromkeys(self.getWriters()))
        for each in self._sockets.values():
            each.reader = each.writer = None
        return list(removed)

    # Sockets

    def openSocket(self, family: int) -> MemorySocket:
        """
        Open a socket.
        """
        return MemorySocket(self.stack, family, self._sockets)

    def sockets(self) -> list[MemorySocket]:
        """
        The sockets that are open.
        """
        return list(self._sockets.values())

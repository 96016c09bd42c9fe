"""
The shared port: one local TCP port that listens and connects at once.

Every socket on it carries SO_REUSEADDR and SO_REUSEPORT: on Linux, SO_REUSEADDR
alone lets nobody bind a port on which somebody listens (C{Address already in
use}), and BSD's kernels want both too.  Windows has no SO_REUSEPORT and needs
none.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import (
    Binding,
    IAddress,
    IListeningPort,
    IReactorTCP,
)
from twisted.internet.protocol import ServerFactory
from twisted.internet.tcp import makeBinding

from punch.errors import BadOption, PortInUse
from punch.net.address import Address
from punch.net.connection import Connection, Origin
from punch.net.connector import ConnectAttempt
from punch.net.nat64 import Prefix
from punch.util.deferreds import shield

_BACKLOG = 1024
_TRIES = 16


def _portOf(listening: IListeningPort) -> int:
    address = listening.getHost()
    assert isinstance(address, (IPv4Address, IPv6Address))
    return address.port


PortProbe = Callable[[str, int], None]


def probePort(interface: str, port: int) -> None:
    """
    See that no other program listens on C{port}.  Without SO_REUSEPORT the kernel
    says so even if the other would share; and to bind is enough, so nobody can
    connect to what only looks.

    @raise PortInUse: somebody does.
    """
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((interface, port))
    except OSError as cannot:
        # Anything else shows when we listen.
        if cannot.errno == errno.EADDRINUSE:
            raise PortInUse(f"port {port}") from cannot


class _AcceptingFactory(ServerFactory):
    """
    Gives away each connection that comes in.
    """

    noisy = False

    def __init__(self, accepted: Callable[[Connection], None]) -> None:
        self._accepted = accepted
        self.prefix: Prefix | None = None

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return Connection(Origin.ACCEPTED, self._accepted, self.prefix)


class SharedPort:
    """
    One TCP port, IPv4 and IPv6, that accepts connections and makes them.

    Behind a NAT64 whose prefix is known (L{setNAT64Prefix}) everybody who has IPv4 goes
    by that address.
    """

    def __init__(
        self,
        reactor: IReactorTCP,
        accepted: Callable[[Connection], None],
        interface: str = "",
        probe: PortProbe = probePort,
    ) -> None:
        """
        @param accepted: is given each connection that comes in.
        @param interface: the one local IP address to use; all if empty.
        @param probe: sees that nobody else listens on a port that we choose.
        """
        self._probe = probe
        self._reactor = reactor
        self._factory = _AcceptingFactory(accepted)
        self._interfaces = [interface] if interface else ["", "::"]
        self._ports: list[IListeningPort] = []
        self.port = 0

    def open(self, port: int = 0) -> None:
        """
        Listen.

        @param port: the port's number; 0 for any free one.
        @raise PortInUse: another program has it, whether or not it would share.
        @raise BadOption: the interface is not ours, or the port not for us.
        """
        if port:
            for interface in self._interfaces:
                self._probe(interface, port)
            self._listen(port)
            return
        for attempt in range(_TRIES):
            try:
                self._listen(0)
                return
            except PortInUse:
                # The number was free in one family and taken in the other.
                self.close()
                if attempt == _TRIES - 1:
                    raise

    def _listen(self, port: int) -> None:
        for interface in self._interfaces:
            opened = self._bind(interface, self._binding(interface, port))
            if opened is not None:
                self._ports.append(opened)
                port = _portOf(opened)
        self.port = port

    def _bind(self, interface: str, binding: Binding) -> IListeningPort | None:
        try:
            return self._reactor.listenTCP(
                binding,  # type: ignore[arg-type]
                self._factory,
                backlog=_BACKLOG,
                interface=interface,
            )
        except error.CannotListenError as cannot:
            if cannot.socketError.errno == errno.EADDRINUSE:
                raise PortInUse(f"port {cannot.port}") from cannot
            if interface == "::":
                return None  # A host without IPv6.
            detail = f"cannot listen on {interface}: {cannot.socketError.strerror}"
            raise BadOption(detail) from cannot

    @staticmethod
    def _binding(interface: str, port: int) -> Binding:
        return makeBinding(interface, port, reuseAddress=True, reusePort=True)

    @property
    def binding(self) -> Binding:
        """
        What an endpoint takes as C{bindAddress}, to connect from this port.
        """
        only = self._interfaces[0] if len(self._interfaces) == 1 else ""
        return self._binding(only, self.port)

    @property
    def otherBinding(self) -> Binding:
        """
        The same for a port of its own.
        """
        only = self._interfaces[0] if len(self._interfaces) == 1 else ""
        return makeBinding(only, 0)

    def setNAT64Prefix(self, prefix: Prefix | None) -> None:
        """
        From now on reach IPv4 addresses by way of a NAT64, or no longer.
        """
        self._factory.prefix = prefix

    def connect(self, address: Address) -> Deferred[Connection]:
        """
        Connect from this port.  An attempt ends when the kernel ends it (after
        about two minutes of silence), or by cancelling.
        """
        attempt = ConnectAttempt(self._factory.prefix)
        attempt.start(self._reactor, address, self.binding)
        return attempt.whenConnected

    def connectFromOther(self, address: Address) -> Deferred[Connection]:
        """
        Connect from another port, any that is free.
        """
        attempt = ConnectAttempt(self._factory.prefix)
        attempt.start(self._reactor, address, self.otherBinding)
        return attempt.whenConnected

    def close(self) -> Deferred[Any]:
        """
        Stop listening.  Established connections live on.  To cancel is to wait no
        longer: the closing itself goes on.
        """
        ports, self._ports = self._ports, []
        closed: Deferred[Any] = gatherResults(
            [maybeDeferred(each.stopListening) for each in ports]
        )
        return shield(closed)

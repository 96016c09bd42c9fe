"""
The shared port: one local TCP port on which a peer both listens and connects.

Every socket on it has SO_REUSEADDR and SO_REUSEPORT.  On Linux SO_REUSEADDR alone does
not let a socket bind a port on which another listens (C{Address already in use}), and
BSD's kernels want both too.  Windows has no SO_REUSEPORT and needs none.
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
_OPEN_ATTEMPTS = 16


def _portOf(listening: IListeningPort) -> int:
    address = listening.getHost()
    assert isinstance(address, (IPv4Address, IPv6Address))
    return address.port


PortProbe = Callable[[str, int], None]
"""
Checks that no other program listens on a port of an interface, as L{probePort} does.
"""


def probePort(interface: str, port: int) -> None:
    """
    Check that no other program listens on C{port}.

    Without SO_REUSEPORT the kernel tells even if the other program would share the
    port.  Binding is enough to know, so nobody can connect to the probe.

    @raise PortInUse: another program does.
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
    Makes a L{Connection} of each connection that comes in.

    @ivar prefix: the prefix of the NAT64 that we are behind, if any.
    """

    noisy = False

    def __init__(self, accepted: Callable[[Connection], None]) -> None:
        self._accepted = accepted
        self.prefix: Prefix | None = None

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return Connection(Origin.ACCEPTED, self._accepted, self.prefix)


class SharedPort:
    """
    One TCP port, of IPv4 and IPv6, that accepts connections and makes them.  A peer
    opens and closes it.

    Behind a NAT64 whose prefix is known (L{setNAT64Prefix}) its users see and give IPv4
    addresses, and it connects to the IPv6 addresses that reach them.
    """

    def __init__(
        self,
        reactor: IReactorTCP,
        accepted: Callable[[Connection], None],
        interface: str = "",
        probe: PortProbe = probePort,
    ) -> None:
        """
        @param accepted: called with each connection that comes in.
        @param interface: the one local IP address to use; all of them if empty.
        @param probe: checks that nobody else listens on a port that the user chose.
        """
        self._probe = probe
        self._reactor = reactor
        self._factory = _AcceptingFactory(accepted)
        self._interface = interface
        self._interfaces = [interface] if interface else ["", "::"]
        self._ports: list[IListeningPort] = []
        self.port = 0

    def open(self, port: int = 0) -> None:
        """
        Start to listen.

        @param port: the port's number; 0 for any free one.
        @raise PortInUse: another program has the port, whether or not it would share.
        @raise BadOption: the interface is not this host's, or the system does not
            allow us the port.
        """
        if port:
            for interface in self._interfaces:
                self._probe(interface, port)
            self._listen(port)
            return
        for attempt in range(_OPEN_ATTEMPTS):
            try:
                self._listen(0)
                return
            except PortInUse:
                # The number was free in one family and taken in the other.
                self.close()
                if attempt == _OPEN_ATTEMPTS - 1:
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
        return self._binding(self._interface, self.port)

    @property
    def otherBinding(self) -> Binding:
        """
        The same for another port, any that is free.
        """
        return makeBinding(self._interface, 0)

    def setNAT64Prefix(self, prefix: Prefix | None) -> None:
        """
        From now on reach IPv4 addresses through the NAT64 with this prefix; L{None}
        for no NAT64.
        """
        self._factory.prefix = prefix

    def connect(self, address: Address) -> Deferred[Connection]:
        """
        Connect from this port.  The attempt ends when the kernel ends it, after about
        two minutes without an answer, or when it is cancelled.
        """
        return self._connect(address, self.binding)

    def connectFromOther(self, address: Address) -> Deferred[Connection]:
        """
        Connect from another port, any that is free.
        """
        return self._connect(address, self.otherBinding)

    def _connect(self, address: Address, binding: Binding) -> Deferred[Connection]:
        attempt = ConnectAttempt(self._factory.prefix)
        attempt.start(self._reactor, address, binding)
        return attempt.whenConnected

    def close(self) -> Deferred[Any]:
        """
        Stop listening.  Established connections go on.

        @return: fires when the port is closed.  Cancelling it ends the wait and not
            the closing.
        """
        ports, self._ports = self._ports, []
        closed: Deferred[Any] = gatherResults(
            [maybeDeferred(each.stopListening) for each in ports]
        )
        return shield(closed)

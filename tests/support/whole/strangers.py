"""
Strangers: programs that connect to the shared ports, or wait where the peer is
thought to be, and are not the peer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, ServerFactory

from punch.link.records import Type, encode
from punch.net.connection import Connection, Origin
from punch.net.tls import PeerAuthenticator, TLSConnection
from punch.role import Role
from punch.testing import MemoryHost
from punch.testing.medium import Medium

from .identities import fixedIdentity

RUBBISH = bytes(range(256)) * 8

_PATIENCE = 20.0


class Stranger(Protocol):
    """
    Connects, or is connected to, and is silent.

    @ivar connections: how many of its connections came about.
    @ivar received: what it was told, TLS' own bytes included.
    """

    transport: Any

    def __init__(self) -> None:
        self.connections = 0
        self.received = b""
        self._visits: list[Deferred[Any]] = []
        self._doors: list[Any] = []
        self._ports: list[IListeningPort] = []

    def connectionMade(self) -> None:
        """
        It is let in, so far.
        """
        self._entered(self.transport)

    def _entered(self, door: Any) -> None:
        self.connections += 1
        self._doors.append(door)

    @property
    def inside(self) -> int:
        """
        How many of its connections have not been closed.
        """
        return sum(door.connected for door in self._doors)

    def leave(self) -> None:
        """
        End all.
        """
        for port in self._ports:
            port.stopListening()
        for visit in self._visits:
            visit.cancel()
        for door in self._doors:
            door.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """
        Remember it.
        """
        self.received += data

    def visit(self, host: MemoryHost, address: str, port: int) -> Deferred[Any]:
        """
        Connect; it is no matter whether that succeeds.
        """
        endpoint = TCP4ClientEndpoint(host, address, port, _PATIENCE)
        factory: Any = Factory.forProtocol(lambda: self)
        factory.noisy = False
        made: Deferred[Any] = endpoint.connect(factory)
        self._visits.append(made)
        return made.addErrback(lambda failure: None)

    def sit(self, host: MemoryHost, port: int) -> None:
        """
        Wait for who connects.
        """
        self._listen(host, port, lambda: self)

    def _listen(
        self, host: MemoryHost, port: int, protocol: Callable[[], Protocol]
    ) -> None:
        factory: Any = ServerFactory.forProtocol(protocol)
        factory.noisy = False
        self._ports.append(host.listenTCP(port, factory))


class Resetter(Stranger):
    """
    Ends what has come about, at once.
    """

    def connectionMade(self) -> None:
        """
        End it.
        """
        Stranger.connectionMade(self)
        self.transport.abortConnection()


class Babbler(Stranger):
    """
    Connects, or is connected to, and says what is no TLS.
    """

    def connectionMade(self) -> None:
        """
        Babble.
        """
        Stranger.connectionMade(self)
        self.transport.write(RUBBISH)


class _Told(Protocol):
    """
    Hears what comes inside TLS.
    """

    def __init__(self, stranger: Impostor) -> None:
        self._stranger = stranger

    def dataReceived(self, data: bytes) -> None:
        """
        Remember it.
        """
        self._stranger.told += data


class Impostor(Stranger):
    """
    Speaks as a peer does, with a certificate that nobody knows.

    @ivar secured: how many of its handshakes came to an end.
    @ivar told: what it was told inside TLS.
    """

    identity = fixedIdentity(9)
    _securities: ClassVar[WeakKeyDictionary[Medium, PeerAuthenticator]]
    _securities = WeakKeyDictionary()

    def __init__(self, role: Role) -> None:
        """
        @param role: what it pretends to be.
        """
        Stranger.__init__(self)
        self._role = role
        self.secured = 0
        self.told = b""

    def visit(self, host: MemoryHost, address: str, port: int) -> Deferred[Any]:
        """
        Connect, shake hands, attach, and send data.
        """
        endpoint = TCP4ClientEndpoint(host, address, port, _PATIENCE)
        factory: Any = Factory.forProtocol(lambda: Connection(Origin.CONNECTED))
        factory.noisy = False
        made: Deferred[Any] = endpoint.connect(factory)
        made.addCallback(self._shakeHands, host)
        self._visits.append(made)
        return made.addErrback(lambda failure: None)

    def sit(self, host: MemoryHost, port: int) -> None:
        """
        Wait for who connects, and do all that with each.
        """

        def accepted(connection: Connection) -> None:
            shaken = self._shakeHands(connection, host)
            self._visits.append(shaken.addErrback(lambda failure: None))

        self._listen(host, port, lambda: Connection(Origin.ACCEPTED, accepted))

    def _shakeHands(self, connection: Connection, host: MemoryHost) -> Any:
        self._entered(connection.transport)
        shaken = self._security(host).handshake(connection, self._role)
        return shaken.addCallback(self._pretend)

    def _security(self, host: MemoryHost) -> PeerAuthenticator:
        # One for all of a network: a thousand would take long to make.
        if host.network not in self._securities:
            self._securities[host.network] = PeerAuthenticator(host, self.identity)
        return self._securities[host.network]

    def _pretend(self, secured: TLSConnection) -> None:
        self.secured += 1
        kind = Type.ATTACH if self._role is Role.DIALER else Type.ATTACHED
        secured.handOver(_Told(self))
        secured.transport.write(encode(kind) + encode(Type.DATA, RUBBISH))


TLS_HANDSHAKE = b"\x16\x03"
TLS_ALERT = b"\x15\x03"


def checkIgnorant(stranger: Stranger) -> None:
    """
    All that it got is the beginning of a handshake, or the end of one, each time.
    """
    if isinstance(stranger, Impostor):
        assert stranger.told == b""
    else:
        assert stranger.received[:2] in (b"", TLS_HANDSHAKE, TLS_ALERT)
        assert len(stranger.received) < 2000 * max(stranger.connections, 1)

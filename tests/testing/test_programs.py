"""
Whole programs over the network: Twisted's endpoints, TLS and AMP.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    TCP6ServerEndpoint,
)
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IHostResolution,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IResolutionReceiver,
)
from twisted.internet.protocol import Factory
from twisted.protocols import amp
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from punch.testing import NAT_KINDS, MemoryHost, spin
from tests.support.programs import Recorder, Recorders, Service, network, shared


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class SelfSigned:
    """
    TLS with a self-signed certificate, and trust in everybody.
    """

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
        now = datetime(2025, 1, 1)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), 1, now)
            .not_valid_after(now + timedelta(days=36500))
            .sign(key, hashes.SHA256())
        )
        self._context = SSL.Context(SSL.TLS_METHOD)
        self._context.use_certificate(certificate)
        self._context.use_privatekey(key)

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """
        @see: L{IOpenSSLClientConnectionCreator.clientConnectionForTLS}
        """
        return SSL.Connection(self._context, None)

    serverConnectionForTLS = clientConnectionForTLS


class Secured(Recorder):
    """
    Remembers that its handshake was completed.
    """

    isSecure = False

    def handshakeCompleted(self) -> None:
        """
        It was.
        """
        self.isSecure = True


# zope.interface.implementer would hide Protocol's own declarations from mypy.
implementer(IHandshakeListener)(Secured)


class TLSTests(SynchronousTestCase):
    """
    TLS between two peers behind NATs.
    """

    creator = SelfSigned()

    def setUp(self) -> None:
        """
        Connect the two, TLS inside.
        """
        self.network = network()
        both = [self.side(n) for n in (0, 1)]
        self.client, self.server = (spin(each, self.network) for each in both)
        self.network.run(1)

    def side(self, n: int) -> Deferred[Any]:
        """
        One peer connects to the other from its shared port.
        """
        kind = NAT_KINDS["drop"]
        assert kind is not None
        nat = self.network.nat(f"198.51.100.{n + 1}", kind)
        host = self.network.host("192.168.1.2", behind=nat)
        factory: Any = TLSMemoryBIOFactory(
            self.creator, n == 0, Recorders(Secured), clock=host
        )
        connecting: Deferred[Any] = HostnameEndpoint(
            host, f"198.51.100.{2 - n}", 4000, bindAddress=shared(4000)
        ).connect(factory)
        return connecting.addCallback(lambda tls: tls.wrappedProtocol)

    def test_handshake(self) -> None:
        """
        Both hear that the handshake is complete.
        """
        assert self.client.isSecure
        assert self.server.isSecure

    def test_bytes(self) -> None:
        """
        Bytes pass, many of them, both ways.
        """
        out, back = b"o" * 1_000_000, b"b" * 1_000_000
        self.client.transport.write(out)
        self.server.transport.write(back)
        self.network.run(10)
        assert self.server.received == out
        assert self.client.received == back

    def test_closed(self) -> None:
        """
        Closing TLS closes everything, and leaves nothing.
        """
        self.client.transport.loseConnection()
        self.network.run(2)
        assert not self.client.isOpen
        assert not self.server.isOpen
        assert self.network.openSockets() == []
        assert self.network.clock.getDelayedCalls() == []

    def test_backPressure(self) -> None:
        """
        A reader that pauses stops the writer through TLS as well.
        """
        self.server.transport.pauseProducing()
        self.client.transport.write(bytes(10_000_000))
        self.network.run(10)
        arrived = len(self.server.received)
        assert arrived < 100_000
        self.server.transport.resumeProducing()
        self.network.run(60)
        assert len(self.server.received) == 10_000_000


class Sum(amp.Command):
    """
    Add.
    """

    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


class Adder(amp.AMP):
    """
    Adds for others.
    """

    @Sum.responder
    def add(self, a: int, b: int) -> dict[str, int]:
        """
        Add.
        """
        return {"total": a + b}


class AMPTests(SynchronousTestCase):
    """
    AMP.
    """

    def test_commands(self) -> None:
        """
        Both ends can ask, and a question takes a round trip.
        """
        made = network()
        server, client = made.host("192.0.2.1"), made.host("192.0.2.2")
        accepted: list[Any] = []

        def build() -> Any:
            accepted.append(Adder())  # type: ignore[no-untyped-call]
            return accepted[-1]

        listening = TCP4ServerEndpoint(server, 4040).listen(Factory.forProtocol(build))
        spin(listening, made)
        endpoint = HostnameEndpoint(client, "192.0.2.1", 4040)
        asking: Any = spin(endpoint.connect(Factory.forProtocol(Adder)), made)
        before = made.clock.seconds()
        assert spin(asking.callRemote(Sum, a=1, b=2), made) == {"total": 3}
        assert made.clock.seconds() - before == pytest.approx(0.08)
        assert spin(accepted[0].callRemote(Sum, a=3, b=4), made) == {"total": 7}


@implementer(IResolutionReceiver)
class Resolving:
    """
    Remembers what a resolver tells.
    """

    def __init__(self) -> None:
        self.found: list[object] = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """
        It does not matter.
        """

    def addressResolved(self, address: IAddress) -> None:
        """
        Remember it.
        """
        self.found.append(address)

    def resolutionComplete(self) -> None:
        """
        Remember that, too.
        """
        self.found.append("complete")


class EndpointTests(SynchronousTestCase):
    """
    Twisted's endpoints.
    """

    def setUp(self) -> None:
        """
        Make a server with a name, and a client.
        """
        self.network = network()
        self.server = self.network.host("192.0.2.1", "2001:db8::1")
        self.client = self.network.host("192.0.2.2", "2001:db8::2")
        self.network.name("rv.example.org", "2001:db8::1", "192.0.2.1")

    def dial(self, name: str, host: MemoryHost | None = None) -> Deferred[Any]:
        """
        Connect by name, from a shared port.
        """
        endpoint = HostnameEndpoint(
            host or self.client, name, 4040, bindAddress=shared(4000)
        )
        return endpoint.connect(Recorders())

    def test_name(self) -> None:
        """
        A name is found, however it is written, and the binding used.
        """
        service = Service(self.server)
        spin(self.dial("RV.example.org"), self.network)
        self.network.run(1)
        assert service.accepted[0].transport.getPeer().port == 4000

    def test_eitherFamily(self) -> None:
        """
        The address of the name that answers wins.
        """
        Service(self.server, interface="::")
        protocol = spin(self.dial("rv.example.org"), self.network)
        assert protocol.transport.getPeer().host == "2001:db8::1"
        old = self.network.host("192.0.2.3")
        Service(self.server)
        protocol = spin(self.dial("rv.example.org", old), self.network)
        assert protocol.transport.getPeer().host == "192.0.2.1"

    def test_unknownName(self) -> None:
        """
        A name that nobody has is not found; nor is one that is forgotten.
        """
        self.network.name("rv.example.org")
        for name in ("example.net", "rv.example.org"):
            with pytest.raises(DNSLookupError):
                spin(self.dial(name), self.network)

    def test_localhost(self) -> None:
        """
        C{localhost} is the host itself.
        """
        Service(self.client)
        spin(self.dial("localhost"), self.network, 0)

    def test_fails(self) -> None:
        """
        Failures are those of any network.
        """
        with pytest.raises(ConnectionRefusedError):
            spin(self.dial("192.0.2.1"), self.network)
        with pytest.raises(TimeoutError):
            spin(self.dial("192.0.2.9"), self.network)

    def test_cancelled(self) -> None:
        """
        A cancelled attempt leaves nothing.
        """
        for moment in (0.0, 0.01, 0.35):
            dialing = self.dial("rv.example.org")
            self.network.run(moment)
            dialing.cancel()
            with pytest.raises(ConnectingCancelledError):
                spin(dialing, self.network)
            self.network.run(0.5)
            assert self.network.openSockets() == []
            assert self.network.clock.getDelayedCalls() == []

    def test_cancelledLookUp(self) -> None:
        """
        A look-up can be cancelled.
        """
        resolving = Resolving()
        resolution = self.client.nameResolver.resolveHostName(resolving, "localhost")
        resolution.cancel()
        self.network.run(1)
        assert resolving.found == []
        assert self.network.clock.getDelayedCalls() == []

    def test_IPv6(self) -> None:
        """
        The endpoints of IPv6 work with bindings.
        """
        port = spin(
            TCP6ServerEndpoint(self.server, 4040).listen(Recorders()), self.network
        )
        endpoint = TCP6ClientEndpoint(
            self.client, "2001:db8::1", 4040, bindAddress=shared(4000, "::")
        )
        protocol = spin(endpoint.connect(Recorders()), self.network)
        assert protocol.transport.getHost().port == 4000
        assert port.getHost().host == "::"

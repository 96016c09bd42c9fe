"""
A rendezvous that speaks TLS.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    Binding,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from punch.net.identity import Identity
from punch.peer.description import CONNECT_TIMEOUT
from punch.peer.peer import Rendezvous
from punch.testing import MemoryHost
from tests.support.certified import certified

from .world import PORT, RENDEZVOUS, World

NAME = "rendezvous.example"


def _certify() -> Identity:
    key = Identity.make().key
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2000, 1, 1, tzinfo=timezone.utc))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=timezone.utc))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), False)
        .sign(key, SHA256())
    )
    return Identity(key, certificate)


_IDENTITY = _certify()


def inside(factory: IProtocolFactory, host: MemoryHost) -> IProtocolFactory:
    """
    C{factory}, reached by TLS, on the host of L{NAME}.
    """
    return TLSMemoryBIOFactory(certified(_IDENTITY), False, factory, host)


def secure(world: World) -> None:
    """
    Let the world's rendezvous speak TLS from now on.
    """
    world.network.name(NAME, RENDEZVOUS)
    rendezvous = world.rendezvous
    rendezvous.wrap = lambda factory: inside(factory, rendezvous.host)
    rendezvous.stop()
    world.run(0.001)
    rendezvous.start()


@implementer(IStreamClientEndpoint)
class TLSEndpoint:
    """
    What C{wrapClientTLS} gives, with TLS by the network's clock.
    """

    def __init__(
        self, host: MemoryHost, name: str, binding: Binding | None, port: int
    ) -> None:
        self._host = host
        trusted = Certificate.loadPEM(_IDENTITY.toPEM())
        self._options: Any = optionsForClientTLS(name, trustRoot=trusted)
        self._inner = HostnameEndpoint(host, NAME, port, CONNECT_TIMEOUT, binding)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        Connect, and give the protocol inside TLS.
        """
        factory = TLSMemoryBIOFactory(self._options, True, protocolFactory, self._host)
        connected: Deferred[Any] = self._inner.connect(factory)
        return connected.addCallback(lambda outer: outer.wrappedProtocol)


def endpointOf(host: MemoryHost, name: str = NAME) -> Rendezvous:
    """
    The way of a host to that rendezvous.

    @param name: for which its certificate must be valid.
    """
    return lambda binding: TLSEndpoint(host, name, binding, PORT)

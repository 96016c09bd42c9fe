"""
A rendezvous that speaks TLS.
"""

from __future__ import annotations

from typing import Any

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
from tests.support.certified import certified, selfSigned

from .world import PORT, RENDEZVOUS, World

NAME = "rendezvous.example"


_KEY = Identity.make().key
_IDENTITY = Identity(_KEY, selfSigned(_KEY, NAME))


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

"""
TLS between peers: version 1.3, both sides with a self-signed certificate, each
known by its pin and by nothing else.

Whoever opened the TCP connection, the dialer is the TLS client and the listener
the server.  The handshake proves that the other side holds the key of its
certificate; whether that is the key we mean, its pin tells (L{Secured.pin}), and
that is for the caller to compare before it uses the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
)
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.connection import Connection
from punch.errors import WrongPin
from punch.identity import Identity, pinOf
from punch.role import Role

ALPN = b"punch/1"

_ENDED: Failure = connectionDone

HANDSHAKE_TIMEOUT = 10.0
"""
Seconds that a handshake may take.
"""


class Secured(Connection):
    """
    A connection inside TLS.

    C{whenSecure}: fires with this connection after the handshake.  C{pin}: the other
    side's, from then on.
    """

    pin: bytes

    def __init__(self, outer: Connection) -> None:
        Connection.__init__(self, outer.how)
        self._outer = outer
        self.whenSecure: Deferred[Secured] = Deferred(self._cancelled)
        self._waiting = True

    def _cancelled(self, whenSecure: Deferred[Secured]) -> None:
        self._waiting = False
        self._outer.abort()

    def connectionMade(self) -> None:
        """
        Nothing may wait yet: the handshake needs its bytes.
        """

    def handshakeCompleted(self) -> None:
        """
        The other side has proven that it holds its certificate's key.
        """
        if not self._waiting:
            return
        connection = self._tlsConnection()
        certificate = connection.get_peer_certificate(as_cryptography=True)
        if connection.get_alpn_proto_negotiated() != ALPN or certificate is None:
            self.abort()
            return
        self.transport.pauseProducing()
        self.pin = pinOf(certificate)
        self._waiting = False
        self.whenSecure.callback(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._waiting:
            self._waiting = False
            self.whenSecure.errback(reason)
        elif self._heardGoodbye():
            # However TCP ended after that, the other side had ended TLS.
            reason = _ENDED
        Connection.connectionLost(self, reason)

    def _heardGoodbye(self) -> bool:
        return bool(self._tlsConnection().get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    def _tlsConnection(self) -> SSL.Connection:
        return cast(SSL.Connection, self.transport.getHandle())


# zope.interface.implementer would hide Connection's own declarations from mypy.
implementer(IHandshakeListener)(Secured)


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class _Creator:
    """
    Makes our side of TLS connections.
    """

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self._context, None)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self._context, None)


def _contextFor(identity: Identity) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.use_certificate(identity.certificate)
    context.use_privatekey(identity.key)
    # Any certificate will do here: the pin decides, and before the handshake is
    # over the listener may not know it yet.
    context.set_verify(
        SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *whatever: True
    )
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_alpn_protos([ALPN])
    context.set_alpn_select_callback(
        lambda connection, offered: (
            ALPN if ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS
        )
    )
    return context


Pin = Callable[[], Deferred[bytes]]
"""
Asks for the pin of the peer that we mean; fires when it is known.
"""


class Security:
    """
    One identity, and the handshakes made with it.
    """

    def __init__(self, clock: IReactorTime, identity: Identity) -> None:
        self._clock = clock
        self._creator = _Creator(_contextFor(identity))
        self.pin = identity.pin

    def handshake(self, connection: Connection, role: Role) -> Deferred[Secured]:
        """
        Speak TLS on C{connection}.  Cancelling, or failing, aborts it.

        @return: the connection inside; its pin is still to be compared.
        """
        secured = Secured(connection)
        inner = Factory.forProtocol(lambda: secured)
        factory = TLSMemoryBIOFactory(
            self._creator, role is Role.DIALER, inner, self._clock
        )
        protocol = factory.buildProtocol(connection.transport.getPeer())
        connection.take(protocol)
        return secured.whenSecure.addTimeout(HANDSHAKE_TIMEOUT, self._clock)

    async def meet(self, connection: Connection, role: Role, pin: Pin) -> Secured:
        """
        L{handshake}, if it has not been, and compare the other side's pin with the
        one that we mean, when it is known.

        @raise WrongPin: it is another; the connection has been aborted.
        """
        if isinstance(connection, Secured):
            secured = connection
        else:
            secured = await self.handshake(connection, role)
        try:
            if secured.pin != await pin():
                raise WrongPin()
        except BaseException:
            secured.abort()
            raise
        return secured

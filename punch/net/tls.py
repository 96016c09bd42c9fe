"""
TLS between peers: version 1.3, both sides with a self-signed certificate, each
known by its pin and by nothing else.

Whoever opened the TCP connection, the dialer is the TLS client and the listener
the server.  The handshake proves that the other side holds the key of its
certificate; whether that is the key we mean, its pin tells (L{TLSConnection.pin}), and
that is for the caller to compare before it uses the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
    ITransport,
)
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.tls import (
    BufferingTLSTransport,
    TLSMemoryBIOFactory,
    TLSMemoryBIOProtocol,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.errors import WrongPin
from punch.net.connection import BULK_SIZE, Connection, copyReason
from punch.net.identity import Identity, pinOf
from punch.role import Role

ALPN = b"punch/1"

_ENDED: Failure = connectionDone

_EXPORTED = b"EXPERIMENTAL-punch-path"

HANDSHAKE_TIMEOUT = 10.0
"""
Seconds that a handshake may take.
"""

_RECORD = 1 << 14
"""
Bytes in a full record of TLS.
"""

_OVERHEAD = 64
"""
Bytes that a record grows by when it is encrypted, and some to spare.
"""

_TOGETHER = 16

_USUAL = 1 << 16
"""
Bytes that Twisted reads at once.
"""

_SSL_MODE_ENABLE_PARTIAL_WRITE = 1
"""
OpenSSL's, which pyOpenSSL sets and does not name (C{openssl/ssl.h}).
"""


class TLSConnection(Connection):
    """
    A connection inside TLS.

    C{whenSecured}: fires with this connection after the handshake.  C{pin}: the other
    side's, from then on.
    """

    pin: bytes

    def __init__(self, outer: Connection) -> None:
        Connection.__init__(self, outer.how)
        self._outer = outer
        self.whenSecured: Deferred[TLSConnection] = Deferred(self._cancelled)
        self._waiting = True

    def _cancelled(self, whenSecured: Deferred[TLSConnection]) -> None:
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
        self.whenSecured.callback(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._waiting:
            self._waiting = False
            self.whenSecured.errback(copyReason(reason))
        elif self._heardGoodbye():
            # However TCP ended after that, the other side had ended TLS.
            reason = _ENDED
        Connection.connectionLost(self, reason)

    def exportKeyingMaterial(self, size: int) -> bytes:
        """
        Bytes that both ends of this connection can make, and nobody else (RFC 8446
        section 7.5).
        """
        return self._tlsConnection().export_keying_material(_EXPORTED, size)

    def _heardGoodbye(self) -> bool:
        return bool(self._tlsConnection().get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    def _tlsConnection(self) -> SSL.Connection:
        return cast(SSL.Connection, self.transport.getHandle())


# zope.interface.implementer would hide Connection's own declarations from mypy.
implementer(IHandshakeListener)(TLSConnection)


class _OpenSSLConnection(SSL.Connection):
    """
    OpenSSL's side of a connection, giving out what has arrived together in one
    piece: whoever comes after us handles 256 KiB once, not 16 KiB sixteen times.
    """

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """
        What there is, up to L{_TOGETHER} records.
        """
        pieces = [SSL.Connection.recv(self, bufsiz)]
        try:
            while len(pieces[-1]) == _RECORD and len(pieces) < _TOGETHER:
                pieces.append(SSL.Connection.recv(self, bufsiz))
        except SSL.Error:
            # It will say so again.
            pass
        return b"".join(pieces)


class _Transport(BufferingTLSTransport):
    """
    Encrypts what is written in one go, and lets nobody produce for a peer who has
    said goodbye.

    Twisted's own encrypts each 16 KiB, and hands them on one by one, which costs a
    sender of bulk a fifth of its processor.  The methods are private to it: if they
    go away, C{tests/test_tls.py} will tell.
    """

    def dataReceived(self, bytes: bytes) -> None:
        """
        Read more at once while it comes in faster than we read.  (Not always:
        Twisted takes the same number for what it holds unsent, and that is what
        small writes wait behind.)
        """
        transport: Any = self.transport
        if len(bytes) >= transport.bufferSize:
            transport.bufferSize = BULK_SIZE
        elif len(bytes) < _USUAL:
            transport.bufferSize = _USUAL
        BufferingTLSTransport.dataReceived(self, bytes)

    def _write(self, bytes: bytes) -> None:
        tls, transport = self._tlsConnection, cast(ITransport, self.transport)
        isReady = self._handshakeDone and not self._lostTLSConnection
        if not bytes or not isReady or self._appSendBuffer:
            BufferingTLSTransport._write(self, bytes)
            return
        try:
            tls.send(bytes)
        except SSL.Error:
            self._tlsShutdownFinished(Failure())
            return
        records = len(bytes) // _RECORD + 1
        transport.write(tls.bio_read(len(bytes) + records * _OVERHEAD))

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        # TCP would wait for a producer to end, as if somebody still listened.
        self.unregisterProducer()
        BufferingTLSTransport._tlsShutdownFinished(self, reason)


class _Factory(TLSMemoryBIOFactory):
    protocol = _Transport


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class _ConnectionCreator:
    """
    Makes our side of TLS connections.
    """

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return _OpenSSLConnection(self._context, None)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return _OpenSSLConnection(self._context, None)


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
    # A write into memory is always whole.
    context.clear_mode(_SSL_MODE_ENABLE_PARTIAL_WRITE)
    context.set_alpn_protos([ALPN])
    context.set_alpn_select_callback(
        lambda connection, offered: (
            ALPN if ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS
        )
    )
    return context


PeerPin = Callable[[], Deferred[bytes]]
"""
Asks for the pin of the peer that we mean; fires when it is known.
"""


class PeerAuthenticator:
    """
    One identity, and the handshakes made with it.
    """

    def __init__(self, clock: IReactorTime, identity: Identity) -> None:
        self.clock = clock
        self._creator = _ConnectionCreator(_contextFor(identity))
        self.pin = identity.pin

    def handshake(self, connection: Connection, role: Role) -> Deferred[TLSConnection]:
        """
        Speak TLS on C{connection}.  Cancelling, or failing, aborts it.

        @return: the connection inside; its pin is still to be compared.
        """
        secured = TLSConnection(connection)
        inner = Factory.forProtocol(lambda: secured)
        factory = _Factory(self._creator, role is Role.DIALER, inner, self.clock)
        protocol = factory.buildProtocol(connection.transport.getPeer())
        connection.handOver(protocol)
        return secured.whenSecured.addTimeout(HANDSHAKE_TIMEOUT, self.clock)

    async def authenticate(
        self, connection: Connection, role: Role, pin: PeerPin
    ) -> TLSConnection:
        """
        L{handshake} and L{checkPin}.
        """
        return await checkPin(await self.handshake(connection, role), pin)


async def checkPin(secured: TLSConnection, pin: PeerPin) -> TLSConnection:
    """
    Compare the other side's pin with the one that we mean, when that is known.

    @raise WrongPin: it is another; the connection has been aborted.
    """
    try:
        if secured.pin != await pin():
            raise WrongPin()
    except BaseException:
        secured.abort()
        raise
    return secured

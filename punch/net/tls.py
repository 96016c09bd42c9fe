"""
TLS between peers: version 1.3, in which both sides show a self-signed certificate and
are recognized by its pin alone.

The dialer is the TLS client and the listener the server, whichever of them opened the
TCP connection.  The handshake proves that the other side holds the key of its
certificate.  The pin tells whether that is the peer that we mean
(L{TLSConnection.pin}); the caller compares it before it uses the connection.
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
Bytes by which a record grows when it is encrypted, with some to spare.
"""

_RECORDS_AT_ONCE = 16

_DEFAULT_BUFFER_SIZE = 1 << 16
"""
Bytes that Twisted reads at once.
"""

_SSL_MODE_ENABLE_PARTIAL_WRITE = 1
"""
A mode of OpenSSL that pyOpenSSL sets and does not name (C{openssl/ssl.h}).
"""


class TLSConnection(Connection):
    """
    The connection inside TLS.  L{PeerAuthenticator.handshake} makes it.  Its user hands
    it over to a protocol or aborts it, as any connection.

    @ivar whenSecured: fires with this connection after the handshake.
    @ivar pin: the other side's pin, 32 bytes, after the handshake.
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
        Do not pause, as another connection does: the handshake needs its bytes.
        """

    def handshakeCompleted(self) -> None:
        """
        Note that the other side has proven that it holds its certificate's key.
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
        elif self._receivedCloseNotify():
            # The other side had ended TLS; how TCP ended after that does not matter.
            reason = _ENDED
        Connection.connectionLost(self, reason)

    def exportKeyingMaterial(self, size: int) -> bytes:
        """
        Derive bytes that both ends of this connection can derive, and nobody else (RFC
        8446 section 7.5).

        @param size: how many bytes.
        """
        return self._tlsConnection().export_keying_material(_EXPORTED, size)

    def _receivedCloseNotify(self) -> bool:
        return bool(self._tlsConnection().get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    def _tlsConnection(self) -> SSL.Connection:
        return cast(SSL.Connection, self.transport.getHandle())


# zope.interface.implementer would hide Connection's own declarations from mypy.
implementer(IHandshakeListener)(TLSConnection)


class _OpenSSLConnection(SSL.Connection):
    """
    OpenSSL's state of a connection.  It answers a read with up to sixteen records at
    once, so that the next layer handles 256 KiB once and not 16 KiB sixteen times.
    """

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """
        Decrypt what has arrived, up to L{_RECORDS_AT_ONCE} records.
        """
        pieces = [SSL.Connection.recv(self, bufsiz)]
        try:
            while len(pieces[-1]) == _RECORD and len(pieces) < _RECORDS_AT_ONCE:
                pieces.append(SSL.Connection.recv(self, bufsiz))
        except SSL.Error:
            # The next call raises it again.
            pass
        return b"".join(pieces)


class _TLSTransport(BufferingTLSTransport):
    """
    Encrypts each write in one go, and stops a producer when the other side has closed
    TLS.

    Twisted's own transport encrypts and hands on each 16 KiB by itself, which costs a
    sender of bulk data a fifth of its processor time.  The methods overridden here are
    private to Twisted: if they go away, C{tests/net/test_tls.py} will tell.
    """

    def dataReceived(self, bytes: bytes) -> None:
        """
        Read more at once while bytes come in faster than we read.  Twisted uses the
        same number as the limit of unsent bytes, behind which small writes wait, so it
        goes back to the default when they do not.
        """
        transport: Any = self.transport
        if len(bytes) >= transport.bufferSize:
            transport.bufferSize = BULK_SIZE
        elif len(bytes) < _DEFAULT_BUFFER_SIZE:
            transport.bufferSize = _DEFAULT_BUFFER_SIZE
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
        # TCP would wait for the producer to end, although nobody reads any more.
        self.unregisterProducer()
        BufferingTLSTransport._tlsShutdownFinished(self, reason)


class _TLSFactory(TLSMemoryBIOFactory):
    """
    Twisted's factory of TLS on a connection, whose protocols are ours.
    """

    protocol = _TLSTransport


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class _ConnectionCreator:
    """
    Makes OpenSSL's state of each connection, for Twisted's TLS factory.
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
    # Accept any certificate here.  The pin decides, and the listener may learn the
    # expected pin only after the handshake.
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
    Makes the TLS handshakes of one peer with its identity, and compares pins.  A peer
    has one.

    @ivar pin: our own pin, 32 bytes.
    """

    def __init__(self, clock: IReactorTime, identity: Identity) -> None:
        self.clock = clock
        self._creator = _ConnectionCreator(_contextFor(identity))
        self.pin = identity.pin

    def handshake(self, connection: Connection, role: Role) -> Deferred[TLSConnection]:
        """
        Do the TLS handshake on C{connection}.  The connection is aborted if that fails
        or is cancelled.

        @return: fires with the connection inside TLS.  Its pin is not compared yet.
        """
        secured = TLSConnection(connection)
        inner = Factory.forProtocol(lambda: secured)
        factory = _TLSFactory(self._creator, role is Role.DIALER, inner, self.clock)
        protocol = factory.buildProtocol(connection.transport.getPeer())
        connection.handOver(protocol)
        return secured.whenSecured.addTimeout(HANDSHAKE_TIMEOUT, self.clock)

    async def authenticate(
        self, connection: Connection, role: Role, pin: PeerPin
    ) -> TLSConnection:
        """
        Do L{handshake}, then L{checkPin}.
        """
        return await checkPin(await self.handshake(connection, role), pin)


async def checkPin(secured: TLSConnection, pin: PeerPin) -> TLSConnection:
    """
    Wait until the expected pin is known, and compare it with the other side's.  The
    connection is aborted if that fails or is cancelled.

    @param pin: asks for the expected pin.
    @raise WrongPin: the pins differ.
    """
    try:
        if secured.pin != await pin():
            raise WrongPin()
    except BaseException:
        secured.abort()
        raise
    return secured

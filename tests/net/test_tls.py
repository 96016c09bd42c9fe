"""
Tests for L{punch.net.tls}.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer
from zope.interface.verify import verifyClass

from punch.errors import WrongPin
from punch.net.connection import Connection, Origin
from punch.net.tls import ALPN, HANDSHAKE_TIMEOUT, TLSConnection
from punch.role import Role
from tests.support.doubles import DIALER_ID, LISTENER_ID, Pair, PunchTestCase
from tests.support.programs import Pusher, Recorder


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class _Stranger:
    """
    Somebody who speaks TLS in a way of his own.
    """

    def __init__(self, alpn: bytes = ALPN, certificate: bool = True) -> None:
        self.context = SSL.Context(SSL.TLS_METHOD)
        if certificate:
            self.context.use_certificate(DIALER_ID.certificate)
            self.context.use_privatekey(DIALER_ID.key)
        if alpn:
            self.context.set_alpn_protos([alpn])

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """
        As a client.
        """
        return SSL.Connection(self.context, None)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """
        As a server.
        """
        return SSL.Connection(self.context, None)

    def speak(self, connection: Connection, isClient: bool) -> Recorder:
        """
        Begin.
        """
        recorder = Recorder()
        factory: Any = TLSMemoryBIOFactory(
            self, isClient, Factory.forProtocol(lambda: recorder), None
        )
        connection.handOver(factory.buildProtocol(None))
        return recorder


class HandshakeTests(PunchTestCase):
    """
    TLS on a connection between two hosts in memory.
    """

    def setUp(self) -> None:
        """
        Connect.
        """
        self.pair = Pair()
        self.dialers, self.listeners = self.pair.connections()

    def handshakes(self, swapped: bool = False) -> tuple[TLSConnection, TLSConnection]:
        """
        Both sides shake hands.
        """
        connections = [self.dialers, self.listeners]
        if swapped:
            connections.reverse()
        shaken = [
            authenticator.handshake(connection, role)
            for authenticator, connection, role in zip(
                self.pair.authenticators,
                connections,
                (Role.DIALER, Role.LISTENER),
                strict=True,
            )
        ]
        self.pair.run()
        return self.successResultOf(shaken[0]), self.successResultOf(shaken[1])

    def refused(self, connection: Connection, role: Role) -> Deferred[TLSConnection]:
        """
        Begin a handshake that has to fail.
        """
        authenticator = self.pair.authenticators[role is Role.LISTENER]
        return authenticator.handshake(connection, role)

    def assertGone(self) -> None:
        """
        See that no connection and no call is left.
        """
        self.pair.run()
        self.successResultOf(self.dialers.whenLost)
        self.successResultOf(self.listeners.whenLost)
        assert self.pair.network.openSockets() == []
        assert list(self.pair.network.delayedCalls()) == []

    def test_listens(self) -> None:
        """
        Twisted tells when the handshake is done.
        """
        assert verifyClass(IHandshakeListener, TLSConnection)

    def test_pins(self) -> None:
        """
        Each knows the other's pin afterwards, and speaks TLS 1.3.
        """
        dialer, listener = self.handshakes()
        assert dialer.pin == LISTENER_ID.pin
        assert listener.pin == DIALER_ID.pin
        for each in (dialer, listener):
            handle: Any = each.transport.getHandle()
            assert handle.get_protocol_version_name() == "TLSv1.3"
            assert handle.get_alpn_proto_negotiated() == b"punch/1"
        assert (dialer.how, listener.how) == (
            Origin.CONNECTED,
            Origin.ACCEPTED,
        )
        assert dialer.remote == listener.local
        assert list(self.pair.network.delayedCalls()) == []

    def test_swapped(self) -> None:
        """
        The dialer is the client whoever opened the connection.
        """
        dialer, listener = self.handshakes(swapped=True)
        assert (dialer.how, listener.how) == (
            Origin.ACCEPTED,
            Origin.CONNECTED,
        )
        assert dialer.pin == LISTENER_ID.pin

    def test_bytes(self) -> None:
        """
        Bytes wait until somebody takes the connection inside.
        """
        dialer, listener = self.handshakes()
        dialer.transport.write(b"early ")
        self.pair.run()
        protocol = Recorder()
        listener.handOver(protocol)
        self.pair.run()
        dialer.transport.write(b"late")
        self.pair.run()
        assert protocol.received == b"early late"

    def test_inOnePiece(self) -> None:
        """
        64 KiB are encrypted in one go and handed on in one piece (if not, Twisted
        has changed what L{punch.net.tls} builds on, and bulk is slower).
        """
        dialer, _ = self.handshakes()
        below = self.dialers.transport
        handedOn: list[int] = []
        with patch.object(below, "write", lambda data: handedOn.append(len(data))):
            dialer.transport.write(bytes(1 << 16))
            self.pair.run()
        assert len(handedOn) == 1
        assert handedOn[0] > 1 << 16

    def test_receivedInOnePiece(self) -> None:
        """
        What has arrived together is given out together, up to 256 KiB; what lies
        beyond follows.
        """
        dialer, listener = self.handshakes()
        recorder = Recorder()
        listener.handOver(recorder)
        below = self.listeners
        held: list[bytes] = []
        with patch.object(below, "dataReceived", held.append):
            dialer.transport.write(bytes(400_000))
            self.pair.run()
        below.dataReceived(b"".join(held))
        assert recorder.received == bytes(400_000)
        assert recorder.chunks == 2

    def test_closeNotify(self) -> None:
        """
        An end that the other side has said is a clean one.
        """
        dialer, listener = self.handshakes()
        protocols = [Recorder(), Recorder()]
        dialer.handOver(protocols[0])
        listener.handOver(protocols[1])
        protocols[0].transport.loseConnection()
        self.pair.run()
        for each in protocols:
            assert each.isClean
        self.assertGone()

    def test_closeNotifyToProducer(self) -> None:
        """
        Also to who has more to say than passes, and would never end.
        """
        for isTruncated in (False, True):
            self.setUp()
            dialer, listener = self.handshakes()
            protocols = [Recorder(), Recorder()]
            dialer.handOver(protocols[0])
            listener.handOver(protocols[1])
            pusher = Pusher(self.pair.network.clock, protocols[0].transport)
            self.pair.run(0.01)
            assert pusher.isPaused
            if isTruncated:
                self.listeners.transport.loseWriteConnection()
            else:
                protocols[1].transport.loseConnection()
            self.pair.run()
            assert not protocols[0].isOpen
            assert protocols[0].isClean is not isTruncated
            self.assertGone()

    def test_truncated(self) -> None:
        """
        The end of TCP alone is none: anybody between us could have made it.
        """
        dialer, listener = self.handshakes()
        protocol = Recorder()
        listener.handOver(protocol)
        self.dialers.transport.loseConnection()
        self.pair.run()
        assert dialer
        assert protocol.isBroken

    def test_aborted(self) -> None:
        """
        Nor is an abort.
        """
        dialer, listener = self.handshakes()
        protocol = Recorder()
        listener.handOver(protocol)
        dialer.abort()
        self.pair.run()
        assert protocol.isBroken
        self.assertGone()

    def test_silence(self) -> None:
        """
        Silence ends in time.
        """
        handshake = self.refused(self.listeners, Role.LISTENER)
        self.pair.run(HANDSHAKE_TIMEOUT - 2)
        self.waiting(handshake)
        self.pair.run(2)
        self.failed(handshake, TimeoutError)
        self.dialers.handOver(Recorder())
        self.assertGone()

    def test_cancelled(self) -> None:
        """
        A cancelled handshake leaves nothing behind.
        """
        handshake = self.refused(self.listeners, Role.LISTENER)
        handshake.cancel()
        self.failed(handshake, CancelledError)
        self.dialers.handOver(Recorder())
        self.assertGone()

    def test_lost(self) -> None:
        """
        So does one whose connection is lost.
        """
        handshake = self.refused(self.listeners, Role.LISTENER)
        self.dialers.abort()
        self.pair.run()
        self.failed(handshake)
        self.assertGone()

    def test_rubbish(self) -> None:
        """
        Who does not speak TLS is out.
        """
        stranger = Recorder()
        self.dialers.handOver(stranger)
        handshake = self.refused(self.listeners, Role.LISTENER)
        stranger.transport.write(b"GET / HTTP/1.1\r\n\r\n")
        self.pair.run()
        self.failed(handshake)
        assert not stranger.isOpen
        self.assertGone()

    def strange(self, stranger: _Stranger, role: Role) -> Deferred[TLSConnection]:
        """
        Meet a stranger.
        """
        connection, other = self.dialers, self.listeners
        if role is Role.LISTENER:
            connection, other = other, connection
        handshake = self.refused(connection, role)
        stranger.speak(other, isClient=role is Role.LISTENER)
        self.pair.run()
        return handshake

    def test_oldTLS(self) -> None:
        """
        TLS 1.2 is refused.
        """
        for role in Role:
            stranger = _Stranger()
            stranger.context.set_max_proto_version(SSL.TLS1_2_VERSION)
            self.failed(self.strange(stranger, role))
            self.setUp()

    def test_noALPN(self) -> None:
        """
        So is a client of another protocol, or of none.
        """
        for alpn in (b"", b"http/1.1"):
            handshake = self.strange(_Stranger(alpn), Role.LISTENER)
            self.failed(handshake)
            self.assertGone()
            self.setUp()

    def test_noALPNFromServer(self) -> None:
        """
        So is a server of none.
        """
        self.failed(self.strange(_Stranger(b""), Role.DIALER))
        self.assertGone()

    def test_noCertificate(self) -> None:
        """
        So is a client without a certificate.
        """
        handshake = self.strange(_Stranger(certificate=False), Role.LISTENER)
        self.failed(handshake, SSL.Error)
        self.assertGone()


class MeetTests(PunchTestCase):
    """
    TLS with the pin that is meant.
    """

    def setUp(self) -> None:
        """
        Connect; the listener shakes hands.
        """
        self.pair = Pair()
        self.dialers, self.listeners = self.pair.connections()
        shaken = self.pair.authenticators[1].handshake(self.listeners, Role.LISTENER)
        shaken.addErrback(lambda _: None)
        self.pin: Deferred[bytes] = Deferred()
        self.meeting = Deferred.fromCoroutine(
            self.pair.authenticators[0].authenticate(
                self.dialers, Role.DIALER, lambda: self.pin
            )
        )

    def test_right(self) -> None:
        """
        The right pin, known before the handshake is over.
        """
        self.pin.callback(LISTENER_ID.pin)
        self.pair.run()
        assert self.successResultOf(self.meeting).pin == LISTENER_ID.pin

    def test_late(self) -> None:
        """
        Or after it.
        """
        self.pair.run()
        self.waiting(self.meeting)
        self.pin.callback(LISTENER_ID.pin)
        assert self.successResultOf(self.meeting).pin == LISTENER_ID.pin

    def test_wrong(self) -> None:
        """
        With another pin the connection is aborted.
        """
        self.pin.callback(bytes(32))
        self.pair.run()
        self.failed(self.meeting, WrongPin)
        self.successResultOf(self.dialers.whenLost)

    def test_never(self) -> None:
        """
        It is aborted too if the pin does not come,
        """
        self.pair.run()
        self.pin.errback(ValueError("never"))
        self.failed(self.meeting, ValueError)
        self.pair.run()
        self.successResultOf(self.dialers.whenLost)

    def test_cancelled(self) -> None:
        """
        or if nobody waits for that any longer,
        """
        self.pair.run()
        self.meeting.cancel()
        self.failed(self.meeting, CancelledError)
        self.pair.run()
        self.successResultOf(self.dialers.whenLost)
        assert self.pair.network.delayedCalls() == []

    def test_cancelledEarly(self) -> None:
        """
        or for the handshake.
        """
        self.meeting.cancel()
        self.failed(self.meeting, CancelledError)
        self.pair.run()
        self.successResultOf(self.dialers.whenLost)
        assert self.pair.network.openSockets() == []


@pytest.mark.parametrize("role", Role)
def test_sameIdentity(role: Role) -> None:
    """
    Whoever connects to itself meets its own pin, which is not the one it means.
    """
    pair = Pair()
    connections = pair.connections()
    meetings = [
        Deferred.fromCoroutine(
            pair.authenticators[0].authenticate(
                each, as_, lambda: succeed(LISTENER_ID.pin)
            )
        )
        for each, as_ in zip(connections, (role, role.other), strict=True)
    ]
    pair.run()
    for each in meetings:
        with pytest.raises(Exception, match=r".*") as caught:
            pair.spin(each)
        assert not isinstance(caught.value, AssertionError)
    assert pair.network.openSockets() == []

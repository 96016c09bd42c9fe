"""
Connecting and not connecting, between hosts without NATs.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
    UserError,
)
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from punch.testing import spin
from tests.support.programs import Recorder, Service, connect, network


class _Attempt(ClientFactory[Recorder]):
    """
    A client factory that remembers why it failed.
    """

    noisy = False
    protocol = Recorder
    failure: Failure | None = None

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        """
        Remember why.
        """
        self.failure = reason


class ConnectTests(SynchronousTestCase):
    """
    Two public hosts, 20 ms from the core each.
    """

    def setUp(self) -> None:
        """
        Make them.
        """
        self.network = network()
        self.server = self.network.host("192.0.2.1", "2001:db8::1")
        self.client = self.network.host("192.0.2.2", "2001:db8::2")

    def failureOf(self, connecting: Deferred[Any]) -> Failure:
        """
        How an attempt fails.
        """
        failures: list[Failure] = []
        connecting.addErrback(failures.append)
        assert self.network.runUntil(lambda: failures, 1000)
        return failures[0]

    def test_roundTrip(self) -> None:
        """
        A connection takes the one round trip that the links make.
        """
        service = Service(self.server)
        protocol = spin(connect(self.client, "192.0.2.1"), self.network)
        assert self.network.clock.seconds() == pytest.approx(0.08)
        self.network.run(0.04)
        assert len(service.accepted) == 1
        assert protocol.isOpen

    def test_addresses(self) -> None:
        """
        Both ends know their own and each other's address.
        """
        service = Service(self.server)
        protocol = spin(connect(self.client, "192.0.2.1"), self.network)
        self.network.run(1)
        theirs = service.accepted[0].transport
        ours = protocol.transport
        assert ours.getPeer() == IPv4Address("TCP", "192.0.2.1", 4040)
        assert ours.getHost().host == "192.0.2.2"
        assert theirs.getPeer() == ours.getHost()
        assert theirs.getHost() == ours.getPeer()

    def test_IPv6(self) -> None:
        """
        Hosts with IPv6 addresses use them, in whatever form they are written.
        """
        service = Service(self.server, interface="::")
        protocol = spin(connect(self.client, "2001:db8:0::1"), self.network)
        self.network.run(1)
        peer = protocol.transport.getPeer()
        assert peer == IPv6Address("TCP", "2001:db8::1", 4040)
        assert service.accepted[0].transport.getPeer().host == "2001:db8::2"

    def test_refused(self) -> None:
        """
        Where nobody listens, the host refuses, a round trip later.
        """
        failure = self.failureOf(connect(self.client, "192.0.2.1"))
        failure.trap(ConnectionRefusedError)
        assert self.network.clock.seconds() == pytest.approx(0.08)

    def test_silence(self) -> None:
        """
        An address that nobody has is silence, and the attempt times out.
        """
        failure = self.failureOf(connect(self.client, "192.0.2.9", timeout=7))
        failure.trap(TimeoutError)
        assert self.network.clock.seconds() == pytest.approx(7)

    def test_kernelGivesUp(self) -> None:
        """
        A patient program hears from the kernel that nobody answers.
        """
        failure = self.failureOf(connect(self.client, "192.0.2.9", timeout=900))
        failure.trap(TCPTimedOutError)
        assert self.network.clock.seconds() == pytest.approx(35)

    def test_retransmissions(self) -> None:
        """
        SYNs go out when Linux sends them.
        """
        trace = self.network.trace()
        self.failureOf(connect(self.client, "192.0.2.9", timeout=30))
        sent = [float(line.split()[0]) for line in trace if " sent " in line]
        assert sent == [0, 1, 2, 3, 4, 5, 7, 11, 19]

    def test_unknownRefused(self) -> None:
        """
        With C{refusesUnknown} an address that nobody has is unreachable.
        """
        self.network.refusesUnknown = True
        failure = self.failureOf(connect(self.client, "192.0.2.9"))
        failure.trap(NoRouteError)
        assert self.network.clock.seconds() == pytest.approx(0.04)

    def test_noSuchFamily(self) -> None:
        """
        A host without IPv6 cannot reach it, and knows at once.
        """
        old = self.network.host("192.0.2.3")
        self.failureOf(connect(old, "2001:db8::1")).trap(NoRouteError)
        assert self.network.clock.seconds() == 0

    def test_lateListener(self) -> None:
        """
        A SYN that was lost is sent again; who listens by then gets it.
        """
        self.server.cut()
        connecting = connect(self.client, "192.0.2.1")
        self.network.run(2.5)
        self.server.mend()
        Service(self.server)
        spin(connecting, self.network)
        assert self.network.clock.seconds() == pytest.approx(3.08)

    def test_lostSYNACK(self) -> None:
        """
        The answer to a SYN is sent again, too.
        """
        Service(self.server)
        connecting = connect(self.client, "192.0.2.1")
        self.network.run(0.05)
        self.client.cut()
        self.network.run(0.5)
        self.client.mend()
        spin(connecting, self.network)
        assert self.network.clock.seconds() == pytest.approx(1.08)

    def test_lostACK(self) -> None:
        """
        A listener hears of a connection whose last handshake segment was lost.
        """
        service = Service(self.server)
        spin(connect(self.client, "192.0.2.1"), self.network)
        self.client.cut()
        self.network.run(0.02)
        self.client.mend()
        self.server.cut()
        self.network.run(0.5)
        self.server.mend()
        assert service.accepted == []
        self.network.run(2)
        assert len(service.accepted) == 1

    def test_stopConnecting(self) -> None:
        """
        An attempt can be stopped; nothing more is sent.
        """
        attempt = _Attempt()
        connector = self.client.connectTCP("192.0.2.9", 4040, attempt)
        self.network.run(1.5)
        trace = self.network.trace()
        connector.stopConnecting()
        assert attempt.failure is not None
        attempt.failure.trap(UserError)
        self.network.run(30)
        assert trace == []
        assert self.network.openSockets() == []

    def test_disconnectWhileConnecting(self) -> None:
        """
        So can it through C{disconnect}.
        """
        attempt = _Attempt()
        connector = self.client.connectTCP("192.0.2.9", 4040, attempt)
        connector.disconnect()
        assert attempt.failure is not None
        attempt.failure.trap(UserError)

    def test_cancel(self) -> None:
        """
        A cancelled endpoint's attempt is gone, before and after its first SYN.
        """
        for moment in (0.0, 0.03):
            connecting = connect(self.client, "192.0.2.1")
            self.network.run(moment)
            connecting.cancel()
            self.failureOf(connecting).trap(ConnectingCancelledError)
            self.network.run(1)
            assert self.network.openSockets() == []
            assert self.network.clock.getDelayedCalls() == []

    def test_abandonedAttempt(self) -> None:
        """
        A listener that accepts an attempt abandoned meanwhile hears a reset, and
        never has a connection.
        """
        service = Service(self.server)
        connecting = connect(self.client, "192.0.2.1")
        self.network.run(0.05)
        connecting.cancel()
        self.failureOf(connecting).trap(ConnectingCancelledError)
        self.network.run(1)
        assert service.accepted == []
        assert self.server.stack.connections() == []

    def test_stopListening(self) -> None:
        """
        After a port has stopped listening, connections are refused, and those it
        accepted live on.
        """
        service = Service(self.server)
        protocol = spin(connect(self.client, "192.0.2.1"), self.network)
        self.network.run(1)
        spin(service.listening.stopListening(), self.network)
        self.failureOf(connect(self.client, "192.0.2.1")).trap(ConnectionRefusedError)
        protocol.transport.write(b"still here")
        self.network.run(1)
        assert service.accepted[0].received == b"still here"

    def test_stopListeningMidHandshake(self) -> None:
        """
        A connection that was not accepted when its port stopped listening is
        refused or reset.
        """
        service = Service(self.server)
        connecting = connect(self.client, "192.0.2.1")
        self.network.run(0.05)
        service.listening.stopListening()
        protocol = spin(connecting, self.network)
        self.network.run(1)
        assert protocol.lostBy(ConnectionLost)
        assert service.accepted == []

    def test_backlog(self) -> None:
        """
        A listener that does not accept lets C{backlog + 1} connections wait.
        """
        service = Service(self.server)
        service.listening.stopListening()
        self.network.run(1)
        listening: Any = self.server.listenTCP(4040, service.factory, backlog=2)
        listening.stopReading()
        attempts = [connect(self.client, "192.0.2.1", timeout=3) for _ in range(4)]
        outcomes: list[object] = []
        for attempt in attempts:
            attempt.addBoth(outcomes.append)
        self.network.run(4)
        failed = [each for each in outcomes if isinstance(each, Failure)]
        assert (len(outcomes), len(failed)) == (4, 1)
        listening.startReading()
        self.network.run(1)
        assert len(service.accepted) == 3

    def test_noProtocol(self) -> None:
        """
        A factory that builds no protocol closes the connection.
        """
        service = Service(self.server)
        service.factory.buildProtocol = lambda addr: None  # type: ignore[method-assign, assignment, return-value]
        protocol = spin(connect(self.client, "192.0.2.1"), self.network)
        self.network.run(1)
        assert protocol.isClean

    def test_connectingByName(self) -> None:
        """
        The plain connector resolves names as well.
        """
        self.network.name("rv.example.org", "192.0.2.1")
        Service(self.server)
        attempt = _Attempt()
        connector = self.client.connectTCP("rv.example.org", 4040, attempt)
        self.network.run(1)
        assert connector.state == "connected"  # type: ignore[attr-defined]
        unknown = _Attempt()
        self.client.connectTCP("example.org", 4040, unknown)
        self.network.run(1)
        assert unknown.failure is not None
        unknown.failure.trap(DNSLookupError)

    def test_hostReset(self) -> None:
        """
        When a host resets its connections both ends hear of it.
        """
        service = Service(self.server)
        protocol = spin(connect(self.client, "192.0.2.1"), self.network)
        self.network.run(1)
        self.server.reset()
        self.network.run(1)
        for each in (protocol, service.accepted[0]):
            assert each.lostBy(ConnectionLost)

    def test_noDelay(self) -> None:
        """
        The options that transports have are remembered.
        """
        Service(self.server)
        protocol = spin(connect(self.client, "192.0.2.1"), self.network)
        assert not protocol.transport.getTcpNoDelay()
        protocol.transport.setTcpNoDelay(True)
        protocol.transport.setTcpKeepAlive(True)
        assert protocol.transport.getTcpNoDelay()
        assert protocol.transport.getTcpKeepAlive()

    def test_duplicates(self) -> None:
        """
        Where every SYN and SYN-ACK arrives twice there is still one connection.
        """
        self.server.duplicates = self.client.duplicates = 1.0
        service = Service(self.server)
        protocol = spin(connect(self.client, "192.0.2.1"), self.network)
        protocol.transport.write(b"once")
        self.network.run(5)
        assert [each.received for each in service.accepted] == [b"once"]
        assert protocol.isOpen
        protocol.transport.loseConnection()
        self.network.run(5)
        assert self.server.stack.connections() == []

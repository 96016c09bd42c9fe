"""
Tests for L{punch.rendezvous.server.stunserver}.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.python.failure import Failure

from punch.nat.stun import (
    BindingError,
    BindingIndication,
    BindingRequest,
    BindingSuccess,
    decode,
)
from punch.net.address import tcpAddress
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.statistics import Statistics
from punch.rendezvous.server.stunserver import STUNConnection, STUNFactory
from punch.testing import spin
from tests.support.doubles import watching
from tests.support.programs import Recorder, connect, network, tcp

ID = bytes(12)
ASK = BindingRequest(ID).toBytes()
PEER = tcpAddress("198.51.100.7", 4711)


class Site:
    """
    A STUN server under a clock, and clients by their transports.
    """

    def __init__(self, **limits: int) -> None:
        self.clock = Clock()
        self.factory = STUNFactory(
            self.clock, Limits(**limits), Statistics(self.clock.seconds())
        )
        self.factory.doStart()

    def client(self, peer: object = PEER) -> tuple[STUNConnection, StringTransport]:
        """
        One more client.
        """
        transport = StringTransport(peerAddress=peer)
        connection = self.factory.buildProtocol(None)
        connection.makeConnection(transport)
        return connection, transport

    def run(self, seconds: int) -> None:
        """
        Let time pass.
        """
        self.clock.pump([1.0] * seconds)


@pytest.fixture(name="site")
def _site() -> Iterator[Site]:
    site = Site()
    yield site
    site.factory.doStop()
    assert site.clock.getDelayedCalls() == []


def isAborted(transport: StringTransport) -> bool:
    """
    Was the connection closed at once?
    """
    return bool(transport.disconnected)


@pytest.mark.parametrize(
    ("peer", "seen"),
    [
        (PEER, PEER),
        (tcpAddress("2001:db8::1", 1), tcpAddress("2001:db8::1", 1)),
        (
            IPv6Address("TCP", "::ffff:192.0.2.1", 4),
            tcpAddress("192.0.2.1", 4),
        ),
    ],
    ids=["IPv4", "IPv6", "IPv4 in IPv6"],
)
def test_success(site: Site, peer: object, seen: object) -> None:
    """
    A client is told its address, again and again, however its request is split.
    """
    connection, transport = site.client(peer)
    connection.dataReceived(ASK[:7])
    assert transport.value() == b""
    connection.dataReceived(ASK[7:] + ASK)
    answer = transport.value()
    assert answer[: len(answer) // 2] == answer[len(answer) // 2 :]
    assert decode(answer[: len(answer) // 2]) == BindingSuccess(ID, seen)  # type: ignore[arg-type]
    assert not isAborted(transport)


def test_unknown(site: Site) -> None:
    """
    Attributes that must be understood, and are not, are told.
    """
    connection, transport = site.client()
    question = bytearray(ASK + bytes.fromhex("0024 0004 00000000"))
    question[3] = 8
    connection.dataReceived(bytes(question))
    answer = decode(transport.value())
    assert isinstance(answer, BindingError)
    assert (answer.code, answer.unknown) == (420, (0x24,))


@pytest.mark.parametrize(
    "data",
    [
        BindingIndication(ID).toBytes(),
        BindingSuccess(ID, PEER).toBytes(),
        ASK.replace(b"\0\1", b"\0\3", 1),
    ],
    ids=["indication", "an answer", "Allocate"],
)
def test_unanswered(site: Site, data: bytes) -> None:
    """
    A message that is no binding request gets no answer, and does no harm.
    """
    connection, transport = site.client()
    connection.dataReceived(data)
    assert transport.value() == b""
    connection.dataReceived(ASK)
    assert isinstance(decode(transport.value()), BindingSuccess)


def test_notSTUN(site: Site) -> None:
    """
    Bytes that are not STUN end the connection, and are logged.
    """
    connection, transport = site.client()
    with watching() as log:
        connection.dataReceived(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")
    assert isAborted(transport)
    assert transport.value() == b""
    [line] = log.sentences
    assert "198.51.100.7:4711" in line
    assert "rendezvous-violation" in line


def test_notIP(site: Site) -> None:
    """
    A client without an IP address is refused.
    """
    connection, transport = site.client(UNIXAddress(b"/tmp/socket"))
    connection.dataReceived(ASK)
    assert isAborted(transport)


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_anyBytes(pieces: list[bytes]) -> None:
    """
    Whatever comes, nothing is raised.
    """
    site = Site()
    connection, transport = site.client()
    for piece in pieces:
        if not isAborted(transport):
            connection.dataReceived(piece)
    site.factory.doStop()


def test_noQuestion(site: Site) -> None:
    """
    A client that sends nothing is given as long as for a hello.
    """
    _, transport = site.client()
    site.run(9)
    assert not isAborted(transport)
    site.run(2)
    assert isAborted(transport)


def test_idle(site: Site) -> None:
    """
    A client that has asked may be idle for longer; each message that is not discarded
    starts that time anew.
    """
    connection, transport = site.client()
    connection.dataReceived(ASK)
    site.run(59)
    connection.dataReceived(BindingIndication(ID).toBytes())
    site.run(59)
    assert not isAborted(transport)
    connection.dataReceived(ASK.replace(b"\0\1", b"\0\3", 1))
    site.run(2)
    assert isAborted(transport)


def test_perAddress() -> None:
    """
    One address has so many connections at a time, and others not the fewer.
    """
    site = Site(connectionsPerAddress=2)
    first = [site.client() for _ in range(2)]
    assert isAborted(site.client()[1])
    assert not isAborted(site.client(tcpAddress("198.51.100.8", 1))[1])
    first[0][0].connectionLost()
    assert not isAborted(site.client()[1])


def test_perMinute() -> None:
    """
    One address connects only so often a minute.
    """
    site = Site(connectionsPerMinute=2)
    for _ in range(2):
        site.client()[0].connectionLost()
    assert isAborted(site.client()[1])
    site.run(60)
    assert not isAborted(site.client()[1])


def test_inAll() -> None:
    """
    All together have so many.
    """
    site = Site(connections=1)
    site.client()
    assert isAborted(site.client(tcpAddress("198.51.100.8", 1))[1])


def test_flood() -> None:
    """
    One connection asks so often a minute.
    """
    site = Site(commandsPerMinute=3)
    connection, transport = site.client()
    connection.dataReceived(ASK * 3)
    assert not isAborted(transport)
    connection.dataReceived(ASK)
    assert isAborted(transport)


def test_deaf() -> None:
    """
    A client that does not read the answers is not read from, so little is held for it;
    it is dropped when it is idle.
    """
    net = network()
    server, host = net.host("192.0.2.1"), net.host("192.0.2.2")
    factory = STUNFactory(server, Limits(commandsPerMinute=1_000_000))
    listening = server.listenTCP(3478, factory)
    client = spin(connect(host, "192.0.2.1", 3478), net)
    client.transport.pauseProducing()
    for _ in range(50):
        client.transport.write(ASK * 1000)
        net.run(0.1)
    net.run(5)
    [held] = factory.connections
    unsent = held.transport._tempDataLen + len(held.transport.dataBuffer)
    assert unsent < 300_000 < 50_000 * len(ASK)
    net.run(90)
    assert not factory.connections
    tcp(client).abortConnection()
    listening.stopListening()
    net.run(2)
    assert net.openSockets() == []
    assert list(net.delayedCalls()) == []


def test_stopped() -> None:
    """
    A server that stops closes its connections.
    """
    net = network()
    server, host = net.host("192.0.2.1"), net.host("192.0.2.2")
    listening = server.listenTCP(3478, STUNFactory(server))
    client = spin(connect(host, "192.0.2.1", 3478), net)
    assert isinstance(client, Recorder)
    net.run(1)
    assert client.isOpen
    listening.stopListening()
    net.run(1)
    assert not client.isOpen
    assert net.openSockets() == []
    assert list(net.delayedCalls()) == []


def test_proxied(site: Site) -> None:
    """
    Behind a proxy that tells it (PROXY protocol), the client's own address counts.
    """
    proxied = HAProxyWrappingFactory(site.factory)
    transport = StringTransport(peerAddress=tcpAddress("192.0.2.80", 1))
    connection = proxied.buildProtocol(transport.getPeer())
    connection.makeConnection(transport)
    connection.dataReceived(
        b"PROXY TCP4 198.51.100.7 192.0.2.80 4711 3478\r\n" + ASK + ASK
    )
    answer = transport.value()
    assert decode(answer[: len(answer) // 2]) == BindingSuccess(ID, PEER)
    connection.dataReceived(b"no STUN at all, whatever")
    assert isAborted(transport)


def asking(seconds: int) -> bytes:
    """
    A request of somebody who wants to be silent then.
    """
    return BindingRequest(ID, silence=seconds).toBytes()


def borne(transport: StringTransport) -> int:
    """
    How much of that was granted.
    """
    answer = decode(transport.value())
    transport.clear()
    assert isinstance(answer, BindingSuccess)
    return answer.silence


@pytest.mark.parametrize(("seconds", "granted"), [(300, 300), (9999, 600), (20, 20)])
def test_silence(seconds: int, granted: int) -> None:
    """
    A client that has asked for it may be silent for longer, within a limit; after
    another request it may not.
    """
    site = Site(silenceSeconds=600)
    connection, transport = site.client()
    connection.dataReceived(asking(seconds))
    assert borne(transport) == granted
    site.run(max(granted, 60) - 2)
    assert not isAborted(transport)
    connection.dataReceived(ASK)
    assert borne(transport) == 0
    site.run(59)
    assert not isAborted(transport)
    site.run(3)
    assert isAborted(transport)
    site.factory.doStop()


def test_silencesPerAddress() -> None:
    """
    One address may have so many at a time; others are not held up, and whoever speaks
    or goes makes room.
    """
    site = Site(silencesPerAddress=2)
    clients = [site.client() for _ in range(3)]
    for connection, _ in clients:
        connection.dataReceived(asking(300))
    assert [borne(transport) for _, transport in clients] == [300, 300, 0]
    elsewhere, transport = site.client(tcpAddress("198.51.100.8", 1))
    elsewhere.dataReceived(asking(300))
    assert borne(transport) == 300
    clients[0][0].dataReceived(ASK)
    clients[1][0].connectionLost(Failure(ConnectionDone()))
    for connection, transport in (clients[2], site.client()):
        transport.clear()
        connection.dataReceived(asking(300))
        assert borne(transport) == 300
    site.factory.doStop()

"""
Tests for L{punch.stunclient}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory

from punch.address import formatAddress, tcpAddress
from punch.rendezvous.stunserver import STUNFactory
from punch.sharedport import SharedPort
from punch.stun import Framer, Indication, Refusal, Success, decode
from punch.stunclient import (
    ANSWER_TIMEOUT,
    CONNECT_TIMEOUT,
    STUNClient,
    connectSTUN,
)
from punch.stunerrors import (
    STUNError,
    STUNRefused,
    STUNSilent,
    STUNUnreachable,
    STUNViolation,
)
from punch.testing import MemoryHost, NATBehavior, spin
from tests.doubles import noProbe
from tests.testing.programs import Recorder, network

SERVER = "192.0.2.1"
PORT = 3478

Answer = Callable[[bytes], bytes]


class Scripted(Recorder):
    """
    Answers each message as it is told.
    """

    def __init__(self, answer: Answer) -> None:
        Recorder.__init__(self)
        self._answer = answer
        self._framer = Framer()

    def dataReceived(self, data: bytes) -> None:
        """
        Answer.
        """
        for message in self._framer.feed(data):
            self.transport.write(self._answer(decode(message).transaction))


class Site:
    """
    A client on its shared port, behind a NAT or not, and a place for a server.
    """

    def __init__(self, behavior: NATBehavior | None = None) -> None:
        self.network = network()
        self.server = self.network.host(SERVER)
        self.nat = None
        if behavior is not None:
            self.nat = self.network.nat("198.51.100.1", behavior)
        address = "192.0.2.2" if behavior is None else "192.168.1.2"
        self.host: MemoryHost = self.network.host(address, behind=self.nat)
        self.shared = SharedPort(self.host, lambda connection: None, probe=noProbe)
        self.shared.open(4000)
        self.listening: Any = None

    def serve(self, factory: Factory[Any]) -> None:
        """
        Have a server listen.
        """
        self.listening = self.server.listenTCP(PORT, factory)

    def script(self, answer: Answer) -> list[Scripted]:
        """
        Have a server answer so.
        """
        made: list[Scripted] = []

        def build() -> Scripted:
            made.append(Scripted(answer))
            return made[-1]

        factory = Factory.forProtocol(build)
        factory.noisy = False
        self.serve(factory)
        return made

    def connect(self, host: str = SERVER) -> Deferred[STUNClient]:
        """
        Connect from the shared port.
        """
        binding = self.shared.binding
        endpoint = HostnameEndpoint(self.host, host, PORT, CONNECT_TIMEOUT, binding)
        return connectSTUN(self.host, endpoint)

    def client(self) -> STUNClient:
        """
        A client that is connected.
        """
        return spin(self.connect(), self.network)

    def end(self) -> None:
        """
        See that nothing is left.
        """
        spin(self.shared.close(), self.network)
        if self.listening is not None:
            self.listening.stopListening()
        self.network.run(1.5)
        assert self.network.openSockets() == []
        assert list(self.network.delayedCalls()) == []


@pytest.fixture(name="site")
def _site() -> Iterator[Site]:
    site = Site()
    yield site
    site.end()


def success(transaction: bytes) -> bytes:
    """
    The address that the scripted server sees.
    """
    return Success(transaction, tcpAddress("203.0.113.9", 9)).toBytes()


def failed(site: Site, asked: Deferred[Any], kind: type[STUNError]) -> STUNError:
    """
    See how a question ends.
    """
    with pytest.raises(kind) as caught:
        spin(asked, site.network)
    return caught.value


def test_server() -> None:
    """
    Our server tells which address it sees us come from: our shared port's, at the
    NAT's.
    """
    site = Site(NATBehavior())
    site.serve(STUNFactory(site.server))
    client = site.client()
    seen = spin(client.ask(), site.network)
    assert seen.host == "198.51.100.1"
    again = spin(client.ask(), site.network)
    assert again == seen
    client.abort()
    site.end()


def test_serverNoNAT(site: Site) -> None:
    """
    Where there is no NAT that is the shared port itself.
    """
    site.serve(STUNFactory(site.server))
    client = site.client()
    assert formatAddress(spin(client.ask(), site.network)) == "192.0.2.2:4000"
    client.abort()


def test_twoFlights(site: Site) -> None:
    """
    To be told takes one round trip after the connection's.
    """
    site.serve(STUNFactory(site.server))
    asked = site.connect().addCallback(lambda client: (client, client.ask()))
    client, address = spin(asked, site.network)
    connected = site.network.clock.seconds()
    spin(address, site.network)
    assert site.network.clock.seconds() == pytest.approx(2 * connected, rel=0.05)
    client.abort()


def test_atOnce(site: Site) -> None:
    """
    Questions need not wait for each other.
    """
    site.script(success)
    client = site.client()
    asked = [client.ask() for _ in range(3)]
    assert {spin(each, site.network).port for each in asked} == {9}
    client.abort()


def test_inPieces(site: Site) -> None:
    """
    What is no answer to us is passed over: indications, strangers' answers.
    """
    site.script(lambda id: Indication(id).toBytes() + success(bytes(12)) + success(id))
    client = site.client()
    assert spin(client.ask(), site.network).port == 9
    client.abort()


def test_refused(site: Site) -> None:
    """
    A server that refuses is quoted, as far as it can be shown.
    """
    site.script(lambda id: Refusal(id, 500, "Server\n\x1b[31mError").toBytes())
    client = site.client()
    error = failed(site, client.ask(), STUNRefused)
    assert error.detail == "500 Server[31mError"
    client.abort()


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(20), b"\1\1\0\0\x21\x12\xa4\x42" * 3],
    ids=["HTTP", "zeros", "no attributes"],
)
def test_violation(site: Site, answer: bytes) -> None:
    """
    A server that speaks something else is left at once.
    """
    site.script(lambda id: answer)
    client = site.client()
    failed(site, client.ask(), STUNViolation)
    failed(site, client.ask(), STUNViolation)
    assert client.lost.settled


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=100))
def test_anyAnswer(answer: bytes) -> None:
    """
    Whatever a server says, we are told an address or one of our errors, in time.
    """
    site = Site()
    site.script(lambda id: answer)
    client = site.client()
    failed(site, client.ask(), STUNError)
    client.abort()
    site.end()


def test_silent(site: Site) -> None:
    """
    A server that says nothing is not waited for for ever.
    """
    site.script(lambda id: b"")
    client = site.client()
    began = site.network.clock.seconds()
    failed(site, client.ask(), STUNSilent)
    waited = site.network.clock.seconds() - began
    assert waited == pytest.approx(ANSWER_TIMEOUT, abs=0.1)
    client.abort()


def test_hangsUp(site: Site) -> None:
    """
    Nor is one that hangs up.
    """
    made = site.script(lambda id: b"")
    client = site.client()
    asked = client.ask()
    site.network.run(1.0)
    made[0].transport.loseConnection()
    assert failed(site, asked, STUNSilent).detail == "it hung up"
    failed(site, client.ask(), STUNSilent)


def test_nobody(site: Site) -> None:
    """
    Where nobody listens that is said.
    """
    assert failed(site, site.connect(), STUNUnreachable).detail == "Connection refused"


def test_noName(site: Site) -> None:
    """
    So is a name that nobody knows.
    """
    error = failed(site, site.connect("stun.example"), STUNUnreachable)
    assert error.detail == "no such host"


def test_dark(site: Site) -> None:
    """
    A host that does not answer at all is given up.
    """
    failed(site, site.connect("192.0.2.77"), STUNSilent)
    assert site.network.clock.seconds() == pytest.approx(CONNECT_TIMEOUT, abs=0.1)


@pytest.mark.parametrize("after", [0.0, 0.001, 0.03, 0.05, 0.1])
def test_cancelled(site: Site, after: float) -> None:
    """
    To connect and to ask can be cancelled at any instant.
    """
    site.script(lambda id: b"")
    made: list[STUNClient] = []

    async def ask() -> object:
        made.append(await site.connect())
        return await made[0].ask()

    asking = Deferred.fromCoroutine(ask())
    site.network.run(after)
    asking.cancel()
    with pytest.raises(CancelledError):
        spin(asking, site.network)
    for client in made:
        client.abort()


def test_portFree(site: Site) -> None:
    """
    A connection that was ended does not hold the shared port's way to the server.
    """
    site.script(success)
    for _ in range(3):
        client = site.client()
        assert spin(client.ask(), site.network).port == 9
        client.abort()
        site.network.run(0.1)

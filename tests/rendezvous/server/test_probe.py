"""
Tests for L{punch.rendezvous.server.probe}: whom the rendezvous knocks at, and how
often.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols import amp

from punch.errors import TooMany
from punch.net.address import Address, tcpAddress
from punch.net.outcome import Outcome
from punch.rendezvous import commands
from punch.rendezvous.server.factory import RendezvousFactory
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.probe import MAX_PROBES, TIMEOUT, Prober
from punch.testing import MemoryNetwork, spin
from tests.support.rendezvous import Client

SERVER = "192.0.2.1"
HOST = "10.0.0.1"
"""
To which Twisted's transport in memory is connected.
"""

CLIENT = tcpAddress("198.51.100.7", 5000)


class Site:
    """
    A prober, and a host to probe.
    """

    def __init__(self, refuses: bool = False) -> None:
        self.network = MemoryNetwork(Clock(), 1, refusesUnknown=refuses)
        self.server = self.network.host(SERVER)
        self.client = self.network.host(CLIENT.host)
        self.prober = Prober(self.server)

    def probe(self, address: Address = CLIENT, ours: str = SERVER) -> Deferred[Outcome]:
        """
        Knock.
        """
        return Deferred.fromCoroutine(self.prober.probe(address, ours))

    def leavesNothing(self) -> None:
        """
        See that nothing is left.
        """
        self.network.run(1.0)
        assert not self.network.openSockets()
        assert not list(self.network.delayedCalls())


class Listener(Protocol):
    """
    Remembers who came, and what he said.
    """

    came: list[Any] = []
    said = b""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.came.append(self.transport.getPeer())

    def dataReceived(self, data: bytes) -> None:
        Listener.said += data


def test_open() -> None:
    """
    A listening client is connected to from the given address, and sent nothing.
    """
    site = Site()
    Listener.came = []
    port = site.client.listenTCP(CLIENT.port, Factory.forProtocol(Listener))
    assert spin(site.probe(), site.network) is Outcome.CONNECTED
    site.network.run(1.0)
    [peer] = Listener.came
    assert peer.host == SERVER
    assert Listener.said == b""
    port.stopListening()
    site.leavesNothing()


def test_refused() -> None:
    """
    Nobody listens.
    """
    site = Site()
    assert spin(site.probe(), site.network) is Outcome.REFUSED
    site.leavesNothing()


def test_silence() -> None:
    """
    A host that does not answer is given up soon.
    """
    site = Site()
    site.client.cut()
    assert spin(site.probe(), site.network) is Outcome.TIMED_OUT
    assert site.network.clock.seconds() == pytest.approx(TIMEOUT, abs=0.1)
    site.leavesNothing()


def test_notOurs() -> None:
    """
    From an address that is not ours we do not knock, as behind a proxy.
    """
    site = Site()
    assert spin(site.probe(ours="192.0.2.99"), site.network) is Outcome.FAILED
    # (Twisted leaves the socket that it could not bind to the garbage collector.)
    assert not list(site.network.delayedCalls())


def test_most() -> None:
    """
    There are so many probes at a time, and no more; all can be cancelled.
    """
    site = Site()
    site.client.cut()
    probes = [site.probe() for _ in range(MAX_PROBES)]
    with pytest.raises(TooMany):
        spin(site.probe(), site.network)
    site.prober.cancelAll()
    assert [spin(each, site.network) for each in probes] == [
        Outcome.FAILED
    ] * MAX_PROBES
    site.leavesNothing()


class _Recorder(Prober):
    """
    Knocks at nobody's, and remembers at whose it would have.
    """

    def __init__(self, *addresses: str) -> None:
        self.addresses = [*addresses]
        self.probed: list[tuple[Address, str]] = []

    async def probe(self, address: Address, ours: str) -> Outcome:
        """
        See L{Prober.probe}.
        """
        self.probed.append((address, ours))
        return Outcome.REFUSED


def clientOf(prober: Prober | None, **limits: int) -> Client:
    """
    A client of a rendezvous that knocks, or not.
    """
    factory = RendezvousFactory(Clock(), Limits(**limits))
    factory.state.prober = prober
    return Client(factory, CLIENT)


def test_onlyOwn() -> None:
    """
    The one address is that of the client's own connection: the command has no argument
    to name another, but whether to come from another of ours.
    """
    prober = _Recorder()
    client = clientOf(prober)
    assert client.hello()["features"] == ["knock"]
    assert client.ask(commands.Probe) == {"answer": Outcome.REFUSED}
    assert [address for address, _ in prober.probed] == [CLIENT]
    [(name, kind)] = commands.Probe.arguments
    assert (name, type(kind)) == (b"elsewhere", amp.Boolean)


def test_often() -> None:
    """
    One address may ask for so many a minute.
    """
    prober = _Recorder()
    client = clientOf(prober, knocksPerMinute=2)
    client.hello()
    for _ in range(2):
        client.ask(commands.Probe)
    with pytest.raises(Exception, match="at most 2 knocks a minute"):
        client.ask(commands.Probe)
    assert len(prober.probed) == 2


def test_off() -> None:
    """
    A rendezvous that does not knock says so, and refuses.
    """
    client = clientOf(None)
    assert client.hello()["features"] == []
    with pytest.raises(TooMany):
        client.ask(commands.Probe)


def test_elsewhere() -> None:
    """
    A server with another address probes from that one if asked to; it probes the same
    client's address, and counts it as any probe.
    """
    ours = HOST
    prober = _Recorder("2001:db8::1", ours, "192.0.2.2")
    client = clientOf(prober, knocksPerMinute=2)
    assert client.hello()["features"] == ["knock", "knock-elsewhere"]
    client.ask(commands.Probe)
    client.ask(commands.Probe, elsewhere=True)
    assert prober.probed == [(CLIENT, ours), (CLIENT, "192.0.2.2")]
    with pytest.raises(Exception, match="at most 2 knocks a minute"):
        client.ask(commands.Probe, elsewhere=True)


@pytest.mark.parametrize("addresses", [(), (HOST,), ("2001:db8::1",)])
def test_nowhereElse(addresses: tuple[str, ...]) -> None:
    """
    A server without another address of the same IP version says so, and does not probe.
    """
    prober = _Recorder(*addresses)
    client = clientOf(prober)
    assert client.hello()["features"] == ["knock"]
    with pytest.raises(TooMany):
        client.ask(commands.Probe, elsewhere=True)
    assert prober.probed == []


def test_noAddress() -> None:
    """
    Without an address that the client knows, as behind a proxy, there is no other.
    """
    assert _Recorder("192.0.2.2").otherAddress("") == ""


def test_helloFirst() -> None:
    """
    A client that has not said hello is not probed.
    """
    prober = _Recorder()
    client = clientOf(prober)
    with pytest.raises(Exception, match="hello comes first"):
        client.ask(commands.Probe)
    assert prober.probed == []

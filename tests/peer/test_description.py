"""
Tests for L{punch.peer.description}.
"""

from __future__ import annotations

import pytest
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.tcp import makeBinding

from punch.errors import BadEndpoint, BadOption
from punch.net.address import HostPort
from punch.peer.description import (
    CONNECT_TIMEOUT,
    peerEndpoint,
    rendezvousEndpoint,
)
from punch.testing import MemoryNetwork, spin
from tests.support.doubles import PunchTestCase
from tests.support.programs import Recorder, Recorders, Service

GOOD = [
    ("rv.example.org:4040", "rv.example.org", 4040),
    ("192.0.2.1:1", "192.0.2.1", 1),
    ("[2001:db8::1]:65535", "2001:db8::1", 65535),
    ("localhost:4040", "localhost", 4040),
]

BAD = [
    "",
    ":",
    ":4040",
    "host",
    "host:",
    "host:0",
    "host:65536",
    "host:-1",
    "host:+1",
    "host: 1",
    "host:port",
    "host:" + "9" * 5000,
    "host:\N{ARABIC-INDIC DIGIT ONE}",
    "host:\N{SUPERSCRIPT TWO}",
    "2001:db8::1:4040",
    "[]:1",
]


@pytest.mark.parametrize(("text", "host", "port"), GOOD)
def test_peer(text: str, host: str, port: int) -> None:
    """
    The peer is at HOST:PORT.
    """
    assert peerEndpoint(text) == HostPort(host, port)


@pytest.mark.parametrize("text", BAD)
def test_badPeer(text: str) -> None:
    """
    Anything else is a mistake in the option.
    """
    with pytest.raises(BadOption, match="--peer"):
        peerEndpoint(text)


@pytest.mark.parametrize("kind", ["tcp", "tls"])
@pytest.mark.parametrize(("text", "host", "port"), GOOD)
def test_rendezvous(kind: str, text: str, host: str, port: int) -> None:
    """
    The rendezvous is at tcp:HOST:PORT or tls:HOST:PORT.
    """
    reactor = MemoryNetwork(Clock(), 1).host("192.0.2.1")
    fromPort = rendezvousEndpoint(reactor, f"{kind}:{text}")
    endpoint = fromPort(makeBinding("", 4040))
    assert IStreamClientEndpoint.providedBy(endpoint)


@pytest.mark.parametrize(
    "description",
    [
        *[f"tcp:{text}" for text in BAD],
        "rv.example.org:4040",
        "udp:host:4040",
        "TCP:host:4040",
        "ssl:host:4040",
        "unix:/tmp/socket",
        "tcp:host:4040:timeout=3",
        "tcp",
        "tcp host 4040",
    ],
)
def test_badRendezvous(description: str) -> None:
    """
    Anything else is no endpoint.
    """
    with pytest.raises(BadEndpoint):
        rendezvousEndpoint(object(), description)


@pytest.mark.parametrize("host", ["a..b", "exa mple", "x" * 64 + ".org", "-"])
@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_noHostName(kind: str, host: str) -> None:
    """
    What can't be a host name is a bad endpoint, or is never found; nothing else is
    raised.
    """
    reactor = MemoryNetwork(Clock(), 1).host("192.0.2.1")
    try:
        fromPort = rendezvousEndpoint(reactor, f"{kind}:{host}:4040")
    except BadEndpoint:
        return
    fromPort(makeBinding("", 4040))


class ConnectTests(PunchTestCase):
    """
    The endpoint of a rendezvous connects.
    """

    def setUp(self) -> None:
        """
        A rendezvous with a name.
        """
        self.network = MemoryNetwork(Clock(), 1)
        self.network.name("rv.example", "192.0.2.9")
        self.service = Service(self.network.host("192.0.2.9"))
        self.host = self.network.host("192.0.2.1")
        fromPort = rendezvousEndpoint(self.host, "tcp:rv.example:4040")
        binding = makeBinding("", 7000, reuseAddress=True, reusePort=True)
        self.endpoint = fromPort(binding)

    def test_bound(self) -> None:
        """
        It connects from the port that it is given.
        """
        assert isinstance(self.endpoint, HostnameEndpoint)
        made = spin(self.endpoint.connect(Recorders()), self.network)
        assert isinstance(made, Recorder)
        self.network.run(1)
        [accepted] = self.service.accepted
        assert accepted.transport.getPeer().port == 7000

    def test_silent(self) -> None:
        """
        It does not wait for ever.
        """
        self.network.name("rv.example", "192.0.2.8")
        connecting = self.endpoint.connect(Recorders())
        self.network.run(CONNECT_TIMEOUT - 1)
        self.waiting(connecting)
        self.network.run(2)
        self.failed(connecting)
        assert self.host.getDelayedCalls() == []

"""
Tests for L{punch.nat.stunmonitor}.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from punch.events import Event, Observed
from punch.nat.stun import BindingError, BindingSuccess
from punch.nat.stunmonitor import KEEPALIVE, STUNMonitor
from punch.net.address import HostPort, formatAddress, tcpAddress
from punch.rendezvous.server.stunserver import STUNFactory
from punch.testing import NATBehavior, spin
from tests.support.doubles import watching
from tests.support.stunsite import PORT, SERVER, STUNSite

THERE = HostPort(SERVER, PORT)
ELSEWHERE = HostPort("192.0.2.77", PORT)


class Watched(STUNSite):
    """
    A site with a STUN monitor.
    """

    def __init__(self, *servers: HostPort, behavior: NATBehavior | None = None) -> None:
        STUNSite.__init__(self, behavior)
        self.told: list[Event] = []
        self.monitor = STUNMonitor(self.host, servers, self.told.append)

    def begin(self, seconds: float = 1.0) -> None:
        """
        Start to ask, and let time pass.
        """
        self.monitor.start(self.shared.binding)
        self.network.run(seconds)

    @property
    def seen(self) -> list[str]:
        """
        The addresses, in text form.
        """
        return [formatAddress(each) for each in self.monitor.addresses]

    def close(self) -> None:
        """
        Stop, and see that nothing is left.
        """
        spin(self.monitor.stop(), self.network)
        self.end()


@pytest.fixture(name="site")
def _site() -> Iterator[Watched]:
    site = Watched(THERE)
    yield site
    site.close()


def test_observed(site: Watched) -> None:
    """
    The address that a server sees is told once, and is known from then on.
    """
    site.serve(STUNFactory(site.server))
    assert site.seen == []
    site.begin()
    assert site.seen == ["192.0.2.2:4000"]
    assert site.told == [Observed("192.0.2.2:4000", "192.0.2.1:3478")]
    site.network.run(10 * KEEPALIVE)
    site.begin()
    assert len(site.told) == 1


def test_kept() -> None:
    """
    The connection stays open and in use, so a NAT that forgets idle mappings keeps our
    mapping for as long as the shared port is open.
    """
    site = Watched(THERE, behavior=NATBehavior(lifetime=1.5 * KEEPALIVE))
    site.serve(STUNFactory(site.server))
    site.begin()
    [seen] = site.seen
    site.network.run(20 * KEEPALIVE)
    assert site.seen == [seen]
    assert len(site.told) == 1
    connections = [each for each in site.server.sockets() if "LISTEN" not in repr(each)]
    assert len(connections) == 1
    site.close()


def test_moved(site: Watched) -> None:
    """
    When the address changes, the new one is told.
    """
    port = 1

    def answer(id: bytes) -> bytes:
        return BindingSuccess(id, tcpAddress("203.0.113.9", port)).toBytes()

    site.script(answer)
    site.begin()
    port = 2
    site.network.run(KEEPALIVE + 1)
    assert site.seen == ["203.0.113.9:2"]
    port = 3
    site.monitor.askNow()
    site.network.run(1)
    assert site.seen == ["203.0.113.9:3"]
    assert len(site.told) == 3


def test_nobody(site: Watched) -> None:
    """
    A server that does not help is told of in the log, once for each reason, and
    asked again, ever less often; it may come to be there.
    """
    with watching() as log:
        site.begin(100.0)
    assert [each for each in log.sentences if "STUN" in each] == [
        f"STUN server {SERVER}:{PORT}: The STUN server cannot be reached over TCP;"
        " many answer over UDP only. (Connection refused)"
    ] * len([each for each in log.sentences if "STUN" in each])
    informed = [each.name for each in log.levels].count("info")
    assert informed == 1
    assert 5 < len(log.levels) < 9
    assert site.told == []
    site.serve(STUNFactory(site.server))
    site.monitor.askNow()
    site.network.run(1.0)
    assert site.seen == ["192.0.2.2:4000"]


def test_refused(site: Watched) -> None:
    """
    An error response is logged, and is not an address.
    """
    site.script(lambda id: BindingError(id, 401, "Unauthenticated").toBytes())
    with watching() as log:
        site.begin()
    assert site.seen == []
    assert "401 Unauthenticated" in log.sentences[0]


def test_hangsUp(site: Watched) -> None:
    """
    A server that hangs up after each answer is asked again, ever less often; what it
    saw stays known until it can't be asked any more.
    """
    made = site.script(
        lambda id: BindingSuccess(id, tcpAddress("203.0.113.9", 9)).toBytes()
    )
    site.begin(0.5)
    for _ in range(100):
        for each in made:
            if each.isOpen:
                each.transport.loseConnection()
        site.network.run(1.0)
        assert site.seen == ["203.0.113.9:9"]
    assert 4 < len(made) < 9
    site.listening.stopListening()
    site.network.run(300)
    assert site.seen == []


def test_several() -> None:
    """
    Each server is asked; an address that several see is listed once.
    """
    site = Watched(ELSEWHERE, THERE, HostPort(SERVER, PORT + 1), HostPort("x", 1))
    site.serve(STUNFactory(site.server))
    second: Any = site.server.listenTCP(PORT + 1, STUNFactory(site.server))
    site.begin()
    assert site.seen == ["192.0.2.2:4000"]
    assert len(site.told) == 2
    second.stopListening()
    site.close()


def test_otherPort(site: Watched) -> None:
    """
    From another shared port they are asked anew.
    """
    site.serve(STUNFactory(site.server))
    site.begin()
    spin(site.shared.close(), site.network)
    site.shared.open(5000)
    site.begin()
    assert site.seen == ["192.0.2.2:5000"]


@pytest.mark.parametrize("after", [0.0, 0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 1.0, 9.0])
@pytest.mark.parametrize("kind", ["answers", "silent", "nobody", "dark", "no name"])
def test_stopped(kind: str, after: float) -> None:
    """
    The monitor can be stopped at any instant, and leaves nothing.
    """
    server = {"dark": ELSEWHERE, "no name": HostPort("stun.example", 1)}
    site = Watched(server.get(kind, THERE))
    if kind == "answers":
        site.serve(STUNFactory(site.server))
    elif kind == "silent":
        site.script(lambda id: b"")
    site.begin(after)
    site.close()


def test_stoppedByEvent() -> None:
    """
    It can be stopped even by whom it tells.
    """
    site = Watched(THERE)

    def end(event: Event) -> None:
        site.monitor.stop()

    site.monitor = STUNMonitor(site.host, [THERE], end)
    site.serve(STUNFactory(site.server))
    site.begin(100.0)
    assert site.monitor.addresses == []
    site.close()

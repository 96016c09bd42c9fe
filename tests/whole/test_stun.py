"""
Two peers meet who ask STUN servers, too, where they are seen.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory

from punch.errors import BadOption
from punch.events import Attempted, Connected, Observed, Resumed, Suspended
from punch.link.path import FAREWELL
from punch.peer.relaypolicy import RelayPolicy
from punch.rendezvous.server.factory import RendezvousFactory
from tests.support.whole.meetings import elapsed
from tests.support.whole.world import T, World, pair

STUN = "192.0.2.5:3478"
DARK = "192.0.2.6:3478"
REFUSING = "192.0.2.1:3478"

ELSEWHERE = "100.99.0.1"
"""
Where a rendezvous sees peers that is beside them, or behind a proxy.
"""


class Mistaken(Factory):
    """
    A rendezvous that does not see where its clients come from.
    """

    noisy = False

    def __init__(self, factory: RendezvousFactory) -> None:
        self._factory = factory

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()

    def buildProtocol(self, addr: Any) -> Any:
        """
        A server's side that is told a wrong address.
        """
        server = self._factory.buildProtocol(addr)
        wrong = IPv4Address("TCP", ELSEWHERE, addr.port)
        server.peer = lambda: wrong  # type: ignore[method-assign]
        return server


def mistaken(world: World) -> World:
    """
    The same world, with a rendezvous that sees everybody wrongly.
    """
    world.rendezvous.stop()
    world.run(0.1)
    world.rendezvous.wrap = Mistaken
    world.rendezvous.start()
    return world


def test_mistakenAlone() -> None:
    """
    A rendezvous that sees both wrongly is an obstacle...
    """
    world = mistaken(pair())
    world.meet(timeout=5.0)
    assert (world.listener.reason, world.dialer.reason) == ("no-answer", "no-answer")
    world.end()


@pytest.mark.parametrize("kind", ["drop", "reset", "full-cone", "none"])
def test_mistaken(kind: str) -> None:
    """
    ... and is none if a STUN server sees them rightly.  The dial takes what it takes
    by candidates that are in the sealed details: a round trip or two more.
    """
    world = mistaken(pair(kind, kind))
    world.stun(STUN)
    world.meet(stun=(STUN,))
    assert world.listener.links
    assert world.dialer.links
    assert elapsed(world) < 7 * T
    [connected] = world.dialer.told(Connected)
    if kind == "drop":
        assert connected.kind == "server-reflexive"
        assert connected.remote.startswith("203.0.113.1:")
    told = {each.by: each.address for each in world.dialer.told(Observed)}
    assert set(told) == {"rendezvous", STUN}
    assert told["rendezvous"].startswith(ELSEWHERE)
    assert told[STUN].startswith("203.0.113.2:")
    world.end()


@pytest.mark.parametrize(
    "servers",
    [(STUN,), (DARK,), (REFUSING,), ("stun.example:1",), (DARK, STUN, REFUSING)],
    ids=["answers", "dark", "refuses", "no name", "all"],
)
def test_yardstick(servers: tuple[str, ...]) -> None:
    """
    Whether or not they answer, they add nothing to what the dial takes, and leave
    nothing.
    """
    world = pair()
    world.stun(STUN)
    world.meet(stun=servers)
    assert elapsed(world) == pytest.approx(4 * T, abs=0.001)
    [connected] = world.dialer.told(Connected)
    assert connected.kind == "server-reflexive"
    world.end()


def test_late() -> None:
    """
    An answer that comes after the details are sealed is left out.
    """
    world = mistaken(pair())
    world.stun(STUN, leg=0.5)
    world.meet(stun=(STUN,), timeout=5.0)
    # The listener had time to be told, so the dialer knows where it is; not so the
    # listener where the dialer is, and its NAT lets nobody in whom it has not tried.
    assert [len(each.told(Observed)) for each in (world.listener, world.dialer)] == [
        2,
        2,
    ]
    assert not world.dialer.links
    world.end()


def test_sameTwice() -> None:
    """
    What the rendezvous sees too is no further candidate.
    """
    world = pair()
    world.stun(STUN)
    world.meet(stun=(STUN,))
    [rendezvous, server] = world.listener.told(Observed)
    assert rendezvous.address == server.address
    started = [
        each
        for each in world.dialer.told(Attempted)
        if (each.remote, each.outcome) == (server.address, "started")
    ]
    assert len(started) == 1
    world.end()


def test_manyInterfaces() -> None:
    """
    However many addresses a host has, that one is told.
    """
    world = mistaken(pair())
    world.stun(STUN)
    many = [f"172.17.{n}.1" for n in range(40)]
    world.meet(stun=(STUN,), hostAddresses=lambda: many)
    assert world.dialer.links
    world.end()


def test_relayOnly() -> None:
    """
    Who wants the relay alone has no use for them, and asks nobody.
    """
    world = pair()
    world.stun(STUN)
    world.meet(stun=(STUN,), relay=RelayPolicy.ONLY)
    assert world.dialer.links
    assert {each.by for each in world.dialer.told(Observed)} == {"rendezvous"}
    world.end()


@pytest.mark.parametrize("server", ["x", "", "::1:2", "h:0"])
def test_misuse(server: str) -> None:
    """
    What is no HOST:PORT is a mistake at once.
    """
    world = pair()
    with pytest.raises(BadOption, match="stun="):
        world.listen(stun=(server,))
    world.end()


def test_samePort() -> None:
    """
    They are asked from the shared port.
    """
    world = pair("none", "none")
    world.stun(STUN)
    trace = world.network.trace()
    world.meet(port=4000, stun=(STUN,))
    address = world.dialer.host.addresses[0]
    sources = {
        line.split()[2]
        for line in trace
        if f"sent {address}." in line and STUN.partition(":")[0] in line
    }
    assert sources == {f"{address}.4000"}
    world.end()


def test_dialAgain() -> None:
    """
    A dial from the same port right after another is not held up by what the first
    left at the STUN server.
    """
    world = pair("none", "none")
    world.stun(STUN)
    world.meet(port=4000, stun=(STUN,))
    world.dialer.link.abortConnection()
    world.run(0.5)
    again = world.program(world.dialer.host, b"again")
    world.dial("7-zebra-zoo", again, port=4000, stun=(STUN,))
    assert world.until(lambda: again.ended)
    assert again.reason == "no-such-name"
    assert {each.by for each in again.told(Observed)} == {"rendezvous", STUN}
    world.end()


@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_cancel(side: str) -> None:
    """
    Either side may give up at any instant; nothing of the questions is left.
    """
    for steps in range(0, 120, 7):
        world = pair(seed=3)
        world.stun(STUN)
        world.waits(0.5, stun=(STUN, REFUSING))
        world.dial(stun=(STUN, REFUSING))
        for _ in range(steps):
            world.step()
        world.sides(side)[0].cancel()
        assert world.until(lambda: world.listener.ended or world.dialer.ended)  # noqa: B023
        world.end()


@pytest.mark.parametrize("kinds", [("drop", "drop"), ("random", "random")])
def test_durable(kinds: tuple[str, str]) -> None:
    """
    A link that is to outlive its path has STUN servers asked from each shared port
    that it opens; when it has ended nobody is asked any more.
    """
    world = pair(*kinds)
    world.stun(STUN)
    world.meet(stun=(STUN,), relay=RelayPolicy.FALLBACK, resumeFor=60.0)
    world.run(1.0)
    world.dialer.host.cut()
    assert world.until(lambda: world.dialer.told(Suspended))
    world.dialer.host.mend()
    assert world.until(lambda: world.dialer.told(Resumed))
    seen = [each.address for each in world.dialer.told(Observed) if each.by == STUN]
    assert len(set(seen)) > 1
    for each in world.programs:
        each.link.loseConnection()
    world.run(2 * T + FAREWELL + 1.0)
    asking = [each for each in world.network.openSockets() if ".3478" in repr(each)]
    assert [each for each in asking if "LISTEN" not in repr(each)] == []
    world.end()

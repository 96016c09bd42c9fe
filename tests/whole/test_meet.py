"""
Two peers meet.
"""

from __future__ import annotations

from itertools import product

import pytest

from punch.events import Attempted, Connected
from punch.testing import NAT_KINDS, MemoryHost, NATBehavior
from tests.support.whole.meetings import bothLinked, elapsed
from tests.support.whole.world import HOP, LEG, UNEVEN, T, World, pair

KINDS = ("none", "drop", "reset", "reject", "full-cone", "double")


@pytest.mark.parametrize("kind", ["none", "drop"])
def test_yardstick(kind: str) -> None:
    """
    The dialer is attached after four round trips, and its first byte is heard after
    half of another.
    """
    world = pair(kind, kind).meet()
    assert elapsed(world) == pytest.approx(4 * T, abs=0.001)
    began = world.dialer.events[0][0]
    assert world.until(lambda: world.listener.talker.heardAt, 1.0)
    heardAt = world.listener.talker.heardAt
    assert heardAt == pytest.approx(began + 4.5 * T, abs=0.001)
    world.end()


def test_yardstickReset() -> None:
    """
    Between NATs that answer with a reset it is not much longer.
    """
    for seed in range(5):
        world = pair("reset", "reset", seed=seed).meet()
        assert elapsed(world) <= 1.3 * 4 * T
        world.end()


@pytest.mark.parametrize("kind", ["none", "drop", "reset", "reject"])
@pytest.mark.parametrize(("near", "far"), UNEVEN)
def test_uneven(kind: str, near: float, far: float) -> None:
    """
    However far from the core each of the two is, the dial takes two round trips to
    the rendezvous and two to the peer, or little more.
    """
    world = World()
    world.cast(world.host(kind, near), world.host(kind, far)).meet()
    least = 4 * (far + LEG) + 4 * (far + near)
    assert elapsed(world) <= 1.3 * least
    world.end()


@pytest.mark.parametrize(("listener", "dialer"), list(product(KINDS, KINDS)))
def test_pair(listener: str, dialer: str) -> None:
    """
    The pair connects, within the yardstick.
    """
    world = pair(listener, dialer).meet()
    assert bothLinked(world)
    assert elapsed(world) <= 1.3 * 4 * T
    world.end()


@pytest.mark.parametrize("open", ["none", "full-cone"])
@pytest.mark.parametrize("isDialer", [True, False])
def test_oneRandom(open: str, isDialer: bool) -> None:
    """
    A NAT that changes the port for each destination is crossed if the other side
    lets everybody in.
    """
    kinds = (open, "random") if isDialer else ("random", open)
    world = pair(*kinds).meet()
    assert bothLinked(world)
    world.end()


def test_sameLAN() -> None:
    """
    On one LAN the host candidates win, in milliseconds after the introduction.
    """
    world = pair("same", "same").meet()
    assert bothLinked(world)
    [connected] = world.dialer.told(Connected)
    assert connected.kind == "host"
    assert elapsed(world) <= 3 * T + 0.010
    world.end()


def twins(world: World, behavior: NATBehavior) -> list[MemoryHost]:
    """
    Two hosts with one private address, each behind a NAT of its own.
    """
    link = {"latency": HOP}
    return [world.nested([behavior], link, LEG - HOP, "10.0.0.2") for _ in range(2)]


def test_sameAddress() -> None:
    """
    Two hosts with one private address, and one port, each behind a NAT of its own,
    connect: neither takes itself for the other.
    """
    world = World()
    world.cast(*twins(world, NATBehavior(strict=True))).meet(port=4000)
    assert bothLinked(world)
    assert elapsed(world) == pytest.approx(4 * T, abs=0.001)
    world.end()


def test_selfIsNoPath() -> None:
    """
    Where two such hosts cannot reach each other, that one of them reached itself
    does not count as a connection to the other.
    """
    world = World()
    behavior = NAT_KINDS["random"]
    assert behavior is not None
    world.cast(*twins(world, behavior)).meet(port=4000)
    assert (world.listener.reason, world.dialer.reason) == ("no-answer", "no-answer")
    world.end()


@pytest.mark.parametrize("other", ["random", "drop", "double"])
@pytest.mark.parametrize("isDialer", [True, False])
def test_noWay(other: str, isDialer: bool) -> None:
    """
    Two NATs of which one changes the port, and the other lets in only whom we have
    tried to reach, are not crossed; both sides say so in time.
    """
    kinds = (other, "random") if isDialer else ("random", other)
    world = pair(*kinds).meet(timeout=12.0)
    assert (world.listener.reason, world.dialer.reason) == ("no-answer", "no-answer")
    assert world.clock.seconds() < 2.3 + 12.0 + 3 * T
    world.end()


def test_noWayRefused() -> None:
    """
    If the NAT in the way refuses, the side that was refused says so, and the other
    what it has seen itself, although it hears that the first has given up.
    """
    world = pair("random", "reset").meet(timeout=12.0)
    assert (world.listener.reason, world.dialer.reason) == ("refused", "no-answer")
    world.end()
    world = World()
    world.cast(world.host("reset", 0.05), world.host("random", 0.01))
    world.meet(timeout=12.0)
    assert (world.listener.reason, world.dialer.reason) == ("no-answer", "refused")
    world.end()


def test_tooFarForTimeout() -> None:
    """
    A meeting that would take longer than the timeout ends with it.
    """
    world = World(leg=0.2)
    world.cast(world.host("drop", 1.0), world.host("drop", 1.0)).meet(timeout=2.0)
    assert not world.dialer.links
    assert not world.listener.links
    world.end()


def test_lastMoment() -> None:
    """
    However close to the timeout a path is found, both sides take it or neither.
    """
    took = elapsed(pair().meet())
    ends = set()
    for step in range(60):
        world = pair().meet(timeout=took - 0.2 + step * 0.02)
        assert bool(world.listener.links) == bool(world.dialer.links)
        ends.add(bool(world.dialer.links))
        world.end()
    assert ends == {False, True}


def test_noSuchName() -> None:
    """
    If nobody waits, the dialer hears so after two round trips.
    """
    world = pair()
    world.dial("7-zebra-zoo")
    assert world.until(lambda: world.dialer.ended)
    assert world.dialer.reason == "no-such-name"
    assert world.dialer.endedAt == pytest.approx(2 * T, abs=0.001)
    world.end()


def test_attemptsAreTold() -> None:
    """
    The user sees what was tried, and how it went.
    """
    world = pair().meet()
    told = [(each.kind, each.outcome) for each in world.dialer.told(Attempted)]
    assert ("server-reflexive", "started") in told
    assert ("host", "started") in told
    assert ("server-reflexive", "connected") in told
    world.end()


@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_sharedPort(side: str) -> None:
    """
    A peer makes all its connections from its one port; when it has its link, it no
    longer listens there.
    """
    world = pair("none", "none")
    trace = world.network.trace()
    world.meet(port=4000)
    program, _ = world.sides(side)
    address = program.host.addresses[0]
    sources = {line.split()[2] for line in trace if f"sent {address}." in line}
    assert sources == {f"{address}.4000"}
    world.run(0.1)
    assert [
        repr(each) for each in program.host.sockets() if "LISTEN" in repr(each)
    ] == []
    world.end()

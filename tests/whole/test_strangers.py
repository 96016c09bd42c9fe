"""
Strangers at the shared ports: they are told nothing and delay nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from punch.events import Listening
from punch.ice.gate import MOST_STRANGERS
from punch.role import Role
from punch.testing import MemoryHost
from tests.support.whole.meetings import elapsed
from tests.support.whole.program import Program
from tests.support.whole.services import listening
from tests.support.whole.strangers import Babbler, Impostor, Stranger, checkIgnorant
from tests.support.whole.world import HOP, LEG, T, World, pair

KINDS: dict[str, Callable[[], Stranger]] = {
    "silence": Stranger,
    "rubbish": Babbler,
    "client": lambda: Impostor(Role.DIALER),
    "server": lambda: Impostor(Role.LISTENER),
}


def visit(kind: str, host: MemoryHost, program: Program) -> Stranger:
    """
    A stranger comes to a program's shared port.
    """
    stranger = KINDS[kind]()
    port = program.told(Listening)[-1].port
    stranger.visit(host, program.host.addresses[0], port)
    return stranger


@pytest.mark.parametrize("kind", KINDS)
def test_nobodyExpected(kind: str) -> None:
    """
    While nobody is expected, strangers are disconnected without a byte.
    """
    world = pair("none", "none")
    world.waits(0.0)
    strangers = [visit(kind, world.host(), world.listener) for _ in range(5)]
    world.run(8 * LEG + 0.001)
    for stranger in strangers:
        assert stranger.connections == 1
        assert not stranger.received
        assert not stranger.inside
        checkIgnorant(stranger)
    world.end()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hosts", [1, 40])
def test_whileDialing(kind: str, hosts: int) -> None:
    """
    While a dial goes on strangers come to both ports all the time, from one host or
    many: it takes no longer, and nobody learns anything.
    """
    world = pair("none", "none")
    homes = [world.host(leg=0.001) for _ in range(hosts)]
    world.waits()
    world.dial()
    strangers: list[Stranger] = []
    while not (world.listener.ended and world.dialer.ended):
        for program in (world.listener, world.dialer):
            home = homes[len(strangers) % hosts]
            strangers.append(visit(kind, home, program))
        world.run(0.002)
        assert world.clock.seconds() < 30.0, world
    assert elapsed(world) == pytest.approx(4 * T, abs=0.001)
    world.run(1.0)
    for stranger in strangers:
        checkIgnorant(stranger)
        assert not stranger.inside
    assert world.listener.talker.received == world.dialer.talker.greeting
    assert world.dialer.talker.received == world.listener.talker.greeting
    world.end()


@pytest.mark.parametrize("kind", KINDS)
def test_whileLinked(kind: str) -> None:
    """
    While a link lives and the listener waits for the next dialer, strangers are told
    nothing and the link hears nothing of them.
    """
    world = pair("none", "none")
    running = listening(world.listener)
    world.dial()
    assert world.until(lambda: world.dialer.ended)
    strangers = [visit(kind, world.host(), world.listener) for _ in range(20)]
    world.run(5.0)
    for stranger in strangers:
        assert not stranger.received
        checkIgnorant(stranger)
    [talker] = running.talkers
    assert talker.received == world.dialer.talker.greeting
    assert world.dialer.talker.received == b"Served."
    world.end()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("homes", [1, 100])
def test_thousand(kind: str, homes: int) -> None:
    """
    A thousand at once, while a dial goes on: it takes no longer, and the handshakes
    at any instant are few.
    """
    world = pair("none", "none")
    hosts = [world.host(leg=0.001) for _ in range(homes)]
    world.waits()
    world.dial()
    world.run(2.2 * T)
    strangers = [visit(kind, hosts[n % homes], world.listener) for n in range(1000)]
    world.run(4 * (LEG + 0.001) + 0.001)
    assert sum(each.inside for each in strangers) <= MOST_STRANGERS
    assert elapsed(world) == pytest.approx(4 * T, abs=0.001)
    world.run(1.0)
    for stranger in strangers:
        checkIgnorant(stranger)
    assert world.listener.talker.received == world.dialer.talker.greeting
    world.end()


def test_stayingStranger() -> None:
    """
    A stranger that is let in and stays silent is disconnected after a while.
    """
    world = pair("none", "random")
    listening(world.listener)
    world.dial(world.listener.code.partition("-")[0] + "-zebra-zoo")
    world.run(2.2 * T)
    stranger = visit("silence", world.host(), world.listener)
    world.run(12.0)
    assert stranger.connections == 1
    assert not stranger.inside
    world.end()


def fromDialersLAN(world: World) -> Stranger:
    """
    A silent stranger comes to the listener, from the dialer's LAN, just before the
    dialer does.
    """
    world.waits(0.0)
    home = world.neighbor(world.dialer.host, latency=HOP)
    world.dial()
    world.run(2 * T - 0.005)
    return visit("silence", home, world.listener)


def test_neighbor() -> None:
    """
    A stranger from the dialer's own LAN does not delay the dialer, whose address the
    listener knows.
    """
    world = pair("none", "drop")
    stranger = fromDialersLAN(world)
    assert elapsed(world) == pytest.approx(4 * T, abs=0.001)
    checkIgnorant(stranger)
    world.end()


def test_randomNeighbor() -> None:
    """
    Nor does such a stranger delay the dialer much if the listener does not know the
    dialer's port.
    """
    world = pair("none", "random")
    stranger = fromDialersLAN(world)
    assert elapsed(world) <= 4 * T + 2.0
    checkIgnorant(stranger)
    world.end()

"""
Peers that are near each other, and strangers who are near instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from punch.events import Connected, Judged
from punch.peer.lanpreference import HEAD_START
from punch.peer.relaypolicy import RelayPolicy
from punch.role import Role
from punch.testing import MemoryHost, NATBehavior
from tests.support.whole.meetings import bothLinked, elapsed, finish, judged
from tests.support.whole.nats import ANSWERS, KEEPS, NEXT, RANDOM
from tests.support.whole.strangers import (
    Babbler,
    Impostor,
    Resetter,
    Stranger,
    checkIgnorant,
)
from tests.support.whole.world import HOP, LEG, T, World

LEADS_BACK = replace(KEEPS, hairpin=True)
LEADS_BACK_ANSWERS = replace(ANSWERS, hairpin=True)

PORT = 4000


def under(outer: NATBehavior, *homes: NATBehavior, seed: int = 1) -> World:
    """
    Two who are behind one NAT, and before that each behind one of its own; or, without
    such, on one LAN.
    """
    world = World(seed)
    world.rendezvous.look()
    carrier = world.network.nat("203.0.113.1", outer, latency=LEG - 2 * HOP)
    if not homes:
        first, second = (
            world.network.host(f"192.168.1.{n}", behind=carrier, latency=HOP)
            for n in (2, 3)
        )
        return world.cast(first, second)
    return world.cast(
        *(
            world.network.host(
                f"192.168.{n}.2",
                behind=world.network.nat(
                    f"100.64.0.{n}", home, latency=HOP, behind=carrier
                ),
                latency=HOP,
            )
            for n, home in enumerate(homes, 2)
        )
    )


NEVER: dict[str, Any] = {"relay": RelayPolicy.NEVER, "timeout": 12.0}


def kinds(world: World) -> set[str]:
    """
    Of what kind the one path is, as each of the two says.
    """
    return {each.told(Connected)[0].kind for each in world.programs}


@pytest.mark.parametrize("home", [KEEPS, ANSWERS], ids=["silent", "answers"])
@pytest.mark.parametrize(
    "outer", [LEADS_BACK, LEADS_BACK_ANSWERS], ids=["silent", "answers"]
)
def test_ledBack(outer: NATBehavior, home: NATBehavior) -> None:
    """
    Two homes behind one carrier's NAT, which leads back what is sent to its outside,
    meet that way; it takes longer by the head start that addresses of one LAN have.
    """
    world = under(outer, home, home).meet(**NEVER)
    assert bothLinked(world)
    assert kinds(world) == {"server-reflexive"}
    assert elapsed(world) <= 3 * T + HEAD_START + 0.01
    finish(world)


@pytest.mark.parametrize("home", [KEEPS, ANSWERS], ids=["silent", "answers"])
@pytest.mark.parametrize("outer", [KEEPS, ANSWERS], ids=["silent", "answers"])
def test_notLedBack(outer: NATBehavior, home: NATBehavior) -> None:
    """
    If it does not, there is no way, and both are told so.
    """
    world = under(outer, home, home).meet(**NEVER)
    assert judged(world) == "no-hairpin"
    world.end()


def test_notLedBackRelayed() -> None:
    """
    Then the relay carries the link, and the reason comes when the race is over.
    """
    world = under(KEEPS, KEEPS, KEEPS)
    world.meet(relay=RelayPolicy.FALLBACK, timeout=12.0, resumeFor=60.0)
    assert world.dialer.told(Connected)[0].path == "relayed"
    world.run(12.0)
    for each in world.programs:
        [verdict] = each.told(Judged)
        assert verdict.reason == "no-hairpin"
    finish(world)


@pytest.mark.parametrize(
    ("outer", "home", "verdict"),
    [
        (RANDOM, KEEPS, "both-random-mapping"),
        (KEEPS, NEXT, "no-hairpin"),
    ],
    ids=["random", "next"],
)
def test_otherwise(outer: NATBehavior, home: NATBehavior, verdict: str) -> None:
    """
    Behind one NAT that would not help if it led back, the reason is the other one;
    where ports can be foretold, time enough tells that nothing comes back.
    """
    world = under(outer, home, home).meet(**{**NEVER, "timeout": 16.0})
    assert judged(world) == verdict
    world.end()


@pytest.mark.parametrize("isLate", [False, True])
@pytest.mark.parametrize(
    "outer",
    [KEEPS, ANSWERS, LEADS_BACK, LEADS_BACK_ANSWERS],
    ids=["silent", "answers", "leads back", "leads back, answers"],
)
def test_oneLAN(outer: NATBehavior, isLate: bool) -> None:
    """
    On one LAN the link stays on it, whatever the NAT would do: also where a way through
    that one is there before the other side's own addresses are known; a neighbor in no
    hurry is waited for.
    """
    world = under(outer)
    if isLate:
        world.listener.host.latency = 0.02
    world.meet(**NEVER)
    assert bothLinked(world)
    assert kinds(world) == {"host"}
    assert elapsed(world) <= 3 * T + (0.2 if isLate else 0.01)
    world.run(1.0)
    left = [repr(each) for host in hosts(world) for each in host.sockets()]
    assert len(left) == 2, left
    finish(world)


def hosts(world: World) -> list[MemoryHost]:
    """
    Those of the two.
    """
    return [each.host for each in world.programs]


STRANGERS: dict[str, Callable[[], Stranger]] = {
    "silent": Stranger,
    "other service": Babbler,
    "resets": Resetter,
    "TLS server": lambda: Impostor(Role.LISTENER),
    "TLS client": lambda: Impostor(Role.DIALER),
}


def twoHomes(behavior: NATBehavior) -> World:
    """
    Two homes whose networks have the same numbers.
    """
    world = World(1)
    return world.cast(
        *(
            world.nested([behavior], {"latency": HOP}, LEG - HOP, f"192.168.1.{n}")
            for n in (2, 3)
        )
    )


def impersonate(world: World, make: Callable[[], Stranger] | None) -> list[Stranger]:
    """
    In each home somebody has the address of the other home's peer, and, if C{make}
    makes one, a program on its port.
    """
    strangers = []
    peers = hosts(world)
    for peer, other in zip(peers, reversed(peers), strict=True):
        home = world.network.host(
            other.addresses[0], behind=world.nats[peer], latency=HOP
        )
        if make is not None:
            stranger = make()
            stranger.sit(home, PORT)
            strangers.append(stranger)
    return strangers


def told(world: World) -> list[tuple[float, Connected]]:
    """
    When and how each of the two was connected.
    """
    return [
        (when, event)
        for each in world.programs
        for when, event in each.events
        if isinstance(event, Connected)
    ]


@pytest.mark.parametrize("kind", [None, *STRANGERS])
def test_impersonated(kind: str | None) -> None:
    """
    Whoever has the other side's private address on our own LAN, and even its port, is
    refused, learns nothing, and costs nothing: the link is there at the same instant as
    without it, to the last digit.
    """
    alone = twoHomes(KEEPS).meet(port=PORT)
    world = twoHomes(KEEPS)
    strangers = impersonate(world, STRANGERS[kind] if kind else None)
    world.meet(port=PORT)
    assert [when for when, _ in told(world)] == [when for when, _ in told(alone)]
    assert elapsed(world) == elapsed(alone) == pytest.approx(4 * T, abs=0.001)
    assert bothLinked(world)
    world.run(20.0)
    for stranger in strangers:
        # One that ends the connection has it made anew, for as long as there is none.
        assert 1 <= stranger.connections <= 3
        assert not stranger.inside
        checkIgnorant(stranger)
        stranger.leave()
    for each in (alone, world):
        finish(each)


@pytest.mark.parametrize("kind", STRANGERS)
def test_impersonatedForLong(kind: str) -> None:
    """
    Where there is no way to the other side at all, the strangers are not pestered with
    handshakes, and are not taken for the reason.
    """
    world = World(1)
    world.rendezvous.look()
    for n in (2, 3):
        host = world.nested([RANDOM], {"latency": HOP}, LEG - HOP, f"192.168.1.{n}")
        world.program(host)
    world.listener, world.dialer = world.programs
    strangers = impersonate(world, STRANGERS[kind])
    world.meet(port=PORT, **NEVER)
    assert judged(world) == "both-random-mapping"
    world.run(20.0)
    for stranger in strangers:
        assert 1 <= stranger.connections <= 12
        assert not stranger.inside
        checkIgnorant(stranger)
        stranger.leave()
    world.end()

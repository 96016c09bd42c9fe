"""
Peers that are near each other, and strangers who are near instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
    Two programs in homes with a NAT each, both behind the NAT of one carrier; or, if
    there are no homes, on one LAN behind that.
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


def kinds(world: World) -> set[str]:
    """
    Of what kind the path is, as each of the two says.
    """
    return {each.told(Connected)[0].kind for each in world.programs}


@pytest.mark.parametrize("home", [KEEPS, ANSWERS], ids=["silent", "answers"])
@pytest.mark.parametrize(
    "outer", [LEADS_BACK, LEADS_BACK_ANSWERS], ids=["silent", "answers"]
)
def test_ledBack(outer: NATBehavior, home: NATBehavior) -> None:
    """
    Programs in two homes behind one carrier's NAT meet if it has hairpinning; that
    takes longer by the head start that addresses of one LAN have.
    """
    world = under(outer, home, home).meet(timeout=12.0)
    assert bothLinked(world)
    assert kinds(world) == {"server-reflexive"}
    assert elapsed(world) <= 3 * T + HEAD_START + 0.01
    finish(world)


def test_notLedBackRelayed() -> None:
    """
    Without hairpinning the link may be relayed; the reason comes when the race is over.
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
    ("outer", "home", "timeout", "verdict"),
    [
        (KEEPS, KEEPS, 12.0, "no-hairpin"),
        (KEEPS, ANSWERS, 12.0, "no-hairpin"),
        (ANSWERS, KEEPS, 12.0, "no-hairpin"),
        (ANSWERS, ANSWERS, 12.0, "no-hairpin"),
        (RANDOM, KEEPS, 16.0, "both-random-mapping"),
        (KEEPS, NEXT, 16.0, "no-hairpin"),
    ],
    ids=["silent", "home answers", "outer answers", "both answer", "random", "next"],
)
def test_notLedBack(
    outer: NATBehavior, home: NATBehavior, timeout: float, verdict: str
) -> None:
    """
    If the carrier's NAT has no hairpinning there is no path, and both are told so.  If
    hairpinning would not help they are told the other reason; and if ports can be
    predicted there is time enough to find out that nothing comes back.
    """
    world = under(outer, home, home).meet(timeout=timeout)
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
    Two programs on one LAN have a link over that LAN, whatever the NAT does.  It is so
    even if there is a path through the NAT before the other side's own addresses are
    known, and if that other side is slow.
    """
    world = under(outer)
    if isLate:
        world.listener.host.latency = 0.02
    world.meet(timeout=12.0)
    assert bothLinked(world)
    assert kinds(world) == {"host"}
    assert elapsed(world) <= 3 * T + (0.2 if isLate else 0.01)
    world.run(1.0)
    left = [repr(each) for host in hosts(world) for each in host.sockets()]
    assert len(left) == 2, left
    finish(world)


def hosts(world: World) -> list[MemoryHost]:
    """
    The hosts of the two programs.
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
    Two homes whose networks have the same addresses.
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
    Put a host with the address of the other home's peer into each home.  If C{make} is
    given it makes the program that listens on the peer's port there.
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


def checkRefused(stranger: Stranger, most: int) -> None:
    """
    A stranger was connected to, at most so often, and is no longer; it learned nothing.
    """
    assert 1 <= stranger.connections <= most
    assert not stranger.inside
    checkIgnorant(stranger)
    stranger.leave()


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
    A stranger on our own LAN that has the other side's private address, and even its
    port, is refused, learns nothing, and delays nothing: the link is made at the very
    instant at which it is made without the stranger.
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
        checkRefused(stranger, 3)
    for each in (alone, world):
        finish(each)


@pytest.mark.parametrize("kind", STRANGERS)
def test_impersonatedForLong(kind: str) -> None:
    """
    If there is no path to the other side at all, few connections are made to the
    strangers, and they are not taken for the reason.
    """
    world = twoHomes(RANDOM)
    world.rendezvous.look()
    strangers = impersonate(world, STRANGERS[kind])
    world.meet(port=PORT, timeout=12.0)
    assert judged(world) == "both-random-mapping"
    world.run(20.0)
    for stranger in strangers:
        checkRefused(stranger, 12)
    world.end()

"""
Whole peers behind NATs that do not keep their ports.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import succeed

from punch.events import Connected, Judged
from punch.nat.behavior import ObservedBehavior
from punch.nat.prediction import Strategy, strategyFor
from punch.net.address import tcpAddress
from punch.peer import porttraversal
from punch.peer.peer import Peer
from punch.peer.relaypolicy import RelayPolicy
from punch.testing import (
    Allocation,
    Mapping,
    NATBehavior,
)
from tests.support.whole.meetings import elapsed, finish, judged
from tests.support.whole.nats import (
    ANSWERS,
    BLOCK,
    DEAF,
    KEEPS,
    LAX,
    NEXT,
    NEXT_ANSWERS,
    RANDOM,
    apart,
)
from tests.support.whole.services import standing
from tests.support.whole.world import LEG, T, World


def meeting(
    listener: NATBehavior, dialer: NATBehavior, seed: int = 1, **settings: Any
) -> World:
    """
    Two peers that have met, or not; the rendezvous observes them at two ports.
    """
    return apart(listener, dialer, seed).meet(**{"timeout": 12.0, **settings})


@pytest.mark.parametrize("other", [KEEPS, ANSWERS], ids=["silent", "answers"])
@pytest.mark.parametrize("moves", [NEXT, BLOCK], ids=["next", "block"])
@pytest.mark.parametrize("isDialer", [False, True], ids=["listener", "dialer"])
def test_met(moves: NATBehavior, other: NATBehavior, isDialer: bool) -> None:
    """
    If one side's next port can be predicted, or is one of few, they meet in the time
    that it takes to find that out.
    """
    world = meeting(*((other, moves) if isDialer else (moves, other)))
    assert elapsed(world) < 12 * T
    finish(world)


@pytest.mark.parametrize("dialer", [NEXT, NEXT_ANSWERS], ids=["silent", "answers"])
@pytest.mark.parametrize("listener", [NEXT, NEXT_ANSWERS], ids=["silent", "answers"])
def test_bothNext(listener: NATBehavior, dialer: NATBehavior) -> None:
    """
    They also meet if both sides' ports can be predicted.  They begin at the same time:
    otherwise a connect is refused, and the next one comes from another port.
    """
    world = meeting(listener, dialer)
    assert elapsed(world) < 14 * T
    finish(world)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("base", [NEXT, NEXT_ANSWERS], ids=["silent", "answers"])
def test_crossTraffic(base: NATBehavior, seed: int) -> None:
    """
    They also meet if other traffic takes some ports of both NATs meanwhile.
    """
    busy = replace(base, crossTraffic=2.0)
    world = meeting(busy, busy, seed=seed)
    assert elapsed(world) < 14 * T
    finish(world)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("other", [KEEPS, ANSWERS], ids=["silent", "answers"])
@pytest.mark.parametrize("isDialer", [False, True], ids=["listener", "dialer"])
def test_anyPort(other: NATBehavior, isDialer: bool, seed: int) -> None:
    """
    If one side's ports are random, many sockets find the other side in some seconds.
    """
    sides = (other, RANDOM) if isDialer else (RANDOM, other)
    world = meeting(*sides, seed=seed)
    assert elapsed(world) < 6.0
    finish(world)


@pytest.mark.parametrize("other", [KEEPS, ANSWERS], ids=["silent", "answers"])
@pytest.mark.parametrize("moves", [NEXT, BLOCK, RANDOM], ids=["next", "block", "any"])
@pytest.mark.parametrize("isDialer", [False, True], ids=["listener", "dialer"])
def test_byAddress(
    moves: NATBehavior,
    other: NATBehavior,
    isDialer: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    A rendezvous with two addresses recognizes a NAT that gives another port for each
    address, but not for each port; such a NAT is crossed as the others are.
    """
    known: set[ObservedBehavior | None] = set()

    def chosen(
        own: ObservedBehavior | None, theirs: ObservedBehavior | None
    ) -> Strategy:
        known.update({own, theirs})
        return strategyFor(own, theirs)

    monkeypatch.setattr(porttraversal, "strategyFor", chosen)
    moves = replace(moves, mapping=Mapping.ADDRESS_DEPENDENT)
    world = apart(*((other, moves) if isDialer else (moves, other)))
    world.rendezvous.lookElsewhere(world.host(leg=LEG))
    world.meet(timeout=12.0)
    isAny = moves.allocation is Allocation.RANDOM and moves.ports == RANDOM.ports
    assert elapsed(world) < (6.0 if isAny else 12 * T)
    mappings = {each.mapping for each in known if each is not None}
    assert mappings == {Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_DEPENDENT}
    finish(world)


@pytest.mark.parametrize("isDialer", [False, True], ids=["listener", "dialer"])
def test_filtersByAddress(isDialer: bool) -> None:
    """
    A NAT that gives the next port, and lets in any port of a host that we have sent to,
    is reached from one that gives random ports.
    """
    sides = (LAX, RANDOM) if isDialer else (RANDOM, LAX)
    world = meeting(*sides)
    assert elapsed(world) < 14 * T
    finish(world)


def test_discoveredAnew() -> None:
    """
    When a listener comes back to the rendezvous, perhaps from another network, its
    NAT's behavior is discovered anew, and what was found before is forgotten.
    """
    world = apart(KEEPS, KEEPS)
    service = standing(world.listener)
    world.run(2.0)
    peer: Peer = service.service._where[0]
    assert peer._reflexive.discovery.behavior == ObservedBehavior(
        Mapping.ENDPOINT_INDEPENDENT
    )
    ports = iter(range(7000, 9000, 2))
    peer._reflexive._requestMappedAddress = lambda observer, isShared: (  # type: ignore[method-assign]
        succeed(tcpAddress("203.0.113.9", next(ports)))
    )
    world.rendezvous.stop()
    world.run(1.0)
    world.rendezvous.start()
    world.run(5.0)
    found = peer._reflexive.discovery.behavior
    assert found is not None
    assert found.mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT
    world.end()


@pytest.mark.parametrize("looks", [True, False], ids=["two ports", "one port"])
def test_cost(looks: bool) -> None:
    """
    If both keep their ports, the dial takes not a moment longer, whether or not the
    rendezvous observes them at a second port.
    """
    world = apart(KEEPS, KEEPS, looks=looks).meet(timeout=12.0)
    assert elapsed(world) == pytest.approx(4 * T, abs=0.01)
    finish(world)


@pytest.mark.parametrize(
    ("listener", "dialer", "settings", "verdict"),
    [
        (RANDOM, KEEPS, {"search": 0}, "no-search"),
        (RANDOM, RANDOM, {}, "both-random-mapping"),
        (NEXT, RANDOM, {}, "random-against-sequential"),
        (DEAF, DEAF, {}, "no-simultaneous-open"),
    ],
    ids=["no search", "both random", "next", "deaf"],
)
def test_judged(
    listener: NATBehavior, dialer: NATBehavior, settings: dict[str, Any], verdict: str
) -> None:
    """
    Whatever kept them apart, both give the same reason.
    """
    world = meeting(listener, dialer, **settings)
    assert judged(world) == verdict
    world.end()


def test_judgedLater() -> None:
    """
    For a relayed link the verdict comes when the race for a direct path is over.
    """
    world = meeting(RANDOM, RANDOM, relay=RelayPolicy.FALLBACK, resumeFor=60.0)
    assert not world.dialer.told(Judged)
    world.run(12.0)
    for each in world.programs:
        [verdict] = each.told(Judged)
        assert verdict.reason == "both-random-mapping"
    finish(world)


def test_better() -> None:
    """
    A link that begins relayed moves to what the search finds, and loses nothing.
    """
    world = meeting(RANDOM, KEEPS, relay=RelayPolicy.FALLBACK, resumeFor=60.0)
    assert world.dialer.told(Connected)[0].path == "relayed"
    assert world.until(lambda: world.dialer.link.getPeer().path == "direct", 12.0)
    world.dialer.link.write(bytes(1000))
    assert world.until(lambda: len(world.listener.talker.received) >= 1000)
    finish(world)


def test_cancelled() -> None:
    """
    A dial that is cancelled in the middle of a search leaves nothing.
    """
    world = apart(RANDOM, KEEPS)
    world.waits(timeout=12.0)
    world.dial(timeout=12.0)
    world.run(8 * T)
    assert len(world.network.openSockets()) > 50
    world.dialer.cancel()
    world.run(1.0)
    world.listener.cancel()
    world.run(1.0)
    world.end()

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
    behind,
)
from tests.support.whole.services import standing
from tests.support.whole.world import LEG, T, World


def meeting(
    listener: NATBehavior, dialer: NATBehavior, seed: int = 1, **settings: Any
) -> World:
    """
    Two who have met, or not, where the rendezvous looks at them from two ports.
    """
    world = World(seed)
    world.rendezvous.look()
    world.cast(behind(world, listener), behind(world, dialer))
    return world.meet(**{"relay": RelayPolicy.NEVER, "timeout": 12.0, **settings})


@pytest.mark.parametrize("other", [KEEPS, ANSWERS], ids=["silent", "answers"])
@pytest.mark.parametrize("moves", [NEXT, BLOCK], ids=["next", "block"])
@pytest.mark.parametrize("isDialer", [False, True], ids=["listener", "dialer"])
def test_met(moves: NATBehavior, other: NATBehavior, isDialer: bool) -> None:
    """
    Where one side's next port can be foretold, or is one of few, they meet in the time
    that it takes to find that out.
    """
    world = meeting(*((other, moves) if isDialer else (moves, other)))
    assert elapsed(world) < 12 * T
    finish(world)


@pytest.mark.parametrize("dialer", [NEXT, NEXT_ANSWERS], ids=["silent", "answers"])
@pytest.mark.parametrize("listener", [NEXT, NEXT_ANSWERS], ids=["silent", "answers"])
def test_bothNext(listener: NATBehavior, dialer: NATBehavior) -> None:
    """
    So they do where both sides' ports can be foretold: they begin at once, so that no
    connect is refused, and made anew from the port that the next was to have.
    """
    world = meeting(listener, dialer)
    assert elapsed(world) < 14 * T
    finish(world)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("base", [NEXT, NEXT_ANSWERS], ids=["silent", "answers"])
def test_crossTraffic(base: NATBehavior, seed: int) -> None:
    """
    Also where others take some ports of both meanwhile.
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
    Where one side's ports may be any, many sockets meet in some seconds.
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
    A NAT that gives another port for each address, but not for each port, is known for
    what it is where the rendezvous has two addresses, and crossed as the others are.
    """
    known: set[ObservedBehavior | None] = set()

    def chosen(
        own: ObservedBehavior | None, theirs: ObservedBehavior | None
    ) -> Strategy:
        known.update({own, theirs})
        return strategyFor(own, theirs)

    monkeypatch.setattr(porttraversal, "strategyFor", chosen)
    moves = replace(moves, mapping=Mapping.ADDRESS_DEPENDENT)
    world = World(1)
    world.rendezvous.look()
    world.rendezvous.lookElsewhere(world.host(leg=LEG))
    sides = (other, moves) if isDialer else (moves, other)
    world.cast(*(behind(world, each) for each in sides))
    world.meet(relay=RelayPolicy.NEVER, timeout=12.0)
    isAny = moves.allocation is Allocation.RANDOM and moves.ports == RANDOM.ports
    assert elapsed(world) < (6.0 if isAny else 12 * T)
    mappings = {each.mapping for each in known if each is not None}
    assert mappings == {Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_DEPENDENT}
    finish(world)


@pytest.mark.parametrize("isDialer", [False, True], ids=["listener", "dialer"])
def test_filtersByAddress(isDialer: bool) -> None:
    """
    A NAT that gives the next port, and lets in whatever port of a host that we have
    sent to, is reached from one that gives any.
    """
    sides = (LAX, RANDOM) if isDialer else (RANDOM, LAX)
    world = meeting(*sides)
    assert elapsed(world) < 14 * T
    finish(world)


def test_surveyedAnew() -> None:
    """
    A listener that comes back to the rendezvous, from another network perhaps, is
    looked at anew: what was found before is forgotten.
    """
    world = World(1)
    world.rendezvous.look()
    world.cast(behind(world, KEEPS), behind(world, KEEPS))
    service = standing(world.listener)
    world.run(2.0)
    peer: Peer = service.service._where[0]  # type: ignore[attr-defined]
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
    service.stop()
    world.run(2.0)
    world.end()


def test_cost() -> None:
    """
    Where both keep their ports, nothing is spent on this: no connect but those of the
    race, and not a moment.
    """
    world = meeting(KEEPS, KEEPS)
    assert elapsed(world) == pytest.approx(4 * T, abs=0.01)
    finish(world)


def test_noSearch() -> None:
    """
    Who may have no socket for it does not search.
    """
    world = meeting(RANDOM, KEEPS, search=0)
    assert judged(world) == "no-search"
    world.end()


def test_hopeless() -> None:
    """
    Where both sides' ports may be any nobody searches.
    """
    world = meeting(RANDOM, RANDOM)
    assert judged(world) == "both-random-mapping"
    world.end()


@pytest.mark.parametrize(
    ("listener", "dialer", "verdict"),
    [
        (NEXT, RANDOM, "random-against-sequential"),
        (DEAF, DEAF, "no-simultaneous-open"),
    ],
)
def test_judged(
    listener: NATBehavior, dialer: NATBehavior, verdict: str | None
) -> None:
    """
    Whatever kept them apart, both say the same.
    """
    world = meeting(listener, dialer)
    assert judged(world) == verdict
    world.end()


def test_judgedLater() -> None:
    """
    Behind a relayed link the verdict comes when the race is over.
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
    Cancelled in the midst of a search, nothing is left of it.
    """
    world = World(1)
    world.rendezvous.look()
    world.cast(behind(world, RANDOM), behind(world, KEEPS))
    settings: dict[str, Any] = {"relay": RelayPolicy.NEVER, "timeout": 12.0}
    world.listen(**settings)
    assert world.listener.code
    world.run(2.0)
    world.dial(**settings)
    world.run(8 * T)
    assert len(world.network.openSockets()) > 50
    world.dialer.cancel()
    world.run(1.0)
    world.listener.cancel()
    world.run(1.0)
    world.end()


def test_noVantage() -> None:
    """
    A rendezvous that does not look from a second port changes nothing.
    """
    world = World(1)
    world.cast(behind(world, KEEPS), behind(world, KEEPS))
    world.meet(relay=RelayPolicy.NEVER, timeout=12.0)
    assert elapsed(world) == pytest.approx(4 * T, abs=0.01)
    finish(world)

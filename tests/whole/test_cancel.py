"""
Either side gives up, at any instant.
"""

from __future__ import annotations

import pytest

from punch.events import Failed, Introduced
from punch.link.path import FAREWELL
from tests.support.whole.program import Program
from tests.support.whole.world import World, pair

CHUNKS = 4

OUTCOMES = {
    "no-such-name",
    "peer-left",
    "path-lost",
    "rendezvous-lost",
    "unproven",
}


def begin() -> World:
    """
    A listener waits; a dialer is about to dial.
    """
    world = pair(seed=3)
    world.waits(1.7)
    world.dial()
    return world


def countSteps() -> int:
    """
    How many things happen until both have their link.
    """
    world, steps = begin(), 0
    while not (world.listener.ended and world.dialer.ended):
        world.step()
        steps += 1
    world.end()
    return steps


def checkGone(world: World, who: Program) -> None:
    """
    Nothing of a program is left, a moment after it gave up, or after it said
    goodbye to the other side.
    """
    world.run(FAREWELL)
    assert who.ended
    assert who.reason in ("cancelled", "linked")
    assert who.host.sockets() == []


def checkOther(world: World, other: Program) -> None:
    """
    The other side hears of it, and then nothing of it is left either.  A listener
    whose code was not tried waits on.
    """
    world.until(lambda: other.ended, 40.0)
    if other is world.listener and not other.ended:
        assert len(other.told(Introduced)) == len(other.told(Failed))
        return
    if other.links:
        assert world.until(lambda: other.talker.reason, 60.0), world
        assert other.talker.isBroken
    else:
        assert other.reason in OUTCOMES, world
    world.run(0.001)
    assert other.host.sockets() == []


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_anyInstant(side: str, chunk: int) -> None:
    """
    Whenever one side cancels, nothing of it is left a moment later; and the other
    side hears an error, and then nothing of it is left.
    """
    for steps in range(chunk, countSteps() + 1, CHUNKS):
        world = begin()
        for _ in range(steps):
            world.step()
        who, other = world.sides(side)
        who.end()
        checkGone(world, who)
        checkOther(world, other)
        world.end()


@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_beforeRendezvous(side: str) -> None:
    """
    A side that cancels while it connects to the rendezvous leaves nothing, either.
    """
    for steps in range(12):
        world = pair()
        isListener = side == "listener"
        who = world.listen() if isListener else world.dial("7-zebra-zoo")
        for _ in range(steps):
            world.step()
        who.end()
        world.run(0.001)
        if who.reason != "no-such-name":
            checkGone(world, who)
        world.end()


@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_silentRendezvous(side: str) -> None:
    """
    A side that cancels leaves nothing if the rendezvous has fallen silent, either.
    """
    world = begin()
    world.run(0.1)
    world.rendezvous.host.cut()
    world.run(1.0)
    who, _ = world.sides(side)
    who.end()
    checkGone(world, who)
    world.end()

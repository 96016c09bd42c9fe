"""
Two peers meet although what the dialer sends to the rendezvous first is lost.
"""

from __future__ import annotations

import pytest

from punch.events import Connected, Listening
from punch.peer.hedgedport import HEAD_START
from tests.support.whole.meetings import elapsed, finish
from tests.support.whole.world import LEG, PORT, RENDEZVOUS, T, World, pair

CALLED = f"> {RENDEZVOUS}.{PORT}"

FAR = 5 * LEG
"""
Seconds to the core, one way, from where a second port is tried.
"""

RETRANSMISSION = 1.0
"""
Seconds until a kernel sends a SYN again.
"""


def lossy(seconds: float, kind: str = "drop") -> World:
    """
    A world whose listener waits, and in which everything that the dialer sends is lost
    for so many seconds.
    """
    world = pair(dialer=kind)
    world.waits()
    wire = world.nats[world.dialer.host] or world.dialer.host
    wire.loss = 1.0
    world.clock.callLater(seconds, setattr, wire, "loss", 0.0)
    return world


def farWorld() -> World:
    """
    A world in which the three are far from each other.
    """
    world = World(leg=FAR)
    return world.cast(world.host("drop", FAR), world.host("drop", FAR))


def test_firstLost() -> None:
    """
    If the first SYN is lost, the dial takes longer only by the head start.  The user is
    told of the first port, and of the second, from which the race is run.
    """
    world = lossy(HEAD_START / 2)
    world.dial()
    assert elapsed(world) == pytest.approx(HEAD_START + 4 * T, abs=0.001)
    first, second = [each.port for each in world.dialer.told(Listening)]
    [connected] = world.dialer.told(Connected)
    assert int(connected.local.rpartition(":")[2]) == second != first
    finish(world)


def test_bothLost() -> None:
    """
    If the SYNs of both ports are lost, the first port's second SYN arrives first.
    """
    world = lossy(RETRANSMISSION - 0.1)
    world.dial()
    assert elapsed(world) == pytest.approx(RETRANSMISSION + 4 * T, abs=0.001)
    assert len(world.dialer.told(Listening)) == 1
    finish(world)


def test_noneLost() -> None:
    """
    If nothing is lost, and the rendezvous is near, one connection is made to it.
    """
    world = pair()
    trace = world.network.trace()
    world.meet()
    assert elapsed(world) == pytest.approx(4 * T, abs=0.001)
    [ours] = world.dialer.host.addresses
    sent = f"sent {ours}."
    called = [line for line in trace if sent in line and f"{CALLED}: S " in line]
    assert len(called) == 1
    finish(world)


def test_farAway() -> None:
    """
    If the rendezvous is so far away that a second port is tried in vain, the first one
    connects first, and is kept.
    """
    world = farWorld().meet()
    assert elapsed(world) == pytest.approx(4 * 4 * FAR, abs=0.001)
    assert len(world.dialer.told(Listening)) == 1
    finish(world)


def test_portAskedFor() -> None:
    """
    A peer that asks for a port gets that one, even if it takes longer.
    """
    world = lossy(HEAD_START / 2)
    world.dial(port=7000)
    assert elapsed(world) == pytest.approx(RETRANSMISSION + 4 * T, abs=0.001)
    assert [each.port for each in world.dialer.told(Listening)] == [7000]
    finish(world)


@pytest.mark.parametrize("seconds", [0.1, 0.35])
def test_cancelled(seconds: float) -> None:
    """
    A dial that is cancelled leaves nothing behind, with one port or with two.
    """
    world = lossy(1.0)
    world.dial()
    world.run(seconds)
    world.dialer.cancel()
    world.run(1.0)
    assert not world.dialer.host.sockets()
    world.end()


def test_refused() -> None:
    """
    A refusal ends the dial at once, however long it takes to come: nobody waits for
    the second port.
    """
    world = farWorld()
    world.rendezvous.stop()
    started = world.clock.seconds()
    world.dial("7-zebra-zoo")
    assert world.until(lambda: world.dialer.ended)
    assert world.dialer.reason == "rendezvous-refused"
    assert world.dialer.endedAt == pytest.approx(started + 4 * FAR, abs=0.001)
    world.end()

"""
Two peers meet although what the dialer sends to the rendezvous first is lost.
"""

from __future__ import annotations

import pytest

from punch.events import Connected, Listening
from punch.peer.hedgedport import HEAD_START
from tests.support.whole.meetings import finish
from tests.support.whole.world import LEG, PORT, RENDEZVOUS, T, World, pair

CALLED = f"> {RENDEZVOUS}.{PORT}"

RETRANSMISSION = 1.0
"""
Seconds until a kernel sends a SYN again.
"""


def lossy(seconds: float, kind: str = "drop") -> World:
    """
    A world in which everything that the dialer sends is lost for so long, from its
    dial on, and in which the listener waits.
    """
    world = pair(dialer=kind)
    world.listen()
    assert world.listener.code
    world.run(2.0)
    wire = world.nats[world.dialer.host] or world.dialer.host
    wire.loss = 1.0
    world.clock.callLater(seconds, setattr, wire, "loss", 0.0)
    return world


def elapsed(world: World) -> float:
    """
    How long the dial took.
    """
    assert world.until(lambda: world.dialer.ended and world.listener.ended), world
    [connected] = world.dialer.told(Connected)
    return connected.elapsed


def test_firstLost() -> None:
    """
    If the first SYN is lost, it is only a head start that is lost with it; who is told
    of the shared port is told of the other, which is where the race is.
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
    If both are, the first one's second is there first.
    """
    world = lossy(RETRANSMISSION - 0.1)
    world.dial()
    assert elapsed(world) == pytest.approx(RETRANSMISSION + 4 * T, abs=0.001)
    assert len(world.dialer.told(Listening)) == 1
    finish(world)


def test_noneLost() -> None:
    """
    If nothing is lost, and the way is short, the rendezvous is called once.
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
    Where the way is so long that a second port is tried for nothing, the first is
    there first, and stays.
    """
    leg = 5 * LEG
    world = World(leg=leg)
    world.cast(world.host("drop", leg), world.host("drop", leg))
    world.meet()
    assert elapsed(world) == pytest.approx(4 * 4 * leg, abs=0.001)
    assert len(world.dialer.told(Listening)) == 1
    finish(world)


def test_portAskedFor() -> None:
    """
    Who asks for a port gets that one, later.
    """
    world = lossy(HEAD_START / 2)
    world.dial(port=7000)
    assert elapsed(world) == pytest.approx(RETRANSMISSION + 4 * T, abs=0.001)
    assert [each.port for each in world.dialer.told(Listening)] == [7000]
    finish(world)


@pytest.mark.parametrize("seconds", [0.1, 0.35])
def test_cancelled(seconds: float) -> None:
    """
    Who gives up leaves nothing behind, with one port or with two.
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
    A refusal is told at once, however long it takes to come: nobody waits for the
    second port.
    """
    leg = 5 * LEG
    world = World(leg=leg)
    world.cast(world.host("drop", leg), world.host("drop", leg))
    world.rendezvous.stop()
    started = world.clock.seconds()
    world.dial("7-zebra-zoo")
    assert world.until(lambda: world.dialer.ended)
    assert world.dialer.reason == "rendezvous-refused"
    assert world.dialer.endedAt == pytest.approx(started + 4 * leg, abs=0.001)
    world.end()

"""
Links that outlive their paths: relayed ones that become direct, and those that are
suspended and go on.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from punch.events import (
    Closed,
    Connected,
    Listening,
    PathChanged,
    Resumed,
    Suspended,
)
from punch.link.path import FAREWELL
from punch.peer.instancelock import InstanceLock
from punch.peer.relaypolicy import RelayPolicy
from tests.support.whole.endpoints import Connecting, Serving, endpointOf
from tests.support.whole.guesser import Guesser
from tests.support.whole.meetings import finish
from tests.support.whole.program import Program
from tests.support.whole.services import dialName, standing
from tests.support.whole.world import T, World, pair

LEGS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.09)

DURABLE: dict[str, Any] = {"relay": RelayPolicy.FALLBACK, "resumeFor": 600.0}


def durable(*kinds: str, **settings: Any) -> World:
    """
    Two programs that have met, behind NATs of these kinds.
    """
    world = pair(*kinds).meet(**{**DURABLE, **settings})
    world.run(0.5)
    return world


def say(world: World, size: int = 1000) -> None:
    """
    Each side says something more, and the other hears it.
    """
    heard = [len(each.talker.received) for each in world.programs]
    for each in world.programs:
        each.link.write(bytes(size))
    for each, before in zip(world.programs, heard, strict=True):
        hears(world, each, before + size)


def hears(world: World, who: Program, size: int, within: float = 10.0) -> None:
    """
    Wait until somebody has heard so much.
    """
    assert world.until(lambda: len(who.talker.received) >= size, within), world
    assert len(who.talker.received) == size


def test_relayed() -> None:
    """
    If there is no direct path the link is relayed, one round trip later than a direct
    path would take, and both sides say why.
    """
    world = durable("random", "random")
    for each in world.programs:
        [connected] = each.told(Connected)
        assert (connected.path, connected.kind) == ("relayed", "relayed")
        assert connected.why == "no-answer"
    assert world.dialer.endedAt is not None
    assert world.dialer.endedAt <= 2.24 + 5 * T + 0.01
    say(world)
    finish(world)


def test_relayOnly() -> None:
    """
    A peer that wants only the relay gets nothing else, and nobody connects to it.
    """
    world = durable("none", "none", relay=RelayPolicy.ONLY)
    for each in world.programs:
        [connected] = each.told(Connected)
        assert (connected.path, connected.why) == ("relayed", "relay-only")
    world.run(60.0)
    assert world.dialer.link.getPeer().path == "relayed"
    finish(world)


def test_relayNever() -> None:
    """
    A peer that must not use the relay fails in time, with the reason.
    """
    world = pair("random", "random")
    world.meet(relay=RelayPolicy.NEVER, timeout=12.0)
    assert (world.listener.reason, world.dialer.reason) == ("no-answer", "no-answer")
    world.end()


def test_directIsPreferred() -> None:
    """
    If both a direct and a relayed path are possible, the link is direct.
    """
    world = durable()
    for each in world.programs:
        assert each.told(Connected)[0].path == "direct"
    world.run(60.0)
    assert not world.dialer.told(PathChanged)
    finish(world)


def unblocked(after: float) -> World:
    """
    Two peers that met while the network between their NATs was blocked, which it no
    longer is.
    """
    world = pair()
    world.network.block("203.0.113.1", "203.0.113.2")
    world.meet(**DURABLE)
    assert world.dialer.told(Connected)[0].path == "relayed"
    world.run(after)
    world.network.unblock("203.0.113.1", "203.0.113.2")
    return world


@pytest.mark.parametrize("after", [0.5, 20.0, 90.0])
def test_upgraded(after: float) -> None:
    """
    A relayed link becomes direct as soon as there is a way; nothing is lost.
    """
    world = unblocked(after)
    moved = world.until(lambda: world.dialer.told(PathChanged), 2.5 * after + 30.0)
    assert moved, world
    world.run(5.0)
    for each in world.programs:
        [change] = each.told(PathChanged)
        assert (change.from_, change.to, change.why) == ("relayed", "direct", "better")
        assert each.link.getPeer().path == "direct"
    say(world)
    finish(world)


def test_photoFinish() -> None:
    """
    However close in time the relayed and the direct path are, even if what the dialer
    says on the second overtakes the first, there is one link, which is direct in the
    end.
    """
    ways = set()
    for middle, near, far in product((0.004, 0.01, 0.02), LEGS, LEGS):
        world = World(leg=middle)
        world.cast(world.host("drop", near), world.host("drop", far)).meet(**DURABLE)
        ways.add(world.dialer.told(Connected)[0].path)
        world.run(5.0)
        for each in world.programs:
            assert not each.told(Suspended), (middle, near, far, world)
            assert each.link.getPeer().path == "direct", (middle, near, far, world)
        finish(world)
    assert ways == {"direct", "relayed"}


@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_reset(side: str) -> None:
    """
    A path that is reset is replaced at once.
    """
    world = durable()
    say(world)
    who, _ = world.sides(side)
    who.host.reset()
    begun = world.clock.seconds()
    assert world.until(lambda: len(world.dialer.told(Resumed)) == 1), world
    assert world.clock.seconds() - begun < 12 * T
    say(world)
    for each in world.programs:
        assert [type(event) for event in (*each.told(Suspended),)] == [Suspended]
    finish(world)


@pytest.mark.parametrize("pause", [0.5, 5.0, 15.0, 120.0])
@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_unplugged(side: str, pause: float) -> None:
    """
    A link goes on soon after one side was unplugged for a while.
    """
    world = durable()
    say(world)
    who, _ = world.sides(side)
    for each in world.programs:
        each.link.write(bytes(5000))
    who.host.cut()
    world.run(pause)
    who.host.mend()
    world.run(15.0)
    assert {len(each.talker.received) for each in world.programs} == {
        len(b"I dial.") + 6000,
        len(b"I listen.") + 6000,
    }, world
    say(world)
    finish(world)


@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_unpluggedForGood(side: str) -> None:
    """
    When the other side does not come back in time, both hear so.
    """
    world = durable(resumeFor=30.0)
    world.run(5.0)
    who, _ = world.sides(side)
    who.host.cut()
    world.run(30.0 + 31.0)
    for each in world.programs:
        assert each.talker.isBroken, world
        assert each.told(Closed)[0].reason == "resume-expired"
    world.end()


def test_restartedRendezvous() -> None:
    """
    The rendezvous may be restarted, even while the link has no path.
    """
    world = durable()
    say(world)
    world.rendezvous.stop()
    world.run(1.0)
    world.dialer.host.reset()
    world.run(3.0)
    world.rendezvous.start()
    begun = world.clock.seconds()
    assert world.until(lambda: world.dialer.told(Resumed)), world
    assert world.clock.seconds() - begun < 6.0
    say(world)
    finish(world)


def test_restartedListener() -> None:
    """
    A restarted listener does not know the link of its predecessor: the dialer hears so
    at once, and may dial anew.
    """
    world = pair()
    standing(world.listener, **DURABLE)
    world.run(1.0)
    dialName(world.dialer, **DURABLE)
    assert world.until(lambda: world.dialer.ended)
    world.run(1.0)
    # Killed: the system ends its connections, and it says no more.
    world.listener.host.reset()
    world.listener.host.cut()
    standing(world.program(world.host("drop")), **DURABLE)
    assert world.until(lambda: world.dialer.talker.reason, 10.0), world
    assert world.dialer.told(Closed)[0].reason == "unknown-link"
    world.end()


def test_dialerRestarted() -> None:
    """
    When a dialer was restarted the listener ends the link of the one before, as soon
    as the new one has come; other dialers' links are not touched.
    """
    world = pair()
    service = standing(world.listener, **DURABLE)
    world.run(1.0)
    other = world.program(world.host("drop"))
    dials(world.dialer, b"one program")
    assert world.until(lambda: world.dialer.ended), world
    dials(other, b"another")
    assert world.until(lambda: other.ended), world
    world.run(1.0)
    # Killed: the system ends its connections, and it says no more.
    world.dialer.host.reset()
    world.dialer.host.cut()
    world.run(5.0)
    again = world.program(world.host("drop"))
    dials(again, b"one program")
    assert world.until(lambda: again.ended), world
    world.run(1.0)
    lost = [each.reason for each in service.talkers]
    assert [reason is None for reason in lost] == [False, True, True], world
    assert [each.reason for each in world.listener.told(Closed)] == ["peer-restarted"]
    for each in (other, again):
        each.link.loseConnection()
    world.run(1.0)
    world.end()


def test_betterAtOnce() -> None:
    """
    A direct path that comes soon after a relayed one is taken, and nobody dials for
    another meanwhile.
    """
    world = pair()
    ends = ("203.0.113.1", "203.0.113.2")
    world.network.block(*ends)
    world.waits(**DURABLE)
    world.dial(**DURABLE)
    assert world.until(lambda: world.dialer.ended)
    world.network.unblock(*ends)
    world.run(5.0)
    for each in world.programs:
        assert [event.to for event in each.told(PathChanged)] == ["direct"]
        assert len(each.told(Listening)) == 1, world
    finish(world)


def dials(program: Program, token: bytes) -> None:
    """
    Have a program dial the standing name, holding the instance lock with this token.
    """
    dialName(program, instanceLocks=lambda name: InstanceLock(token), **DURABLE)


def test_listensAnew() -> None:
    """
    A server that was stopped and listens anew does not know its earlier links; one
    whose path answers lives on all the same.
    """
    world = pair("random", "random")
    first = Serving(world.listener, **DURABLE)
    world.run(1.0)
    asked = Connecting(endpointOf(world.dialer, **DURABLE), world.dialer)
    assert world.until(lambda: asked.isConnected), world
    assert world.dialer.told(Connected)[0].path == "relayed"
    first.stop()
    world.run(5.0)
    second = Serving(world.listener, **DURABLE)
    world.run(120.0)
    assert asked.talker.isOpen, world
    asked.lose()
    second.stop()
    world.run(2 * T + FAREWELL)
    world.end()


def test_guessedBeside() -> None:
    """
    A listener that waits for one link goes on with it although a stranger made a wrong
    guess while the dialer was connecting.
    """
    world = pair()
    stranger = world.host("drop")
    number = world.waits(1.0, **DURABLE).partition("-")[0]
    world.dial(**DURABLE)
    world.run(T)
    guesser = Guesser(stranger, number, b"wrong").begin()
    assert world.until(lambda: guesser.reason), world
    assert len(guesser.answers) == 1
    say(world)
    world.dialer.host.reset()
    assert world.until(lambda: world.dialer.told(Resumed)), world
    say(world)
    finish(world)

"""
The rendezvous goes away, and comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from errno import ECONNRESET
from functools import partial
from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol

from punch.events import CodeAllotted, Listening, Waiting
from punch.rendezvous.client import ANSWER_TIMEOUT, KEEPALIVE
from tests.support.whole.meetings import bothLinked
from tests.support.whole.services import dialName, listening, standing
from tests.support.whole.world import PORT, RENDEZVOUS, T, World, pair

LONGEST_PAUSE = 36.0
"""
Seconds between two attempts of a listener, at most.
"""


def restart(world: World, pause: float) -> None:
    """
    Stop the rendezvous and, after a while, start it with nothing in its memory.
    """
    world.rendezvous.stop()
    world.run(pause)
    world.rendezvous.start()


def checkBack(world: World, limit: float = LONGEST_PAUSE) -> None:
    """
    The listener waits again, in time.
    """
    assert world.until(lambda: len(world.listener.told(Waiting)) == 2, limit)


def checkMeeting(world: World, code: str) -> None:
    """
    A dialer now connects.
    """
    world.dial(code)
    assert world.until(lambda: world.dialer.ended)
    assert world.dialer.links, world
    assert world.until(lambda: world.dialer.talker.heardAt, 5.0)


def mute(world: World) -> Callable[[], object]:
    """
    Instead of the rendezvous something accepts connections and says nothing.

    @return: ends that.
    """
    world.rendezvous.stop()
    world.run(0.001)
    factory: Any = Factory.forProtocol(Protocol)
    factory.noisy = False
    port = world.rendezvous.host.listenTCP(PORT, factory)
    return port.stopListening


def fallSilent(world: World) -> None:
    """
    Nothing reaches the rendezvous, or comes from it, until the listener has noticed.
    """
    world.rendezvous.host.cut()
    world.run(KEEPALIVE + ANSWER_TIMEOUT + 1.0)
    world.rendezvous.host.mend()


def forgetNAT(world: World) -> None:
    """
    The listener's NAT restarts.
    """
    nat = world.nats[world.listener.host]
    assert nat is not None
    nat.reset()


def muteForLong(world: World) -> None:
    """
    Something that says nothing stands in for the rendezvous for a minute.
    """
    unmute = mute(world)
    world.run(60.0)
    unmute()
    world.rendezvous.host.reset()
    world.run(0.001)
    world.rendezvous.start()


@pytest.mark.parametrize(
    ("outage", "limit", "keepsPort"),
    [
        (partial(restart, pause=0.0), LONGEST_PAUSE, True),
        (partial(restart, pause=0.3), LONGEST_PAUSE, True),
        (partial(restart, pause=5.0), LONGEST_PAUSE, True),
        (partial(restart, pause=200.0), LONGEST_PAUSE, True),
        (fallSilent, LONGEST_PAUSE + ANSWER_TIMEOUT, True),
        (forgetNAT, KEEPALIVE + ANSWER_TIMEOUT + LONGEST_PAUSE, True),
        (muteForLong, LONGEST_PAUSE, False),
    ],
    ids=["restarted", "soon", "later", "much later", "silent", "NAT forgets", "mute"],
)
def test_comesBack(
    outage: Callable[[World], None], limit: float, keepsPort: bool
) -> None:
    """
    However the rendezvous is lost, the listener comes back under the same code, and
    says when it waits again.  It keeps its port, unless connections from that were
    accepted and led to nothing.
    """
    world = pair()
    listening(world.listener)
    code = world.listener.code
    world.run(5.0)
    outage(world)
    checkBack(world, limit)
    assert (len(world.listener.told(Listening)) == 1) is keepsPort
    assert len(world.listener.told(CodeAllotted)) == 1
    checkMeeting(world, code)
    world.end()


def test_restartedOnce() -> None:
    """
    A listener that waits for one link comes back, too.
    """
    world = pair()
    code = world.waits(0.0)
    restart(world, 3.0)
    world.run(10.0)
    checkMeeting(world, code)
    world.end()


def test_restartedStanding() -> None:
    """
    So does a listener under a standing name.
    """
    world = pair()
    standing(world.listener)
    world.run(1.0)
    restart(world, 3.0)
    world.run(10.0)
    dialer = dialName(world.dialer)
    assert world.until(lambda: dialer.ended)
    assert dialer.links
    world.end()


def hold(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The system keeps the listener's four-tuple: as if in TIME-WAIT, without
    timestamps.
    """
    host = world.listener.host
    port = world.listener.told(Listening)[-1].port
    local = (host.addresses[0], port)
    remote = (world.rendezvous.host.addresses[0], PORT)
    stack = host.stack
    isTaken = stack.isTaken

    def isHeld(one: tuple[str, int], other: tuple[str, int]) -> bool:
        return (one, other) == (local, remote) or isTaken(one, other)

    monkeypatch.setattr(stack, "isTaken", isHeld)


def test_portHeld(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    If the system does not allow the listener to connect from its port again, it takes
    another port and says so, and a dialer connects.
    """
    world = pair()
    listening(world.listener)
    code = world.listener.code
    hold(world, monkeypatch)
    restart(world, 1.0)
    checkBack(world, 10.0)
    first, second = world.listener.told(Listening)
    assert first != second
    checkMeeting(world, code)
    world.end()


def test_chosenPortHeld(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    If the user chose the port, the listener keeps it, and tries until the system
    allows it.
    """
    world = pair()
    listening(world.listener, port=4000)
    code = world.listener.code
    hold(world, monkeypatch)
    restart(world, 1.0)
    world.run(60.0)
    assert len(world.listener.told(Waiting)) == 1
    monkeypatch.undo()
    checkBack(world)
    assert {each.port for each in world.listener.told(Listening)} == {4000}
    checkMeeting(world, code)
    world.end()


def test_numberTaken() -> None:
    """
    If somebody else was given the number meanwhile, the listener is given another,
    with other words, and says so.
    """
    world = pair()
    listening(world.listener)
    code = world.listener.code
    restart(world, 0.0)
    directory = world.rendezvous.factory.state.directory
    number = code.partition("-")[0]
    world.spin(directory.claim(number, b"somebody else...", object()))
    checkBack(world, 10.0)
    second = world.listener.told(CodeAllotted)[-1].code
    assert not set(second.split("-")) & set(code.split("-"))
    checkMeeting(world, second)
    world.end()


def proven() -> World:
    """
    Two whose details have just been exchanged: farther from each other than from
    the rendezvous, so that much is still to be done.
    """
    world = World(leg=0.001)
    world.cast(world.host("drop", 0.1), world.host("drop", 0.1))
    world.waits(0.0)
    world.dial()
    assert world.until(lambda: isProven(world), 5.0)
    return world


@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_goneAfterDetails(how: str) -> None:
    """
    Once the details are exchanged the two peers need no rendezvous.
    """
    world = proven()
    if how == "stopped":
        world.rendezvous.stop()
    else:
        world.rendezvous.host.cut()
    assert bothLinked(world.settle())
    world.end()


@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_goneForOne(side: str) -> None:
    """
    Once the details are exchanged, it does not matter either that one peer loses its
    connection to the rendezvous, and that the other is told so.
    """
    world = proven()
    who, _ = world.sides(side)
    for connection in who.host.stack.connections():
        if connection.addresses[1] == (RENDEZVOUS, PORT):
            connection.reset()
            connection.fail(ECONNRESET)
    assert bothLinked(world.settle())
    world.end()


def isProven(world: World) -> bool:
    """
    Whether both know each other's candidates.
    """
    return all(
        any(getattr(event, "kind", "") == "host" for _, event in program.events)
        for program in world.programs
    )


def test_goneBeforeDetails() -> None:
    """
    Without the details there is no link, and the dialer hears so soon.
    """
    world = pair()
    world.waits(0.0)
    world.dial()
    world.run(0.161)
    world.rendezvous.stop()
    assert world.until(lambda: world.dialer.ended, 2.0)
    assert world.dialer.reason == "rendezvous-lost"
    world.end()


def test_linksLiveOn() -> None:
    """
    Links don't mind that the rendezvous is gone.
    """
    world = pair().meet()
    world.rendezvous.stop()
    world.run(200.0)
    world.dialer.link.write(b" Still there?")
    world.run(1.0)
    assert world.listener.talker.received == b"I dial. Still there?"
    world.end()


@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_muteAtFirst(side: str) -> None:
    """
    A rendezvous that accepts connections and says nothing is an error that has a
    reason.
    """
    world = pair()
    unmute = mute(world)
    who = world.listen() if side == "listener" else world.dial("7-zebra-zoo")
    assert world.until(lambda: who.ended, 2 * ANSWER_TIMEOUT)
    assert who.reason == "rendezvous-timed-out"
    unmute()
    world.end()


@pytest.mark.parametrize("offset", range(20))
def test_lostDetails(offset: int) -> None:
    """
    If the way to the rendezvous loses the dialer's details at first, they come later,
    although the dialer has its link by then and has left the rendezvous.
    """
    world = pair()
    world.waits(offset * 0.05)
    world.dial()
    world.run(3.4 * T)
    world.rendezvous.host.cut()
    world.run(0.2 * T)
    assert not world.dialer.ended
    world.rendezvous.host.mend()
    assert bothLinked(world.settle())
    world.end()

"""
With TLS to the rendezvous.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from punch.peer.dialer import Dialer
from punch.peer.listener import listenOnce
from punch.peer.peer import Peer
from punch.rendezvous.client import CLOSE_TIMEOUT
from punch.signaling.code import parseCode
from tests.support.whole.meetings import elapsed
from tests.support.whole.program import Program
from tests.support.whole.tls import NAME, endpointOf, secure
from tests.support.whole.world import T, World, pair


def listen(world: World) -> Program:
    """
    Have the listener wait.
    """
    program = world.listener
    peer, endpoint = Peer(program.host, program.settings()), endpointOf(program.host)
    return program.wants(
        lambda: Deferred.fromCoroutine(listenOnce(peer, endpoint, None))
    )


def dial(world: World, name: str = NAME) -> Program:
    """
    Have the dialer dial.
    """
    program, code = world.dialer, parseCode(world.listener.code)
    peer = Peer(program.host, program.settings())
    dialer = Dialer(peer, endpointOf(program.host, name), code.name, code.secret)
    return program.wants(lambda: Deferred.fromCoroutine(dialer.run()))


def meeting() -> World:
    """
    A listener waits at a secured rendezvous.
    """
    world = pair()
    secure(world)
    listen(world)
    assert world.listener.code
    world.run(2.0)
    return world


def test_yardstick() -> None:
    """
    TLS to the rendezvous adds one round trip.
    """
    world = meeting()
    dial(world)
    assert elapsed(world) == pytest.approx(5 * T, abs=0.001)
    world.end()


def test_wrongHost() -> None:
    """
    If the certificate is not for that name, nothing is sent.
    """
    world = meeting()
    dial(world, "elsewhere.example")
    assert world.until(lambda: world.dialer.ended)
    assert world.dialer.reason == "rendezvous-certificate"
    world.run(1.0)
    assert not world.listener.ended
    world.end()


@pytest.mark.parametrize("side", ["listener", "dialer"])
@pytest.mark.parametrize("instant", [0.05, 0.1, 0.17, 0.25, 0.35, 0.41])
def test_silent(side: str, instant: float) -> None:
    """
    If the rendezvous falls silent and then one side gives up, nothing of it is left
    a little later.
    """
    world = meeting()
    dial(world)
    world.run(instant)
    world.rendezvous.host.cut()
    who, _ = world.sides(side)
    who.end()
    world.run(CLOSE_TIMEOUT + 0.001)
    assert who.ended
    for link in who.links:
        link.abortConnection()
    assert who.host.sockets() == []
    world.end()

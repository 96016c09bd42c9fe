"""
Endpoints that stop, are cancelled, or lose their link.
"""

from __future__ import annotations

import pytest
from twisted.application.internet import ClientService
from twisted.internet.defer import CancelledError
from twisted.internet.error import CannotListenError, ConnectionLost

from punch.errors import NoSuchName, PathLost
from punch.events import Failed
from tests.support.whole.endpoints import (
    Connecting,
    Serving,
    connected,
    connecting,
    endpointOf,
    failure,
    finish,
    links,
    serving,
)
from tests.support.whole.meetings import isDown
from tests.support.whole.program import Program
from tests.support.whole.services import Talkers
from tests.support.whole.world import World, pair

CHUNKS = 4


def begin() -> tuple[World, list[Serving]]:
    """
    A server waits.
    """
    return serving(seed=3)


def stepsToConnect() -> int:
    """
    How many things happen until a client is connected.
    """
    world, [server] = begin()
    client = connecting(world.dialer)
    steps = 0
    while not client.over:
        world.step()
        steps += 1
    client.lose()
    finish(world, server)
    return steps


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_cancel(chunk: int) -> None:
    """
    Whenever a client gives up, C{connect} fails when nothing is left of it.
    """
    for steps in range(chunk, stepsToConnect(), CHUNKS):
        world, [server] = begin()
        client = connecting(world.dialer)
        for _ in range(steps):
            world.step()
        assert not client.over
        client.connecting.cancel()
        assert world.until(lambda: client.over, 0.001)  # noqa: B023
        assert isinstance(client.error, CancelledError)
        assert client.factory.starts == 0
        # If there was a link already, it ends in its own time.
        world.run(0.5)
        assert isDown(world, world.dialer)
        finish(world, server)


@pytest.mark.parametrize("steps", range(0, 60, 6))
def test_cancelOne(steps: int) -> None:
    """
    A dial goes on for the others, and is given up with the last.
    """
    world, [server] = begin()
    first, second, third = (connecting(world.dialer) for _ in range(3))
    for _ in range(steps):
        world.step()
    first.lose()
    third.lose()
    assert first.over
    assert world.until(lambda: second.isConnected), second.error
    assert links(world.dialer) == 1
    second.lose()
    finish(world, server)


@pytest.mark.parametrize(("dialer", "port"), [("drop", 0), ("none", 4000)])
@pytest.mark.parametrize("steps", range(0, 60, 6))
def test_cancelAndConnect(steps: int, dialer: str, port: int) -> None:
    """
    A program that connects just after the last one gave up gets a link; without a NAT,
    on the same port.
    """
    world, [server] = serving(seed=3, dialer=dialer)
    first = connecting(world.dialer, port=port)
    for _ in range(steps):
        world.step()
    first.lose()
    second = connecting(world.dialer, port=port)
    assert world.until(lambda: second.isConnected), second.error
    assert first.over
    second.lose()
    finish(world, server)


def test_cancelOnLink() -> None:
    """
    To give up a connection leaves the others on the link alone.
    """
    world, [server] = begin()
    [first] = connected(world)
    for steps in range(8):
        client = connecting(world.dialer)
        for _ in range(steps):
            world.step()
        client.connecting.cancel()
        world.run(1.0)
        if client.isConnected:
            client.lose()
    assert first.talker.isOpen
    assert links(world.dialer) == 1
    first.lose()
    finish(world, server)


@pytest.mark.parametrize("steps", range(12))
def test_cancelListening(steps: int) -> None:
    """
    Whenever a server gives up, or stops, nothing is left when it says so.
    """
    world = pair()
    server = Serving(world.listener)
    for _ in range(steps):
        world.step()
    if server.port is None:
        server.listening.cancel()
        assert world.until(lambda: server.error, 0.001)
        assert isinstance(server.error, CancelledError)
    else:
        stopped = server.stop()
        assert world.until(lambda: stopped.called, 0.001)
    assert isDown(world, world.listener)
    assert server.factory.starts == 0
    assert world.listener.told(Failed) == []
    world.end()


@pytest.mark.parametrize("steps", range(0, 12, 2))
def test_cancelAndListen(steps: int) -> None:
    """
    A program that listens again just after that does so on the same port and under the
    same name.
    """
    world = pair()
    first = Serving(world.listener, port=4000)
    for _ in range(steps):
        world.step()
    first.listening.cancel() if first.port is None else first.stop()
    second = Serving(world.listener, port=4000)
    third = Serving(world.listener, port=4000)
    third.listening.cancel()
    assert world.until(lambda: second.port), second.error
    assert isinstance(third.error, CannotListenError)
    [client] = connected(world)
    client.lose()
    finish(world, second)


def test_cancelWhileClosing() -> None:
    """
    A program that listens again and gives that up, too, leaves nothing.
    """
    world, [first] = begin()
    stopped = first.stop()
    second = Serving(world.listener)
    second.listening.cancel()
    world.run(0.001)
    assert stopped.called
    assert isinstance(second.error, CancelledError)
    finish(world)


def test_stop() -> None:
    """
    A server that stops leaves alone what is connected, lets in nobody, and its link
    ends with the last connection.
    """
    world, [server] = begin()
    clients = connected(world, "default", "default")
    world.spin(server.stop())
    late = connecting(world.dialer)
    assert isinstance(failure(world, late), NoSuchName)
    for each in clients:
        each.talker.transport.write(b" Still there?")
    world.run(1.0)
    assert [each.received for each in server.factory.made] == [
        b"Asked. Still there?"
    ] * 2
    clients[0].lose()
    world.run(1.0)
    assert not isDown(world, world.listener)
    server.factory.made[1].transport.loseConnection()
    world.run(1.0)
    assert clients[1].talker.isClean
    finish(world)


def test_stopIdle() -> None:
    """
    A link that carries nothing is gone when a server says that it has stopped.
    """
    world, [server] = begin()
    [client] = connected(world)
    client.lose()
    world.run(0.1)
    stopped = server.stop()
    assert not stopped.called
    world.spin(stopped)
    assert isDown(world, world.listener)
    finish(world)


def test_stopOne() -> None:
    """
    A server that stops one service goes on with the others, over the same link.
    """
    world, [web, ssh] = serving("web", "ssh")
    [client] = connected(world, "web")
    world.spin(web.stop())
    assert web.factory.starts == 0
    connected(world, "ssh")[0].lose()
    refused = connecting(world.dialer, "web")
    assert failure(world, refused)
    assert client.talker.isOpen
    assert links(world.dialer) == 1
    client.lose()
    finish(world, ssh)


def test_stopTwice() -> None:
    """
    A server may be stopped twice; one that was stopped does not start again.
    """
    world, [server] = begin()
    assert server.port is not None
    server.port.startListening()
    stopped = [server.stop(), server.stop()]
    stopped[0].cancel()
    stopped[0].addErrback(lambda failure: failure.trap(CancelledError))
    world.spin(stopped[1])
    world.spin(server.stop())
    with pytest.raises(CannotListenError, match="stopped"):
        server.port.startListening()
    finish(world)


def test_listenAgain() -> None:
    """
    A server that stopped and listens again has new connections on a new link, and the
    old one still.
    """
    world, [first] = begin()
    [old] = connected(world)
    world.spin(first.stop())
    second = Serving(world.listener)
    assert world.until(lambda: second.port)
    [new] = connected(world)
    assert links(world.dialer) == 2
    assert old.talker.isOpen
    old.lose()
    new.lose()
    finish(world, second)


def test_lost() -> None:
    """
    When the link is lost all its protocols hear so, and why.
    """
    world, [server] = begin()
    clients = connected(world, "default", "default")
    world.dialer.host.reset()
    world.run(1.0)
    talkers = [each.talker for each in clients] + server.factory.made
    for talker in talkers:
        assert talker.reason is not None
        assert talker.reason.check(ConnectionLost)
        assert isinstance(getattr(talker.reason.value, "__cause__", None), PathLost)
    assert isDown(world, world.dialer)
    finish(world, server)


def test_lostUnheard() -> None:
    """
    A client that connects over a link which has ended unnoticed gets a new link when
    that turns out.
    """
    world, [server] = begin()
    [first] = connected(world)
    world.listener.host.cut()
    world.run(0.1)
    world.listener.host.mend()
    for each in server.factory.made:
        each.transport.abortConnection()
    world.listener.host.cut()
    second = connecting(world.dialer, timeout=100.0)
    world.run(1.0)
    assert not second.over
    world.dialer.host.reset()
    world.listener.host.mend()
    assert world.until(lambda: second.isConnected, 100.0), second.error
    assert links(world.dialer) == 2
    assert not first.talker.isOpen
    second.lose()
    world.run(90.0)
    finish(world, server)


def test_clientService() -> None:
    """
    A client service is connected again when the link was lost, and when the server was
    away.
    """
    world, [server] = begin()
    factory = Talkers(world.network, b"")
    service = ClientService(
        endpointOf(world.dialer), factory, lambda failures: 1.0, world.dialer.host
    )
    service.startService()
    assert world.until(lambda: len(factory.made) == 1)
    world.dialer.host.reset()
    assert world.until(lambda: len(factory.made) == 2)
    world.spin(server.stop())
    world.listener.host.reset()
    world.run(30.0)
    assert len(factory.made) == 2
    again = Serving(world.listener)
    assert world.until(lambda: len(factory.made) == 3)
    world.spin(service.stopService())
    assert factory.starts == 0
    finish(world, again)


def mischief(world: World, programs: list[Program], made: list[Connecting]) -> None:
    """
    Something happens, and a moment passes.
    """
    random = world.network.random
    action = random.choice("cccclllr")
    if action == "c":
        service = random.choice(["web", "ssh", "none"])
        made.append(connecting(random.choice(programs), service))
    elif action == "l" and made:
        random.choice(made).lose()
    elif action == "r" and random.random() < 0.3:
        random.choice(programs).host.reset()
    world.run(random.choice([0.0, 0.001, 0.05, 0.3]))


@pytest.mark.parametrize("seed", range(6))
def test_storm(seed: int) -> None:
    """
    Many that come, go, give up and lose their link at any instants leave nothing.
    """
    world, servers = serving("web", "ssh", seed=seed)
    programs = [world.program(world.host(kind)) for kind in ("drop", "reset")]
    made: list[Connecting] = []
    for _ in range(80):
        mischief(world, programs, made)
    for each in made:
        each.lose()
    world.run(100.0)
    assert all(each.over for each in made)
    assert all(each.factory.starts == 0 for each in made)
    finish(world, *servers)

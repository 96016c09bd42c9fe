"""
Endpoints of whole peers: services, and one link for all.
"""

from __future__ import annotations

import pytest
from twisted.internet.error import CannotListenError, NoProtocol
from twisted.internet.protocol import Factory
from twisted.protocols.amp import AMP
from twisted.spread import pb

from punch.endpoints.endpoints import PunchClientEndpoint
from punch.endpoints.server import ServiceAddress
from punch.errors import NoSuchName, RendezvousRefused, WrongCode
from punch.events import CodeAllotted, Failed
from punch.net.address import PunchAddress
from punch.streams.errors import NoSuchService, ServiceSilent, StreamRefused
from tests.support.endpointprograms import Calculator, Root, Sum
from tests.support.programs import Recorder
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
from tests.support.whole.program import Talker
from tests.support.whole.services import NAME
from tests.support.whole.world import WHERE, pair


@pytest.mark.parametrize("dialer", ["none", "drop", "reset", "full-cone"])
def test_together(dialer: str) -> None:
    """
    A client and a server talk; when the client leaves, its link ends, and the server
    waits on.
    """
    world, [server] = serving(dialer=dialer)
    [client] = connected(world)
    talker = client.talker
    assert world.until(lambda: talker.received and server.factory.made)
    assert talker.received == b"Served."
    world.run(1.0)
    assert server.factory.made[0].received == b"Asked."
    assert isinstance(talker.transport.getPeer(), PunchAddress)
    client.lose()
    world.run(1.0)
    for talker in (client.talker, *server.factory.made):
        assert talker.isClean
    assert client.factory.starts == 0
    assert isDown(world, world.dialer)
    assert not isDown(world, world.listener)
    finish(world, server)


def test_share() -> None:
    """
    All that one process connects to one peer goes over one link, which is dialed once;
    it ends with the last.
    """
    world, servers = serving("web", "ssh")
    dialers = [world.program(world.host(kind)) for kind in ("drop", "reset", "none")]
    clients = [
        [connecting(each, service) for service in ("web", "ssh", "web", "ssh")]
        for each in dialers
    ]
    assert world.until(lambda: all(one.isConnected for each in clients for one in each))
    world.run(1.0)
    assert [links(each) for each in dialers] == [1, 1, 1]
    assert links(world.listener) == 3
    assert [len(each.factory.made) for each in servers] == [6, 6]
    for each in clients:
        for one in each[1:]:
            one.lose()
    world.run(1.0)
    late = connecting(dialers[0], "ssh")
    world.run(1.0)
    assert [links(each) for each in dialers] == [1, 1, 1]
    late.lose()
    for each in clients:
        each[0].lose()
    finish(world, *servers)


def test_otherSettings() -> None:
    """
    Connections from another port have another link.
    """
    world, [server] = serving()
    clients = [connecting(world.dialer, port=port) for port in (4000, 4001, 4001)]
    assert world.until(lambda: all(each.over for each in clients))
    assert links(world.dialer) == 2
    for each in clients:
        each.lose()
    finish(world, server)


def test_again() -> None:
    """
    A program that connects again as soon as it hears that its connection is lost gets
    the same link, even if it was the last on it.
    """
    world, [server] = serving()
    endpoint = endpointOf(world.dialer)
    again: list[Connecting] = []

    class Insistent(Talker):
        def connectionLost(self, reason: object = None) -> None:
            again.append(Connecting(endpoint, world.dialer))

    first = Connecting(endpoint, world.dialer)
    first.factory.buildProtocol = lambda addr: Insistent(world.network)  # type: ignore[method-assign]
    assert world.until(lambda: first.isConnected)
    first.lose()
    assert world.until(lambda: again and again[0].isConnected)
    assert links(world.dialer) == 1
    again[0].lose()
    finish(world, server)


def test_oneAfterTheOther() -> None:
    """
    A program that connects when the link is about to end gets the next one, even on
    the same port.
    """
    world, [server] = serving()
    for count in range(1, 4):
        client = connecting(world.dialer, port=4000)
        assert world.until(lambda: client.isConnected, 5.0)  # noqa: B023
        assert links(world.dialer) == count
        client.lose()
        assert world.until(lambda: client.talker.reason)  # noqa: B023
    finish(world, server)


def test_release() -> None:
    """
    An endpoint tells when nothing is left of its link.
    """
    world, [server] = serving()
    endpoint = endpointOf(world.dialer)
    assert endpoint.whenReleased().called
    client = Connecting(endpoint, world.dialer)
    released = endpoint.whenReleased()
    assert world.until(lambda: client.isConnected)
    client.lose()
    assert not released.called
    world.spin(released)
    assert isDown(world, world.dialer)
    finish(world, server)


def test_code() -> None:
    """
    Without a name a code is made, one for all services; the port has the code's
    number and nothing of its words.
    """
    world = pair()
    servers = [Serving(world.listener, each, coded=True) for each in ("web", "ssh")]
    assert world.until(lambda: all(each.port for each in servers))
    [allotted] = world.listener.told(CodeAllotted)
    number, *words = allotted.code.split("-")
    port = servers[0].port
    assert port is not None
    assert port.getHost() == ServiceAddress(number, "web")
    assert not [each for each in words if each in f"{port!r} {port.getHost()}"]
    endpoint = PunchClientEndpoint(
        world.dialer.host,
        WHERE,
        code=allotted.code,
        service="ssh",
        settings=world.dialer.settings(),
    )
    client = Connecting(endpoint, world.dialer)
    assert world.until(lambda: client.isConnected)
    client.lose()
    finish(world, *servers)


def test_wrongSecret() -> None:
    """
    A client with a wrong secret hears so.
    """
    world, [server] = serving()
    settings = world.dialer.settings()
    wrong = PunchClientEndpoint(
        world.dialer.host, WHERE, name=NAME, secret=b"x" * 20, settings=settings
    )
    client = Connecting(wrong, world.dialer)
    assert isinstance(failure(world, client), WrongCode)
    finish(world, server)


def test_nobody() -> None:
    """
    If nobody waits under the name, all that wanted to connect hear so.
    """
    world = pair()
    clients = [connecting(world.dialer) for _ in range(3)]
    assert world.until(lambda: all(each.over for each in clients))
    assert all(isinstance(each.error, NoSuchName) for each in clients)
    finish(world)


def test_noSuchService() -> None:
    """
    A service that is not offered is an error of that connection alone.
    """
    world, [server] = serving("web")
    [good] = connected(world, "web")
    bad = connecting(world.dialer, "ssh")
    assert isinstance(failure(world, bad), NoSuchService)
    good.lose()
    world.run(1.0)
    alone = connecting(world.dialer, "ssh")
    assert isinstance(failure(world, alone), NoSuchService)
    assert links(world.dialer) == 2
    finish(world, server)


def test_sameServiceTwice() -> None:
    """
    The same service is not offered twice; the first goes on, and may be followed.
    """
    world, [server] = serving("web")
    second = Serving(world.listener, "web")
    assert isinstance(second.error, CannotListenError)
    assert str(second.error) == (
        "Couldn't listen on box:web: it is offered by this process already; name"
        " another service."
    )
    [client] = connected(world, "web")
    client.lose()
    world.run(1.0)
    world.spin(server.stop())
    third = Serving(world.listener, "web")
    assert world.until(lambda: third.port)
    finish(world, third)


def test_refused() -> None:
    """
    A server's factory that makes no protocol refuses.
    """
    world, [server] = serving()
    server.factory.isWilling = False
    client = connecting(world.dialer)
    assert isinstance(failure(world, client), StreamRefused)
    finish(world, server)


def test_noProtocol() -> None:
    """
    A client's factory that makes no protocol ends the connection, abruptly.
    """
    world, [server] = serving()
    client = connecting(world.dialer)
    client.factory.isWilling = False
    assert isinstance(failure(world, client), NoProtocol)
    assert client.factory.starts == 0
    world.run(1.0)
    [talker] = server.factory.made
    assert talker.isBroken
    finish(world, server)


class _Failing(Recorder):
    def connectionMade(self) -> None:
        raise ArithmeticError()


@pytest.mark.parametrize("where", ["building", "starting"])
def test_badProtocol(where: str) -> None:
    """
    A client's protocol that fails at once fails the connection, and leaves nothing.
    """
    world, [server] = serving()
    client = connecting(world.dialer)

    def build(addr: object) -> Talker:
        if where == "building":
            raise ArithmeticError()
        return _Failing()  # type: ignore[return-value]

    client.factory.buildProtocol = build  # type: ignore[method-assign]
    assert isinstance(failure(world, client), ArithmeticError)
    assert client.factory.starts == 0
    finish(world, server)


def test_silent() -> None:
    """
    A peer that falls silent is not waited for longer than the time that was set.
    """
    world, [server] = serving()
    connected(world)
    world.listener.host.cut()
    client = connecting(world.dialer, timeout=5.0)
    world.run(4.9)
    assert not client.over
    world.run(0.2)
    assert isinstance(client.error, ServiceSilent)
    world.dialer.host.reset()
    world.listener.host.mend()
    world.run(90.0)
    finish(world, server)


def test_cannotListen() -> None:
    """
    Without a rendezvous it cannot listen; later it can.
    """
    world = pair()
    world.rendezvous.stop()
    servers = [Serving(world.listener, each) for each in ("web", "ssh")]
    assert world.until(lambda: all(each.error for each in servers))
    assert all(isinstance(each.error, RendezvousRefused) for each in servers)
    assert isDown(world, world.listener)
    world.rendezvous.start()
    again = Serving(world.listener, "web")
    assert world.until(lambda: again.port)
    finish(world, again)


@pytest.mark.parametrize("pause", [0.0, 5.0])
def test_rendezvousRestarts(pause: float) -> None:
    """
    When the rendezvous is back the server is too, and what was connected never noticed.
    """
    world, [server] = serving()
    [first] = connected(world)
    world.rendezvous.stop()
    world.run(pause)
    world.rendezvous.start()
    world.run(20.0)
    late = world.program(world.host("drop"))
    client = connecting(late)
    assert world.until(lambda: client.isConnected)
    assert first.talker.isOpen
    first.lose()
    client.lose()
    finish(world, server)


def test_nameLost() -> None:
    """
    A server that finds its name taken when it comes back says so, and has it again when
    it is free.
    """
    world, [server] = serving()
    rival = world.program(world.host("none"))
    world.rendezvous.stop()
    world.run(0.0)
    world.rendezvous.start()
    second = Serving(rival)
    assert world.until(lambda: second.port, 5.0)
    assert world.until(lambda: world.listener.told(Failed), 60.0)
    [failed] = world.listener.told(Failed)
    assert failed.reason == "name-taken"
    world.spin(second.stop())
    world.run(61.0)
    [client] = connected(world)
    client.lose()
    finish(world, server)


def test_AMP() -> None:
    """
    AMP works across it.
    """
    world, [server] = serving()
    server.factory.buildProtocol = lambda addr: Calculator()  # type: ignore
    factory = Factory.forProtocol(AMP)
    caller = world.spin(endpointOf(world.dialer).connect(factory))
    assert world.spin(caller.callRemote(Sum, a=1, b=2)) == {"total": 3}
    caller.transport.loseConnection()
    finish(world, server)


def test_PB() -> None:
    """
    Perspective Broker works across it.
    """
    world, [server] = serving()
    brokers = pb.PBServerFactory(Root())
    server.factory.buildProtocol = brokers.buildProtocol  # type: ignore
    factory = pb.PBClientFactory()
    world.spin(endpointOf(world.dialer).connect(factory))
    root = world.spin(factory.getRootObject())
    assert world.spin(root.callRemote("echo", "Hello.")) == "Hello."
    factory.disconnect()
    finish(world, server)

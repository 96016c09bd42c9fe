"""
Whole peers that forward and expose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from punch.events import Failed, Forwarding
from punch.forwarding.errors import CannotListen
from punch.forwarding.service import ForwardingService, LocalSide
from punch.peer.description import rendezvousEndpoint
from punch.peer.dialer import Dialer
from punch.peer.peer import Peer
from punch.service import DialingService, ListeningService, PunchService
from punch.signaling.meetingpoint import MeetingPoint
from punch.testing import MemoryHost
from tests.support.programs import HalfCloser, Recorder, Service, connect
from tests.support.whole.meetings import isDown
from tests.support.whole.program import Program
from tests.support.whole.services import NAME, SECRET, Running
from tests.support.whole.world import WHERE, World, pair

LOCAL = "tcp:2222:interface=127.0.0.1"
TARGET = "tcp:127.0.0.1:22"

Make = Callable[[Peer, LocalSide], PunchService]


class Forwarder(Running):
    """
    A program that forwards or exposes.

    @ivar ends: its local side.
    """

    def __init__(
        self,
        program: Program,
        make: Make,
        expose: Sequence[str] = (),
        forward: Sequence[str] = (),
    ) -> None:
        peer = Peer(program.host, program.settings())
        self.ends = LocalSide(program.host, expose, forward)
        inner = make(peer, self.ends)
        clock = program.network.clock
        service = ForwardingService(clock, inner, self.ends, peer.tell)
        Running.__init__(self, program, service)


def standing(program: Program, **options: Any) -> Forwarder:
    """
    Listen under the standing name.
    """

    def make(peer: Peer, ends: LocalSide) -> PunchService:
        point = MeetingPoint.standing(NAME, SECRET)
        where = rendezvousEndpoint(program.host, WHERE)
        return ListeningService(peer, where, point, ends.pool)

    return Forwarder(program, make, **options)


def dialing(program: Program, once: bool = False, **options: Any) -> Forwarder:
    """
    Dial the standing name.
    """

    def make(peer: Peer, ends: LocalSide) -> PunchService:
        where = rendezvousEndpoint(program.host, WHERE)
        dial = lambda: Dialer(peer, where, NAME, SECRET).run()  # noqa: E731
        return DialingService(peer, dial, ends.pool, once, lasting=not once)

    return Forwarder(program, make, **options)


def client(world: World, host: MemoryHost, port: int = 2222) -> Any:
    """
    A program on C{host} connects to a forward there.
    """
    return world.spin(connect(host, "127.0.0.1", port, kind=HalfCloser))


def answered(world: World, here: Recorder, there: Service) -> bool:
    """
    Does a connection go through, both ways, within a moment?
    """
    before = len(there.accepted)
    here.transport.write(b"ping")
    if not world.until(lambda: len(there.accepted) > before, 5.0):
        return False
    server = there.accepted[-1]
    world.run(1.0)
    server.transport.write(b"pong")
    world.run(1.0)
    return (server.received, here.received) == (b"ping", b"pong")


def stop(world: World, programs: list[Forwarder], targets: list[Service]) -> None:
    """
    Stop all, and see that nothing is left.
    """
    stopped = [each.stop() for each in programs]
    for each in targets:
        each.listening.stopListening()
    world.run(10.0)
    assert all(each.called for each in stopped)
    world.end()


class Site:
    """
    Two whole peers behind NATs: the dialer forwards to the listener's C{target}.
    """

    def __init__(self) -> None:
        self.world = pair()
        self.target = Service(self.world.listener.host, 22, kind=HalfCloser)
        self.listener = standing(self.world.listener, expose=[TARGET])
        self.dialer = dialing(self.world.dialer, forward=[LOCAL])

    def client(self) -> Any:
        """
        One that is served.
        """
        made = client(self.world, self.world.dialer.host)
        assert answered(self.world, made, self.target)
        return made

    def end(self) -> None:
        """
        Stop both, and see that nothing is left.
        """
        stop(self.world, [self.dialer, self.listener], [self.target])


def test_throughNATs() -> None:
    """
    A connection made before there is a link is served, and so are later ones.
    """
    site = Site()
    first = client(site.world, site.world.dialer.host)
    assert answered(site.world, first, site.target)
    site.client()
    assert site.world.dialer.told(Forwarding) == [
        Forwarding("default", "127.0.0.1:2222")
    ]
    site.end()
    assert first.isBroken


def test_pathDies() -> None:
    """
    When the path dies silently its connections break; new ones wait for the next
    link, which comes by itself.
    """
    site = Site()
    before = site.client()
    site.world.dialer.host.cut()
    assert site.world.until(lambda: not before.isOpen, 100.0)
    assert before.isBroken
    after = client(site.world, site.world.dialer.host)
    site.world.run(10.0)
    site.world.dialer.host.mend()
    assert after.isOpen
    after.transport.write(b"ping")
    accepted = site.target.accepted
    assert site.world.until(lambda: len(accepted) == 2 and accepted[1].received, 45.0)
    site.end()


def test_newestLink() -> None:
    """
    A listener's own forwards use the newest link; when that ends, the one before.
    """
    world = pair()
    listener = standing(world.listener, forward=[LOCAL])
    dialers, targets = [], []
    for _ in range(2):
        program = world.program(world.host())
        targets.append(Service(program.host, 22, kind=HalfCloser))
        world.run(1.0)
        dialers.append(dialing(program, expose=[TARGET]))
        world.run(5.0)
        assert answered(world, client(world, world.listener.host), targets[-1])
    world.spin(dialers[1].stop())
    world.run(1.0)
    assert answered(world, client(world, world.listener.host), targets[0])
    stop(world, [dialers[0], listener], targets)


@pytest.mark.parametrize("isListener", [True, False])
def test_stopSoon(isListener: bool) -> None:
    """
    A connection that ends soon may do so while the program stops; the port is closed.
    """
    site = Site()
    here = site.client()
    running = site.listener if isListener else site.dialer
    stopped = running.stop()
    site.world.run(1.0)
    assert not stopped.called
    server: Any = site.target.accepted[-1]
    for each in (here, server):
        each.transport.write(b" and goodbye")
        each.transport.loseWriteConnection()
    site.world.run(0.5)
    assert here.received == b"pong and goodbye"
    assert server.received == b"ping and goodbye"
    for each in (here, server):
        assert sorted(each.ended) == ["read", "write"]
        each.transport.loseConnection()
    site.world.run(1.0)
    assert stopped.called
    assert site.world.listener.told(Failed) == []
    site.end()


@pytest.mark.parametrize("step", range(0, 80, 4))
def test_stopAnytime(step: int) -> None:
    """
    Whenever a program is stopped, nothing is left when it says so, and a client that
    waited or was served hears no clean end.
    """
    site = Site()
    connecting = connect(site.world.dialer.host, "127.0.0.1", 2222, kind=HalfCloser)
    here = site.world.spin(connecting)
    here.transport.write(b"ping")
    for _ in range(step):
        site.world.step()
    stopped = site.dialer.stop()
    site.world.run(5.0)
    assert stopped.called
    assert here.isBroken
    assert site.dialer.done == []
    assert isDown(site.world, site.world.dialer)
    site.end()


def test_cannotListen() -> None:
    """
    If a port can't be opened, the program does not start.
    """
    world = pair()
    other = Service(world.dialer.host, 2222, interface="127.0.0.1")
    running = dialing(world.dialer, forward=["tcp:2223", LOCAL])
    [error] = running.done
    assert isinstance(error, CannotListen)
    assert LOCAL in error.detail
    assert len(world.dialer.events) == 1
    world.spin(running.stop())
    other.listening.stopListening()
    world.run(1.0)
    assert isDown(world, world.dialer)
    world.end()


def test_once() -> None:
    """
    A forwarding service is done when the peer's service is, with the same outcome.
    """
    site = Site()
    program = site.world.program(site.world.host())
    site.client()
    running = dialing(program, once=True, forward=[LOCAL])
    assert site.world.until(lambda: running.ends.pool.newest())
    site.world.run(1.0)
    assert running.done == []
    site.listener.stop()
    site.world.run(5.0)
    assert running.done == [None]
    site.world.spin(running.stop())
    site.end()

"""
The network as a whole: its time, its names, what is left, and that it is the same
each time.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IHostnameResolver,
    IReactorFDSet,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from punch.testing import NAT_KINDS, NeverHappened, spin
from punch.testing.timeline import Timeline, Timer
from tests.support.programs import Service, connect, network, shared


class RunTests(SynchronousTestCase):
    """
    Letting time pass.
    """

    def setUp(self) -> None:
        """
        Make an empty network.
        """
        self.network = network()
        self.clock = self.network.clock

    def test_run(self) -> None:
        """
        Everything in a stretch of time happens, at its instant.
        """
        instants: list[float] = []
        for delay in (3.0, 0.5, 2.0, 2.5):
            self.clock.callLater(delay, lambda: instants.append(self.clock.seconds()))
        self.network.run(2.5)
        assert instants == [0.5, 2.0, 2.5]
        assert self.clock.seconds() == 2.5

    def test_runUntil(self) -> None:
        """
        Time stops when the condition holds.
        """
        happened: list[int] = []
        self.clock.callLater(1, happened.append, 1)
        self.clock.callLater(2, happened.append, 2)
        assert self.network.runUntil(lambda: happened, 10)
        assert (happened, self.clock.seconds()) == ([1], 1)

    def test_runUntilLimit(self) -> None:
        """
        Or at the limit.
        """
        assert not self.network.runUntil(lambda: False, 10)
        assert self.clock.seconds() == 10

    def test_rescheduled(self) -> None:
        """
        Calls that were put off or brought forward come when they are due.
        """
        instants: list[float] = []
        calls = [
            self.clock.callLater(delay, lambda: instants.append(self.clock.seconds()))
            for delay in (1, 5)
        ]
        calls[0].delay(2)
        calls[1].reset(0.5)
        self.network.run(10)
        assert instants == [0.5, 3]

    @given(st.lists(st.floats(1e-9, 1e6), max_size=20))
    def test_ends(self, delays: list[float]) -> None:
        """
        However delays round, running ends and skips nothing.
        """
        made = network()
        happened: list[float] = []
        for delay in delays:
            made.timeline.after(delay, happened.append, delay)
        made.run(2e6)
        assert happened == sorted(delays)


class SpinTests(SynchronousTestCase):
    """
    Waiting for a Deferred.
    """

    def test_result(self) -> None:
        """
        Its result is returned, now or later.
        """
        made = network()
        assert spin(succeed(1), made) == 1
        assert spin(deferLater(made.clock, 5, lambda: 2), made) == 2
        assert made.clock.seconds() == 5

    def test_coroutine(self) -> None:
        """
        So is a coroutine's.
        """
        made = network()

        async def later() -> int:
            await deferLater(made.clock, 5)
            return 3

        assert spin(later(), made) == 3

    def test_failure(self) -> None:
        """
        Its failure is raised.
        """
        failed: Deferred[None] = fail(ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            spin(failed, network())

    def test_limit(self) -> None:
        """
        If there is none in time, what is left open is told.
        """
        made = network()
        Service(made.host("192.0.2.1"))
        never: Deferred[None] = Deferred()
        with pytest.raises(NeverHappened) as caught:
            spin(never, made, 5)
        assert "port 4040, LISTEN" in str(caught.value)
        assert made.clock.seconds() == 5


class HostTests(SynchronousTestCase):
    """
    A host as a reactor.
    """

    def setUp(self) -> None:
        """
        Make two.
        """
        self.network = network()
        self.host = self.network.host("192.0.2.1", "2001:db8::0:1")
        self.other = self.network.host("192.0.2.2")

    def test_interfaces(self) -> None:
        """
        It provides what programs ask of a reactor.
        """
        for interface in (
            IReactorTime,
            IReactorTCP,
            IReactorFDSet,
            IReactorPluggableNameResolver,
        ):
            verifyObject(interface, self.host)
        verifyObject(IHostnameResolver, self.host.nameResolver)

    def test_time(self) -> None:
        """
        All hosts have one time.
        """
        self.host.callLater(1, lambda: None)
        self.network.run(0.5)
        assert (self.host.seconds(), self.other.seconds()) == (0.5, 0.5)
        assert len(self.other.getDelayedCalls()) == 1

    def test_addresses(self) -> None:
        """
        It knows its addresses, in one form.
        """
        assert self.host.addresses == ["192.0.2.1", "2001:db8::1"]

    def test_descriptors(self) -> None:
        """
        It knows who reads and writes, and lets go of them.
        """
        service = Service(self.host)
        assert self.host.getReaders() == [service.listening]
        connecting = connect(self.host, "192.0.2.2")
        connecting.addErrback(lambda failure: None)
        self.network.run(0.01)
        assert len(self.host.getWriters()) == 1
        assert len(self.host.removeAll()) == 2
        assert self.host.getReaders() + self.host.getWriters() == []
        connecting.cancel()

    def test_resolverReplaced(self) -> None:
        """
        Its resolver can be replaced, by another host's for instance.
        """
        before = self.host.nameResolver
        assert self.host.installNameResolver(self.other.nameResolver) is before
        assert self.host.nameResolver is self.other.nameResolver

    def test_openSockets(self) -> None:
        """
        What programs have not closed can be seen.
        """
        Service(self.host, 4040)
        spin(connect(self.other, "192.0.2.1", bindAddress=("", 4000)), self.network)
        self.network.run(1)
        connect(self.other, "192.0.2.9", bindAddress=("", 4001)).addErrback(repr)
        self.network.run(0.1)
        assert [repr(each) for each in self.network.openSockets()] == (
            [
                "<MemorySocket 0.0.0.0 port 4040, LISTEN>",
                "<MemorySocket 192.0.2.1 port 4040, "
                "ESTABLISHED with 192.0.2.2 port 4000>",
                "<MemorySocket 192.0.2.2 port 4000, "
                "ESTABLISHED with 192.0.2.1 port 4040>",
                "<MemorySocket 192.0.2.2 port 4001, SYN-SENT with 192.0.2.9 port 4040>",
            ]
        )


class TraceTests(SynchronousTestCase):
    """
    The record of what passed.
    """

    def story(self, seed: int) -> list[str]:
        """
        What passes when two peers punch over bad links, and talk.
        """
        made = network(seed)
        kind = NAT_KINDS["random"]
        assert kind is not None
        trace = made.trace()
        link = {"loss": 0.2, "jitter": 0.05, "duplicates": 0.5}
        hosts = [
            made.host("10.0.0.2", behind=made.nat(f"192.0.2.{n}", kind), **link)
            for n in (1, 2)
        ]
        server = made.host("192.0.2.3")
        Service(server)
        for n, host in enumerate(hosts):
            peer = f"192.0.2.{2 - n}"
            connect(host, peer, 4000, shared(4000)).addErrback(repr)
            connecting = connect(host, "192.0.2.3", bindAddress=shared(4000))
            connecting.addCallback(lambda made: made.transport.write(bytes(100_000)))
            connecting.addErrback(repr)
        made.run(20)
        return trace

    def test_deterministic(self) -> None:
        """
        One seed is one story, another seed another.
        """
        story = self.story(1)
        assert len(story) > 50
        assert self.story(1) == story
        assert self.story(2) != story

    def test_lines(self) -> None:
        """
        Each segment has its line, and says what it is.
        """
        made = network()
        server = made.host("192.0.2.1")
        client = made.host("192.0.2.2")
        Service(server)
        trace = made.trace()
        protocol = spin(connect(client, "192.0.2.1", bindAddress=("", 4000)), made)
        protocol.transport.write(b"four")
        protocol.transport.loseConnection()
        server.cut()
        made.run(0.05)
        assert trace == (
            [
                "0.000000 sent 192.0.2.2.4000 > 192.0.2.1.4040: S seq 1 ack None",
                "0.040000 received 192.0.2.2.4000 > 192.0.2.1.4040: S seq 1 ack None",
                "0.040000 sent 192.0.2.1.4040 > 192.0.2.2.4000: S. seq 2 ack 1",
                "0.080000 received 192.0.2.1.4040 > 192.0.2.2.4000: S. seq 2 ack 1",
                "0.080000 sent 192.0.2.2.4000 > 192.0.2.1.4040: . seq 1 ack 2",
                "0.080000 sent 192.0.2.2.4000 > 192.0.2.1.4040: P. seq 1 ack 2 "
                "at 0 length 4",
                "0.080000 sent 192.0.2.2.4000 > 192.0.2.1.4040: P.F seq 1 ack 2 "
                "at 4 length 0",
                "0.120000 dropped 192.0.2.2.4000 > 192.0.2.1.4040: . seq 1 ack 2",
                "0.120000 dropped 192.0.2.2.4000 > 192.0.2.1.4040: P. seq 1 ack 2 "
                "at 0 length 4",
                "0.120000 dropped 192.0.2.2.4000 > 192.0.2.1.4040: P.F seq 1 ack 2 "
                "at 4 length 0",
            ]
        )


class TimelineTests(SynchronousTestCase):
    """
    The network's own calls.
    """

    def setUp(self) -> None:
        """
        Make an empty timeline.
        """
        self.clock = Clock()
        self.timeline = Timeline(self.clock)

    def test_oneCall(self) -> None:
        """
        However much is to happen, the clock has one call, at the first instant.
        """
        happened: list[str] = []
        for delay, what in ((3.0, "c"), (1.0, "a"), (2.0, "b")):
            self.timeline.after(delay, happened.append, what)
        [call] = self.clock.getDelayedCalls()
        assert call.getTime() == 1.0
        self.clock.pump([1.0, 1.0, 1.0])
        assert happened == ["a", "b", "c"]
        assert self.clock.getDelayedCalls() == []

    def test_cancelled(self) -> None:
        """
        What is cancelled does not happen, and leaves nothing in the clock.
        """
        happened: list[str] = []
        timers = [self.timeline.after(n, happened.append, "no") for n in (1, 2, 3)]
        timers[1].cancel()
        timers[0].cancel()
        [call] = self.clock.getDelayedCalls()
        assert call.getTime() == 3
        timers[2].cancel()
        assert self.clock.getDelayedCalls() == []
        timers[2].cancel()
        self.clock.advance(5)
        assert happened == []

    def test_cancelledBehind(self) -> None:
        """
        Not even if something else was to happen first.
        """
        self.timeline.after(1, lambda: None)
        self.timeline.after(2, lambda: None).cancel()
        self.clock.advance(1)
        assert self.clock.getDelayedCalls() == []

    def test_cancelledInTurn(self) -> None:
        """
        What is due may cancel what is due with it.
        """
        timers: list[Timer] = []
        happened: list[str] = []
        self.timeline.after(1, lambda: timers[0].cancel())
        timers.append(self.timeline.after(1, happened.append, "no"))
        self.clock.advance(1)
        assert happened == []
        assert self.clock.getDelayedCalls() == []

    def test_failure(self) -> None:
        """
        If something fails the rest still happens, in the next turn.
        """
        happened: list[str] = []

        def fail() -> None:
            raise ZeroDivisionError

        self.timeline.after(1, fail)
        self.timeline.after(1, happened.append, "yes")
        with pytest.raises(ZeroDivisionError):
            self.clock.advance(1)
        self.clock.advance(0)
        assert happened == ["yes"]

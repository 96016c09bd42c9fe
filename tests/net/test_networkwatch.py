"""
Tests for L{punch.net.networkwatch}, L{punch.net.netlink} and L{punch.net.networkstate}.
"""

from __future__ import annotations

import errno
import gc
import socket
import sys
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import ifaddr
import pytest
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.internet.task import Clock
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from zope.interface import directlyProvides
from zope.interface.verify import verifyObject

from punch.net.hostaddresses import hostAddresses
from punch.net.netlink import NetlinkSocket, openNetlink
from punch.net.networkstate import NetworkState, networkState
from punch.net.networkwatch import POLL_INTERVAL, WINDOW, NetworkWatch, networkWatch
from punch.testing import MemoryNetwork
from tests.support.doubles import PunchTestCase, watching

NEVER = 60.0
"""
Seconds in which it would have happened.
"""


class Reactor(Clock):
    """
    A clock, and the descriptors that somebody wants to read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        directlyProvides(self, IReactorFDSet)

    def addReader(self, reader: Any) -> None:
        """
        Somebody waits.
        """
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        """
        Nobody waits any more.
        """
        self.readers.discard(reader)


class FakeNetlinkSocket:
    """
    A socket with datagrams, or errors, to read.
    """

    def __init__(self) -> None:
        self.waiting: list[bytes | int] = []
        self.isClosed = False

    def recv(self, size: int) -> bytes:
        """
        The next datagram, or the next error.
        """
        if not self.waiting:
            raise BlockingIOError
        first = self.waiting.pop(0)
        if isinstance(first, int):
            raise OSError(first, "no news")
        return first[:size]

    def fileno(self) -> int:
        """
        Its number, until it is closed.
        """
        return -1 if self.isClosed else 3

    def close(self) -> None:
        """
        Note that it is closed.
        """
        self.isClosed = True


class Host:
    """
    A host whose network is what the test says, and its watch.
    """

    def __init__(self, tells: bool = True) -> None:
        self.reactor = Reactor()
        self.opened: list[FakeNetlinkSocket] = []
        self.network: Hashable = "home"
        self.failing: OSError | None = None
        self.reads = 0
        self.changes: list[float] = []
        self.watch = NetworkWatch(
            self.reactor, self.readState, self.subscribe if tells else None
        )

    def readState(self) -> Hashable:
        """
        Read the network state.
        """
        self.reads += 1
        if self.failing is not None:
            raise self.failing
        return self.network

    def subscribe(self) -> Any:
        """
        Open a socket that tells of changes.
        """
        self.opened.append(FakeNetlinkSocket())
        return self.opened[-1]

    def changed(self) -> None:
        """
        Note when a change was told.
        """
        self.changes.append(self.reactor.seconds())

    def receive(self, *what: bytes | int) -> None:
        """
        Let datagrams or errors arrive, and the reactor wake its readers.
        """
        self.opened[-1].waiting.extend(what or [b"an address"])
        for each in list(self.reactor.readers):
            each.doRead()

    def run(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.reactor.pump([0.01] * round(seconds / 0.01))


class NetlinkTests(PunchTestCase):
    """
    Where a netlink socket tells when the network may have changed.
    """

    def setUp(self) -> None:
        self.host = Host()
        self.stop = self.host.watch.watch(self.host.changed)

    def test_changed(self) -> None:
        """
        A change is told once, after a window without a message.
        """
        self.host.network = "café"
        self.host.receive()
        assert self.host.changes == []
        self.host.run(NEVER)
        [told] = self.host.changes
        assert told == pytest.approx(WINDOW, abs=0.02)

    def test_quiet(self) -> None:
        """
        Without a message nothing is compared.
        """
        self.host.network = "café"
        self.host.run(NEVER)
        assert (self.host.reads, self.host.changes) == (1, [])
        assert self.host.reactor.getDelayedCalls() == []

    def test_nothingChanged(self) -> None:
        """
        A message after which the state is the same is not told.
        """
        self.host.receive()
        self.host.run(1.0)
        assert (self.host.reads, self.host.changes) == (2, [])

    def test_burst(self) -> None:
        """
        Messages that follow each other closely are one change, and one comparison.
        """
        for step in range(4):
            self.host.network = step
            self.host.receive(b"address", b"route")
            self.host.run(0.05)
        self.host.run(1.0)
        [told] = self.host.changes
        assert told <= 0.15 + 2 * WINDOW + 0.01
        assert self.host.reads == 2

    def test_endless(self) -> None:
        """
        A burst without an end is told of within half a second, and wakes us once a
        window, not for each message.
        """
        wakes = []
        for step in range(1000):
            self.host.network = step
            self.host.receive()
            wakes.append(len(self.host.reactor.readers))
            self.host.run(0.01)
        pauses = [
            later - earlier
            for earlier, later in zip(
                [0.0, *self.host.changes], self.host.changes, strict=False
            )
        ]
        assert max(pauses) < 0.5
        assert len(pauses) < 30
        assert sum(wakes) < 30

    def test_again(self) -> None:
        """
        Each change is told, also one that comes back to what was.
        """
        for network in ("café", "home"):
            self.host.network = network
            self.host.receive()
            self.host.run(1.0)
        assert len(self.host.changes) == 2

    def test_overrun(self) -> None:
        """
        If the kernel had to drop messages, the state is compared.
        """
        self.host.network = "café"
        self.host.receive(errno.ENOBUFS, b"the last that fitted")
        self.host.run(1.0)
        assert len(self.host.changes) == 1
        assert self.host.opened[0].waiting == []
        assert len(self.host.reactor.readers) == 1

    def test_broken(self) -> None:
        """
        If the socket breaks, the state is compared at once, and in intervals from then
        on.  That is logged at the debug level.
        """
        with watching() as log:
            self.host.receive(errno.EBADF)
            assert self.host.opened[0].isClosed
            assert self.host.reactor.readers == set()
            self.host.network = "café"
            self.host.run(0.2)
            self.host.network = "train"
            self.host.run(2 * POLL_INTERVAL)
        assert len(self.host.changes) == 2
        assert set(log.levels) == {LogLevel.debug}
        self.stop()
        assert self.host.reactor.getDelayedCalls() == []

    def test_brokenInBurst(self) -> None:
        """
        The same happens if the socket breaks within a burst.
        """
        self.host.receive()
        self.host.opened[0].waiting.append(errno.ENOMEM)
        self.host.network = "café"
        self.host.run(0.3)
        assert len(self.host.changes) == 1
        assert self.host.opened[0].isClosed

    def test_reactorGivesUp(self) -> None:
        """
        The same happens if the reactor drops the descriptor.
        """
        [reader] = self.host.reactor.readers
        self.host.reactor.removeReader(reader)
        reader.connectionLost(Failure(OSError("gone")))
        assert self.host.opened[0].isClosed
        self.host.network = "café"
        self.host.run(0.2)
        assert len(self.host.changes) == 1

    def test_cannotRead(self) -> None:
        """
        If the state cannot be read, it is read again later, and all goes on as before.
        """
        self.host.failing = OSError(errno.EMFILE, "too many open files")
        self.host.network = "café"
        self.host.receive()
        self.host.run(1.0)
        assert self.host.changes == []
        self.host.failing = None
        self.host.run(POLL_INTERVAL)
        assert len(self.host.changes) == 1
        assert len(self.host.reactor.readers) == 1
        assert self.host.reactor.getDelayedCalls() == []

    def test_cannotReadAtFirst(self) -> None:
        """
        If the first state could not be read, the next one counts as a change.
        """
        host = Host()
        host.failing = OSError(errno.EMFILE, "too many open files")
        host.watch.watch(host.changed)
        host.failing = None
        host.run(NEVER)
        assert (len(host.changes), len(host.reactor.readers)) == (1, 1)

    def test_flood(self) -> None:
        """
        Messages that come as fast as they are read do not keep the reactor busy.
        """
        flood = self.host.opened[0].waiting
        flood.extend([b"a route"] * 10_000)
        self.host.receive()
        assert len(flood) > 9_000
        self.host.run(0.5)
        assert self.host.reads == 2

    def test_stopped(self) -> None:
        """
        After a stop nothing is left and nothing is told.  A second stop does nothing.
        """
        self.stop()
        self.stop()
        assert self.host.opened[0].isClosed
        assert self.host.reactor.readers == set()
        self.host.run(NEVER)
        assert (self.host.reads, self.host.changes) == (1, [])

    def test_stoppedInBurst(self) -> None:
        """
        The same holds for a stop within a burst.
        """
        self.host.network = "café"
        self.host.receive()
        self.stop()
        assert self.host.opened[0].isClosed
        assert self.host.reactor.getDelayedCalls() == []

    def test_begunAgain(self) -> None:
        """
        Who watches after all have stopped hears of what comes then.
        """
        self.stop()
        self.host.network = "café"
        self.host.watch.watch(self.host.changed)
        self.host.run(1.0)
        assert self.host.changes == []
        self.host.network = "train"
        self.host.receive()
        self.host.run(1.0)
        assert len(self.host.changes) == 1


class PolledTests(PunchTestCase):
    """
    Where nobody tells.
    """

    def setUp(self) -> None:
        self.host = Host(tells=False)
        self.stop = self.host.watch.watch(self.host.changed)

    def test_changed(self) -> None:
        """
        A change is told once, by the next look.
        """
        self.host.run(POLL_INTERVAL * 1.5)
        assert self.host.changes == []
        self.host.network = "café"
        self.host.run(NEVER)
        [told] = self.host.changes
        assert told == pytest.approx(2 * POLL_INTERVAL, abs=0.02)

    def test_cannotRead(self) -> None:
        """
        A look that fails is only one missed.
        """
        self.host.failing = OSError(errno.EMFILE, "too many open files")
        with watching() as log:
            self.host.run(NEVER)
        assert set(log.levels) == {LogLevel.debug}
        self.host.failing = None
        self.host.network = "café"
        self.host.run(POLL_INTERVAL)
        assert len(self.host.changes) == 1

    def test_stopped(self) -> None:
        """
        After stopping nothing is left.
        """
        self.host.run(POLL_INTERVAL * 1.5)
        self.stop()
        self.stop()
        assert self.host.reactor.getDelayedCalls() == []

    def test_denied(self) -> None:
        """
        Where a sandbox denies the news, we look by ourselves; what is said about it
        is for who debugs.
        """

        def deny() -> socket.socket:
            raise PermissionError(errno.EPERM, "not in here")

        watch = NetworkWatch(self.host.reactor, self.host.readState, deny)
        changes: list[str] = []
        with watching() as log:
            stop = watch.watch(lambda: changes.append("changed"))
            self.host.network = "café"
            self.host.run(POLL_INTERVAL)
        stop()
        assert changes == ["changed"]
        assert set(log.levels) == {LogLevel.debug}
        assert "not in here" in " ".join(log.sentences)

    def test_reactorWithoutDescriptors(self) -> None:
        """
        A reactor that cannot wait for sockets is given none.
        """
        clock, host = Clock(), Host()
        stop = NetworkWatch(clock, host.readState, host.subscribe).watch(host.changed)
        host.network = "café"
        clock.advance(POLL_INTERVAL)
        assert (len(host.changes), host.opened) == (1, [])
        stop()
        assert clock.getDelayedCalls() == []


class ManyTests(PunchTestCase):
    """
    Many watchers of one watch.
    """

    def setUp(self) -> None:
        self.host = Host()
        self.told: list[object] = []

    def change(self) -> None:
        """
        The network changes, and that is noticed.
        """
        self.host.network = object()
        self.host.receive()
        self.host.run(1.0)

    def test_oneSocket(self) -> None:
        """
        A thousand watchers have one socket, one look for each change, and each hears
        of it; with the last of them the socket goes.
        """
        stops = [
            self.host.watch.watch(lambda n=n: self.told.append(n))  # type: ignore[misc]
            for n in range(1000)
        ]
        self.change()
        assert self.told == list(range(1000))
        assert (len(self.host.opened), self.host.reads) == (1, 2)
        for stop in stops[:-1]:
            stop()
        assert not self.host.opened[0].isClosed
        stops[-1]()
        assert self.host.opened[0].isClosed

    def test_same(self) -> None:
        """
        The same callable may watch twice; each is stopped by itself.
        """
        stop = self.host.watch.watch(self.host.changed)
        self.host.watch.watch(self.host.changed)
        stop()
        stop()
        self.change()
        assert len(self.host.changes) == 1

    def test_stopInside(self) -> None:
        """
        Who is stopped while a change is told hears of it no more, even if all are.
        """
        stops: list[Callable[[], None]] = []

        def changed() -> None:
            self.told.append("first")
            for stop in stops:
                stop()

        stops.append(self.host.watch.watch(changed))
        stops.append(self.host.watch.watch(lambda: self.told.append("second")))
        self.change()
        assert self.told == ["first"]
        assert self.host.opened[0].isClosed
        assert self.host.reactor.readers == set()
        assert self.host.reactor.getDelayedCalls() == []

    def test_failing(self) -> None:
        """
        A watcher's mistake is logged; the others hear of the change, and of the next.
        """

        def changed() -> None:
            raise ZeroDivisionError

        self.host.watch.watch(changed)
        self.host.watch.watch(self.host.changed)
        self.change()
        self.change()
        assert len(self.host.changes) == 2
        assert len(self.logged(ZeroDivisionError)) == 2


class SharedTests(PunchTestCase):
    """
    One watch for all who ask with the same reactor.
    """

    def test_shared(self) -> None:
        """
        Who asks with the same reactor gets the same watch; others another.
        """
        reactor = Clock()
        watch = networkWatch(reactor)
        assert networkWatch(reactor, hostAddresses) is watch
        assert networkWatch(Clock()) is not watch
        assert networkWatch(reactor, list) is not watch

    def test_forgotten(self) -> None:
        """
        Nothing is kept alive, neither watch nor reactor, once nobody watches.
        """
        reactor = Clock()
        networkWatch(reactor, list).watch(lambda: None)()
        watch = networkWatch(reactor, list)
        gone: list[weakref.ref[Any]] = [weakref.ref(watch), weakref.ref(reactor)]
        del watch, reactor
        gc.collect()
        assert [each() for each in gone] == [None, None]

    def test_droppedWithReactor(self) -> None:
        """
        One whose owner is also who looks for it goes with that.
        """
        reactor = Clock()

        class Owner:
            def __init__(self) -> None:
                self.watch = networkWatch(reactor, lambda: [str(len(vars(self)))])

        owner = Owner()
        gone = weakref.ref(owner)
        del owner
        gc.collect()
        assert gone() is None

    def test_kept(self) -> None:
        """
        It need not be held to go on watching.
        """
        clock, addresses, told = Clock(), ["192.0.2.1"], []

        def asked() -> list[str]:
            return addresses

        networkWatch(clock, asked).watch(lambda: told.append(clock.seconds()))
        gc.collect()
        addresses.append("192.0.2.2")
        clock.advance(POLL_INTERVAL)
        assert told == [POLL_INTERVAL]

    def test_memory(self) -> None:
        """
        A host in memory has its own addresses looked at, and opens nothing.
        """
        network = MemoryNetwork(Clock(), 1)
        host = network.host("192.0.2.1")
        told: list[float] = []
        stop = networkWatch(host, lambda: host.addresses).watch(
            lambda: told.append(host.seconds())
        )
        assert host.getReaders() == []
        network.run(POLL_INTERVAL)
        host.addresses[0] = "192.0.2.7"
        network.run(POLL_INTERVAL)
        assert len(told) == 1
        stop()
        assert list(host.getDelayedCalls()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")
def test_netlink() -> None:
    """
    The kernel's news are a socket that nobody waits for by reading; what reads them
    is what a reactor expects.
    """
    with openNetlink() as receive:
        reader = NetlinkSocket(Reactor(), receive, lambda: None, print)
        verifyObject(IReadDescriptor, reader)
        reader.drain()
        assert reader.drain() is False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")
def test_noGroups(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A socket that cannot be bound, as in some sandboxes, is closed again.
    """
    made: list[socket.socket] = []

    class Unbound(socket.socket):
        def bind(self, address: Any) -> None:
            made.append(self)
            raise PermissionError(errno.EPERM, "no groups")

    monkeypatch.setattr(socket, "socket", Unbound)
    with pytest.raises(PermissionError):
        openNetlink()
    assert [each.fileno() for each in made] == [-1]


def test_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Other platforms have no netlink.
    """
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(OSError, match="platform"):
        openNetlink()


@dataclass
class _IP:
    ip: str | tuple[str, int, int]


@dataclass
class _Adapter:
    name: str
    ips: list[_IP]


def test_here() -> None:
    """
    Two looks at a network at rest are equal, and a source is one of our addresses.
    """
    found = networkState()
    assert networkState() == found
    assert {each for each in found.sources if each} <= found.addresses
    assert found.addresses <= set(hostAddresses())


def test_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Loopback and IPv6's link-local addresses don't count: others do not reach us there.
    An interface that we cannot ask about does.
    """
    ips = [_IP(ip) for ip in ("127.0.0.1", "169.254.0.1", "192.0.2.1")]
    ips += [_IP((ip, 0, 0)) for ip in ("::1", "fe80::1", "2001:db8::1")]
    adapters = [_Adapter("no such one", ips)]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    assert networkState().addresses == {"169.254.0.1", "192.0.2.1", "2001:db8::1"}


def test_elsewhereAllRun(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    On other platforms every interface counts.
    """
    before = networkState().addresses
    monkeypatch.setattr(sys, "platform", "darwin")
    assert networkState().addresses >= before


def test_oneFamily(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without a family, or a way out, there is no source of that kind.
    """

    class NoWay(socket.socket):
        def __init__(self, family: int, *args: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "no IPv6")
            super().__init__(family, *args)

        def connect(self, address: Any) -> None:
            raise OSError(errno.ENETUNREACH, "no route")

    monkeypatch.setattr(socket, "socket", NoWay)
    assert networkState().sources == ("", "")


def test_differs() -> None:
    """
    Another address, a pulled cable, or another way out is another network state.
    """
    own = frozenset({"192.0.2.1"})
    home = NetworkState(own, own, ("192.0.2.1", ""))
    assert home == NetworkState(frozenset({"192.0.2.1"}), own, ("192.0.2.1", ""))
    assert home != NetworkState(own, own, ("", ""))
    assert home != NetworkState(own, frozenset(), ("192.0.2.1", ""))
    assert home != NetworkState(own | {"192.0.2.2"}, own, ("192.0.2.1", ""))

"""
The small programs that these tests run on the hosts of a network.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    Binding,
    IAddress,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.tcp import makeBinding
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.testing import MemoryHost, MemoryNetwork, spin


class Recorder(Protocol):
    """
    Remembers what it hears.
    """

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.chunks = 0
        self.reason: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        """
        Remember it.
        """
        self.received += data
        self.chunks += 1

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Remember why.
        """
        assert self.reason is None
        self.reason = reason

    @property
    def isOpen(self) -> bool:
        """
        Has nothing ended it?
        """
        return self.reason is None

    def lostBy(self, kind: type[Exception]) -> bool:
        """
        Whether the connection has ended, for a reason of this kind.
        """
        return self.reason is not None and self.reason.check(kind) is not None

    @property
    def isClean(self) -> bool:
        """
        Has the connection ended, and cleanly?
        """
        return self.lostBy(ConnectionDone)

    @property
    def isBroken(self) -> bool:
        """
        Has the connection ended, and with an error?
        """
        return not (self.isOpen or self.isClean)


class HalfCloser(Recorder):
    """
    Remembers how each direction ends, too.
    """

    def __init__(self) -> None:
        Recorder.__init__(self)
        self.ended: list[str] = []

    def readConnectionLost(self) -> None:
        """
        The other side has finished.
        """
        self.ended.append("read")

    def writeConnectionLost(self) -> None:
        """
        This side has finished.
        """
        self.ended.append("write")


# zope.interface.implementer would hide Protocol's own declarations from mypy.
implementer(IHalfCloseableProtocol)(HalfCloser)


@implementer(IPushProducer)
class Pusher:
    """
    Writes 1,000 bytes at a time for as long as it may.
    """

    def __init__(
        self,
        clock: IReactorTime,
        consumer: Any,
        times: int = 100,
        pause: float = 0.001,
    ) -> None:
        """
        @param times: how often it writes before it lets others have their turn.
        @param pause: seconds until it has the next one.
        """
        self.clock = clock
        self.consumer = consumer
        self._times = times
        self._pause = pause
        self.written = 0
        self.isPaused = False
        self.isStopped = False
        consumer.registerProducer(self, True)
        self._push()

    def _push(self) -> None:
        for _ in range(self._times):
            if self.isPaused or self.isStopped:
                return
            self.consumer.write(bytes(1000))
            self.written += 1000
        self.clock.callLater(self._pause, self._push)

    def pauseProducing(self) -> None:
        """
        Not now.
        """
        self.isPaused = True

    def resumeProducing(self) -> None:
        """
        Again.
        """
        if self.isPaused:
            self.isPaused = False
            self._push()

    def stopProducing(self) -> None:
        """
        Never again.
        """
        self.isStopped = True

    def finish(self) -> None:
        """
        That was all.
        """
        self.isStopped = True
        self.consumer.unregisterProducer()


class Recorders(Factory[Recorder]):
    """
    Makes recorders and remembers them.
    """

    noisy = False

    def __init__(self, kind: type[Recorder] = Recorder) -> None:
        self.kind = kind
        self.made: list[Recorder] = []

    def buildProtocol(self, addr: IAddress | None) -> Recorder:
        """
        One more.
        """
        self.made.append(self.kind())
        return self.made[-1]


class Service:
    """
    A program that listens.
    """

    def __init__(
        self,
        host: MemoryHost,
        port: Any = 4040,
        interface: str = "",
        kind: type[Recorder] = Recorder,
    ) -> None:
        self.factory = Recorders(kind)
        self.listening: Any = host.listenTCP(port, self.factory, interface=interface)

    @property
    def accepted(self) -> list[Recorder]:
        """
        The connections that came in.
        """
        return self.factory.made

    @property
    def address(self) -> IPv4Address | IPv6Address:
        """
        Where it listens.
        """
        address: IPv4Address | IPv6Address = self.listening.getHost()
        return address


def shared(port: int, interface: str = "") -> Binding:
    """
    The binding of a port on which a program listens and connects at once.
    """
    return makeBinding(interface, port, reuseAddress=True, reusePort=True)


def network(seed: int = 1, **options: Any) -> MemoryNetwork:
    """
    A network with a clock of its own.
    """
    return MemoryNetwork(Clock(), seed, **options)


def connect(
    host: MemoryHost,
    address: str,
    port: int = 4040,
    bindAddress: Any = None,
    timeout: float = 30.0,
    kind: type[Recorder] = Recorder,
) -> Deferred[Recorder]:
    """
    Have a program on C{host} connect.
    """
    endpoint: Any = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
    connected: Deferred[Recorder] = endpoint(
        host, address, port, timeout, bindAddress
    ).connect(Recorders(kind))
    return connected


def tcp(protocol: Recorder) -> ITCPTransport:
    """
    A recorder's transport.
    """
    transport: ITCPTransport = protocol.transport
    return transport


def loggedErrors(case: Any, kind: type[Exception]) -> list[Failure]:
    """
    The errors of one kind that a trial test case has seen logged, to fail it no
    more.
    """
    found: list[Failure] = case.flushLoggedErrors(kind)
    return found


class Conversation:
    """
    A connection between two public hosts.
    """

    def __init__(
        self,
        made: MemoryNetwork | None = None,
        kind: type[Recorder] = Recorder,
    ) -> None:
        self.network = network() if made is None else made
        self.hosts: list[MemoryHost] = [
            self.network.host(f"192.0.2.{n}") for n in (1, 2)
        ]
        service = Service(self.hosts[1], kind=kind)
        self.client = spin(connect(self.hosts[0], "192.0.2.2", kind=kind), self.network)
        self.network.runUntil(lambda: service.accepted, 1)
        [self.server] = service.accepted
        service.listening.stopListening()
        self.network.run(0)

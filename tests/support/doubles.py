"""
What the unit tests share: a log to look at, connections in memory, and pairs of
what stands on them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock
from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    globalLogPublisher,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from punch.ice.candidate import Kind
from punch.ice.selected import SelectedPath
from punch.link.path import Path
from punch.link.transport import Link
from punch.net.address import Address, tcpAddress
from punch.net.connection import Connection, Origin
from punch.net.identity import Identity
from punch.net.sharedport import SharedPort
from punch.net.tls import PeerAuthenticator, TLSConnection
from punch.role import Role
from punch.testing import MemoryHost, MemoryNetwork, spin

T = TypeVar("T")

DIALER_ID = Identity.make()
LISTENER_ID = Identity.make()
"""
Made once: what they are does not matter.
"""


@implementer(ILogObserver)
class Log:
    """
    Remembers what is logged.
    """

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)

    @property
    def levels(self) -> list[LogLevel]:
        """
        The level of each.
        """
        return [each["log_level"] for each in self.events]

    @property
    def sentences(self) -> list[str]:
        """
        The text of each.
        """
        return [formatEvent(each) for each in self.events]


@contextmanager
def watching() -> Iterator[Log]:
    """
    Watch what is logged meanwhile.
    """
    log = Log()
    globalLogPublisher.addObserver(log)
    try:
        yield log
    finally:
        globalLogPublisher.removeObserver(log)


class PunchTestCase(SynchronousTestCase):
    """
    A test case with the assertions of trial, typed.
    """

    def waiting(self, deferred: Deferred[Any]) -> None:
        """
        See that a Deferred has not fired.
        """
        self.assertNoResult(deferred)  # type: ignore[no-untyped-call]

    def failed(self, deferred: Deferred[Any], *kinds: type[BaseException]) -> Failure:
        """
        See that a Deferred has failed, and how.
        """
        failure: Failure = self.failureResultOf(deferred, *kinds)  # type: ignore[no-untyped-call]
        return failure

    def logged(self, *kinds: type[BaseException]) -> list[Failure]:
        """
        The errors that were logged, unhandled ones too; they fail the test no more.
        """
        gc.collect()
        found: list[Failure] = self.flushLoggedErrors(*kinds)  # type: ignore[no-untyped-call]
        return found


class MemoryTransport:
    """
    As much of a transport as a connection needs that nobody reads.
    """

    def __init__(self, host: Address, peer: Address) -> None:
        self._host = host
        self._peer = peer
        self.calls: list[str] = []

    def getHost(self) -> Address:
        """
        Our end.
        """
        return self._host

    def getPeer(self) -> Address:
        """
        The other end.
        """
        return self._peer

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Nothing delays.
        """

    def getHandle(self) -> MemoryTransport:
        """
        What its options are set on.
        """
        return self

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """
        Nothing is held back.
        """

    def pauseProducing(self) -> None:
        """
        Note it.
        """
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        """
        Note it.
        """
        self.calls.append("resume")

    def abortConnection(self) -> None:
        """
        Note it.
        """
        self.calls.append("abort")

    @property
    def aborted(self) -> bool:
        """
        Whether it was aborted.
        """
        return "abort" in self.calls


OURS = tcpAddress("198.51.100.1", 4040)


def connectionWith(
    remote: Address, how: Origin = Origin.ACCEPTED
) -> tuple[Connection, MemoryTransport]:
    """
    A connection with nobody behind it.
    """
    connection, transport = Connection(how), MemoryTransport(OURS, remote)
    whatever: Any = transport
    connection.makeConnection(whatever)
    return connection, transport


def noProbe(interface: str, port: int) -> None:
    """
    In memory nobody else is there (L{punch.net.sharedport.PortProbe}).
    """


class Pair:
    """
    Two hosts in memory, and what was made between them: connections, TLS, paths,
    links.  The first of each pair is the dialer's.
    """

    def __init__(self, **options: Any) -> None:
        self.network = MemoryNetwork(Clock(), 1, **options)
        self.hosts = (self.host("192.0.2.1"), self.host("192.0.2.2"))
        self.accepted: list[Connection] = []
        self._numbers = count(5001)
        self.ports = tuple(
            SharedPort(each, self.accepted.append, probe=noProbe) for each in self.hosts
        )
        self.authenticators = (
            PeerAuthenticator(self.network.clock, DIALER_ID),
            PeerAuthenticator(self.network.clock, LISTENER_ID),
        )

    def host(self, ip: str) -> MemoryHost:
        """
        Another host.
        """
        return self.network.host(ip)

    def run(self, seconds: float = 1.0) -> None:
        """
        Let time pass.
        """
        self.network.run(seconds)

    def spin(self, waited: Any) -> Any:
        """
        Wait for a result.
        """
        return spin(waited, self.network)

    def connections(self) -> tuple[Connection, Connection]:
        """
        A TCP connection, opened by the dialer.
        """
        for port in self.ports:
            port.open(4040)
        address = tcpAddress("192.0.2.2", 4040)
        connected = self.spin(self.ports[0].connect(address))
        self.run()
        for port in self.ports:
            self.spin(port.close())
        [accepted] = self.accepted
        return connected, accepted

    async def meet(self) -> tuple[Path, Path]:
        """
        One more path, between ports of its own; nothing is attached.  Cancelled, or
        failing, it leaves nothing.
        """
        made: list[Connection] = []
        accepted: Deferred[None] = Deferred()

        def accept(connection: Connection) -> None:
            made.append(connection)
            accepted.callback(None)

        ports = [SharedPort(each, accept, probe=noProbe) for each in self.hosts]
        number = next(self._numbers)
        try:
            for each in ports:
                each.open(number)
            connected = await ports[0].connect(tcpAddress("192.0.2.2", number))
            made.insert(0, connected)
            await accepted
            secured = await gatherResults(
                [
                    authenticator.handshake(connection, role)
                    for authenticator, connection, role in zip(
                        self.authenticators, made, Role, strict=True
                    )
                ],
                consumeErrors=True,
            )
        except BaseException:
            for connection in made:
                connection.abort()
            raise
        finally:
            for each in ports:
                each.close()
        return (
            Path(self.network.clock, secured[0]),
            Path(self.network.clock, secured[1]),
        )

    def secured(self) -> tuple[TLSConnection, TLSConnection]:
        """
        TLS on one.
        """
        dialers, listeners = self.connections()
        shaken = (
            self.authenticators[0].handshake(dialers, Role.DIALER),
            self.authenticators[1].handshake(listeners, Role.LISTENER),
        )
        return self.spin(shaken[0]), self.spin(shaken[1])

    def paths(self) -> tuple[Path, Path]:
        """
        A path on that; nothing is attached.
        """
        dialers, listeners = self.secured()
        return Path(self.network.clock, dialers), Path(self.network.clock, listeners)

    def links(self) -> tuple[Link, Link]:
        """
        A link on that, no protocol started.
        """
        paths = self.paths()
        dialers = self.link(Role.DIALER, paths[0])
        self.spin(paths[1].whenAttached())
        return dialers, self.link(Role.LISTENER, paths[1])

    def link(self, role: Role, path: Path) -> Link:
        """
        Make a link on a path.
        """
        own = (DIALER_ID if role is Role.DIALER else LISTENER_ID).pin
        return Link(self.network.clock, role, own, self.selected(path))

    @staticmethod
    def selected(path: Path, kind: Kind = Kind.HOST) -> SelectedPath[Path]:
        """
        What a race says of a path.
        """
        return SelectedPath(path, kind, Origin.CONNECTED, path.local, path.remote)

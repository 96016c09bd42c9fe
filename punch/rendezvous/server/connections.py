"""
All connections of one server, counted by origin and checked once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from punch.errors import TooMany
from punch.rendezvous.server.ratelimit import KeyedQuota

_log = Logger()

SWEEP = 1.0
"""
Seconds between two sweeps; one timer serves all connections.
"""


class CountedConnection(Protocol):
    """
    What L{Connections} calls on each connection that it holds.
    """

    @property
    def origin(self) -> Hashable:
        """
        What the connection is counted under.
        """

    @property
    def due(self) -> float:
        """
        When the connection needs a check next, in seconds of the clock.
        """

    def abort(self) -> None:
        """
        Close the connection at once.
        """


C = TypeVar("C", bound=CountedConnection)


class Connections(Generic[C]):
    """
    Holds a server's connections, and limits how many there are.

    A server makes it, and its L{ServerFactory} starts and stops it.
    """

    def __init__(
        self, clock: IReactorTime, most: int, perOrigin: int, sweep: Callable[[], None]
    ) -> None:
        """
        @param most: the number of connections in all.
        @param perOrigin: the number of connections from one origin.
        @param sweep: called once a second.
        """
        self._most = most
        self._perOrigin = KeyedQuota(perOrigin, "connections")
        self._connections: dict[C, None] = {}
        self._sweeping = LoopingCall(sweep)
        self._sweeping.clock = clock

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[C]:
        return iter(self._connections)

    def start(self) -> None:
        """
        Sweep once a second from now on.
        """
        self._sweeping.start(SWEEP, now=False).addErrback(
            lambda failure: _log.failure("The server lost its clock.", failure)
        )

    def stop(self) -> None:
        """
        Sweep no more, and abort all connections.
        """
        self._sweeping.stop()
        for connection in list(self._connections):
            connection.abort()

    def add(self, connection: C) -> int:
        """
        Count a connection.

        @return: how many connections its origin has now.
        @raise TooMany: there is no room for it.
        """
        if len(self._connections) >= self._most:
            raise TooMany(f"at most {self._most} connections")
        held = self._perOrigin.acquire(connection.origin)
        self._connections[connection] = None
        return held

    def remove(self, connection: C) -> None:
        """
        Count a connection no more.  Nothing happens if it was not counted.
        """
        if connection in self._connections:
            del self._connections[connection]
            self._perOrigin.release(connection.origin)

    def due(self, now: float) -> list[C]:
        """
        The connections that need a check.
        """
        return [each for each in self._connections if each.due <= now]


class ServerFactory(Factory):
    """
    The factory of a server's connections, to listen on any stream server endpoint.

    Whoever listens owns it.  While it listens its connections are swept; when the last
    port stops listening, all of them are closed.

    @ivar connections: all connections of the server.
    """

    noisy = False
    connections: Connections[Any]

    def startFactory(self) -> None:
        """
        Start to sweep the connections.
        """
        self.connections.start()

    def stopFactory(self) -> None:
        """
        Close all connections.
        """
        self.connections.stop()

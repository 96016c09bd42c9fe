"""
The clientele: all connections of a server, counted by where they come from, and looked
at once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from punch.errors import TooMany
from punch.rendezvous.server.ratelimit import KeyedQuota

_log = Logger()

SWEEP = 1.0
"""
Seconds between looks at the clock: one timer serves all connections.
"""


class Client(Protocol):
    """
    A connection.
    """

    @property
    def origin(self) -> Hashable:
        """
        What it is counted under.
        """

    @property
    def due(self) -> float:
        """
        When it wants to be looked at, by the clock.
        """

    def cut(self) -> None:
        """
        Close it at once.
        """


C = TypeVar("C", bound=Client)


class Connections(Generic[C]):
    """
    One server's.
    """

    def __init__(
        self, clock: IReactorTime, most: int, perOrigin: int, look: Callable[[], None]
    ) -> None:
        """
        @param most: connections in all; C{perOrigin}: from one origin.
        @param look: is called once a second.
        """
        self._most = most
        self._perOrigin = KeyedQuota(perOrigin, "connections")
        self._connections: dict[C, None] = {}
        self._looking = LoopingCall(look)
        self._looking.clock = clock

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[C]:
        return iter(self._connections)

    def open(self) -> None:
        """
        Begin to look at the clock.
        """
        self._looking.start(SWEEP, now=False).addErrback(
            lambda failure: _log.failure("The server lost its clock.", failure)
        )

    def close(self) -> None:
        """
        Cut all connections.
        """
        self._looking.stop()
        for connection in list(self._connections):
            connection.cut()

    def join(self, connection: C) -> int:
        """
        Count a connection.

        @return: how many of its origin there are now.
        @raise TooMany: there is no room for it.
        """
        if len(self._connections) >= self._most:
            raise TooMany(f"at most {self._most} connections")
        held = self._perOrigin.take(connection.origin)
        self._connections[connection] = None
        return held

    def leave(self, connection: C) -> None:
        """
        Forget it, if it was counted.
        """
        if connection in self._connections:
            del self._connections[connection]
            self._perOrigin.give(connection.origin)

    def due(self, now: float) -> list[C]:
        """
        Those that want to be looked at.
        """
        return [each for each in self._connections if each.due <= now]

"""
The gate: what becomes of a connection that comes in.

Expected are the addresses of peers that we are being introduced to.  Anybody
else is a stranger, perhaps the peer behind a NAT that changed its port: one
handshake at a time for each IP address (L{addressKey}), a few in all, and the rest
are closed without a word.  When we expect nobody, all are.  Who takes his time is only
ended when somebody else wants his place: a peer may have a slow path.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from punch.ice.race import Race
from punch.net.address import addressKey
from punch.net.connection import Connection

MOST_STRANGERS = 16
"""
Handshakes with strangers that may go on at once.
"""

STRANGERS_PATIENCE = 1.5
"""
Seconds that a stranger keeps his place against others.
"""


class Gate:
    """
    Gives each incoming connection to a race, or closes it.
    """

    def __init__(
        self,
        clock: IReactorTime,
        races: Callable[[], Iterable[Race[Any]]],
        receive: Callable[[Connection], Deferred[Any]] | None = None,
    ) -> None:
        """
        @param races: asks for the races that go on.
        @param receive: is given each stranger that may try; fires when it is known
            whose it is, or nobody's.  By default it enters the one race.
        """
        self._clock = clock
        self._races = races
        self._receive = receive
        self._strangers: dict[Hashable, tuple[float, Connection]] = {}

    def admit(self, connection: Connection) -> None:
        """
        A connection came in.
        """
        races = list(self._races())
        remote = connection.remote
        for race in races:
            if race.expects(remote):
                race.accept(connection)
                return
        origin = addressKey(remote.host)
        if races and self._makeRoom(origin):
            self._strangers[origin] = (self._clock.seconds(), connection)
            receive = self._receive or races[0].accept
            receive(connection).addBoth(self._release, origin, connection)
        else:
            connection.abort()

    def _makeRoom(self, origin: Hashable) -> bool:
        """
        See whether there is a place for a stranger from there, or make one.
        """
        if origin not in self._strangers:
            if len(self._strangers) < MOST_STRANGERS:
                return True
            origin = min(self._strangers, key=lambda each: self._strangers[each][0])
        since, slow = self._strangers[origin]
        if self._clock.seconds() - since < STRANGERS_PATIENCE:
            return False
        del self._strangers[origin]
        slow.abort()
        return True

    def _release(
        self, result: object, origin: Hashable, connection: Connection
    ) -> None:
        if self._strangers.get(origin, (0.0, None))[1] is connection:
            del self._strangers[origin]

"""
The gate: decides what becomes of each inbound connection.

A connection from an address that some race expects goes to that race.  One from any
other address is a stranger's, who may still be the peer, behind a NAT that changed its
port.  Strangers may do one handshake at a time for each IP address (L{addressKey}) and
L{MOST_STRANGERS} in all; the gate closes the rest without a word.  With no introduction
in progress, it closes every inbound connection.

A slow handshake is ended only when another stranger wants its place, since a peer may
have a slow path.
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
Handshakes with strangers that may be in progress at once.
"""

STRANGERS_PATIENCE = 1.5
"""
Seconds for which a stranger's handshake cannot be displaced by another's.
"""


class Gate:
    """
    Gives each inbound connection to the race that it belongs to, or closes it.

    A peer that listens or dials makes one for its shared port.  It holds no connection
    of its own: those that it admits belong to a race or to C{receive}.
    """

    def __init__(
        self,
        clock: IReactorTime,
        races: Callable[[], Iterable[Race[Any]]],
        receive: Callable[[Connection], Deferred[Any]] | None = None,
    ) -> None:
        """
        @param races: answers with the races in progress.
        @param receive: takes a stranger's connection that may try a handshake; fires
            when it has been given to a race or closed.  By default the first race
            accepts it.
        """
        self._clock = clock
        self._races = races
        self._receive = receive
        self._strangers: dict[Hashable, tuple[float, Connection]] = {}

    def admit(self, connection: Connection) -> None:
        """
        Give a new inbound connection to a race, or close it.
        """
        races = list(self._races())
        remote = connection.remote
        for race in races:
            if remote in race.checklist:
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
        Whether a stranger from C{origin} may try a handshake.  If that takes a place
        which another has held for too long, close the other.
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

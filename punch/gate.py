"""
The gate: what becomes of a connection that comes in.

Expected are the addresses of peers that we are being introduced to.  Anybody
else is a stranger, perhaps the peer behind a NAT that changed its port: one
handshake at a time for each IP address, a few in all, and the rest are closed
without a word.  When we expect nobody, all are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from punch.address import Address
from punch.connection import Connection
from punch.race import Race

MOST_STRANGERS = 16
"""
Handshakes with strangers that may go on at once.
"""

STRANGERS_PATIENCE = 1.5
"""
Seconds that a stranger has to show that it is the peer: he may stand in the way of
others on his IP address, the peer among them.
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
        self._strangers: set[str] = set()

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
        if races and self._mayTry(remote):
            self._strangers.add(remote.host)
            receive = self._receive or races[0].accept
            patience = self._clock.callLater(STRANGERS_PATIENCE, connection.abort)
            receive(connection).addBoth(self._release, remote, patience)
        else:
            connection.abort()

    def _mayTry(self, remote: Address) -> bool:
        return (
            len(self._strangers) < MOST_STRANGERS and remote.host not in self._strangers
        )

    def _release(self, result: object, remote: Address, patience: IDelayedCall) -> None:
        if patience.active():
            patience.cancel()
        self._strangers.discard(remote.host)

"""
The port search: many connects, of which one may meet the peer.

It is for a pair of NATs of which one allocates ports at random, and the other has an
endpoint-independent mapping but filters by address and port.  The peer behind the first
connects from I{k} ports, the other peer to I{n} of the I{N} ports that a mapping may
have.  One of the I{n} is likely to be one of the I{k} if I{n k} is a few times I{N}
(the birthday paradox).
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from punch.net.connection import Connection
from punch.net.connector import attemptTimeout

RATE = 200.0
"""
Connects that a search starts in a second.
"""

PATIENCE = 8.0
"""
Seconds after which a pending connect is given up for another.
"""

DEFAULT_SOCKETS = 600
"""
Sockets for searches by default: of 64,512 ports, 600 and 600 meet with 99.6 %.
"""

MOST_SOCKETS = 10_000

_TICK = 0.02


class SocketBudget:
    """
    Counts the sockets that all port searches of one peer may have open at once.
    """

    def __init__(self, most: int) -> None:
        self._left = most

    def acquire(self) -> bool:
        """
        Count one more socket.

        @return: C{False} if that would be too many.
        """
        if self._left <= 0:
            return False
        self._left -= 1
        return True

    def release(self) -> None:
        """
        Count one socket less.
        """
        self._left += 1


class PortSearch:
    """
    Starts connects at a steady pace, for one introduction.

    A L{punch.peer.porttraversal.PortTraversal} makes it and stops it.  Stopping it
    starts no more connects; those that are pending belong to the race.
    """

    def __init__(
        self,
        clock: IReactorTime,
        sockets: SocketBudget,
        connect: Callable[[], Deferred[Connection] | None],
        started: Callable[[Deferred[Connection]], object],
    ) -> None:
        """
        @param sockets: shared with the peer's other searches.
        @param connect: starts one connect; answers with C{None} if none is left.
        @param started: called with each connect, which it owns from then on.
        """
        self._sockets = sockets
        self._connect = connect
        self._started = started
        self._clock = clock
        self._ticking = LoopingCall.withCount(self._tick)
        self._ticking.clock = clock

    def start(self) -> None:
        """
        Start the first connects now, and go on at a steady pace.
        """
        self._ticking.start(_TICK)

    def stop(self) -> None:
        """
        Start no more connects.
        """
        if self._ticking.running:
            self._ticking.stop()

    def _tick(self, count: int) -> None:
        # After a delay of the process, do not make up for all of it at once.
        for _ in range(round(RATE * _TICK) * min(count, 2)):
            if not self._sockets.acquire():
                return
            connecting = self._connect()
            if connecting is None:
                self._sockets.release()
                self.stop()
                return
            connecting.addTimeout(PATIENCE, self._clock, attemptTimeout)
            connecting.addBoth(self._released)
            self._started(connecting)

    def _released(self, result: object) -> object:
        self._sockets.release()
        return result

"""
The search: many connects, of which one may meet the peer.

Where one peer's NAT maps at random and the other's keeps its port but lets in only
whom it has been shown, one side connects from I{k} ports and the other to I{n}: of
I{N} ports that a mapping may have, one of the I{n} is likely to be one of the I{k}
when I{n k} is a few times I{N} (the birthday paradox).
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
Connects a second.
"""

PATIENCE = 8.0
"""
Seconds that a connect may be pending, before another is better.
"""

DEFAULT_SOCKETS = 600
"""
Of 64,512 ports, 600 and 600 meet with 99.6 %.
"""

MOST_SOCKETS = 10_000

_TICK = 0.02


class SocketBudget:
    """
    How many sockets all searches of a peer may have at once.
    """

    def __init__(self, most: int) -> None:
        self._left = most

    def acquire(self) -> bool:
        """
        Take one, if there is one.
        """
        if self._left <= 0:
            return False
        self._left -= 1
        return True

    def release(self) -> None:
        """
        Give one back.
        """
        self._left += 1


class PortSearch:
    """
    One.
    """

    def __init__(
        self,
        clock: IReactorTime,
        sockets: SocketBudget,
        connect: Callable[[], Deferred[Connection] | None],
        started: Callable[[Deferred[Connection]], object],
    ) -> None:
        """
        @param connect: begins one connect; C{None} when there are no more to make.
        @param join: lets what comes of it race; it owns the connect.
        """
        self._sockets = sockets
        self._connect = connect
        self._started = started
        self._clock = clock
        self._ticking = LoopingCall.withCount(self._tick)
        self._ticking.clock = clock

    def start(self) -> None:
        """
        Begin, at a steady pace.
        """
        self._ticking.start(_TICK)

    def stop(self) -> None:
        """
        Begin no more connects.
        """
        if self._ticking.running:
            self._ticking.stop()

    def _tick(self, count: int) -> None:
        # A process that was late does not make up for it all at once.
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

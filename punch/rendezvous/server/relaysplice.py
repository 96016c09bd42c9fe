"""
A splice of the relay: two clients' connections that are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from punch.net.splice import SocketEnd
from punch.rendezvous.relayerrors import RelayBytesSpent, RelayError
from punch.rendezvous.relaypreamble import STATUSES
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.ratelimit import SpliceBudget

MAX_HELD = 65_536
"""
Bytes that are held for a client whose peer is not there yet, beyond what one read
brings.
"""


class RelaySplice:
    """
    Joins two clients' connections, and limits how many bytes pass, in all and a second.

    The relay makes it when the second client comes.  It ends when both connections
    have ended, of themselves or by L{abort}.

    @ivar connections: the two; the one that waited comes first.
    @ivar started: when, in seconds of the server's clock.
    """

    def __init__(
        self,
        clock: IReactorTime,
        limits: Limits,
        first: SplicedConnection,
        second: SplicedConnection,
        ended: Callable[[RelaySplice], None],
    ) -> None:
        """
        @param ended: called when both connections have ended.
        """
        self.connections = (first, second)
        self.started = clock.seconds()
        self._clock = clock
        self._ended = ended
        self._open = 2
        self._carried = 0
        self._isAborted = False
        self._resumption: IDelayedCall | None = None
        self._budget = SpliceBudget(
            limits.spliceBytes, limits.spliceBytesPerSecond, self.started
        )

    def start(self) -> None:
        """
        Tell both clients, and pass bytes on from now on.
        """
        first, second = self.connections
        for each in self.connections:
            each.spliced(self, self._budget)
        first.join(second)
        second.join(first)
        for each in self.connections:
            each.passHeld()

    def takeCarried(self) -> int:
        """
        Bytes carried since this was called last.
        """
        before, self._carried = self._carried, self._budget.spent
        return self._carried - before

    def settleBudget(self) -> None:
        """
        Compare the bytes that passed with the clock, and pause both connections if they
        are too fast.
        """
        if self._isAborted:
            return
        try:
            pause = self._budget.settle(self._clock.seconds())
        except RelayBytesSpent as error:
            self.abort(error)
            return
        # What still comes during a pause is counted when the budget is settled next.
        if pause and self._resumption is None:
            self._resumption = self._clock.callLater(pause, self._resume)
            for each in self.connections:
                each.throttle()

    def _resume(self) -> None:
        self._resumption = None
        for each in self.connections:
            each.unthrottle()

    def abort(self, error: RelayError) -> None:
        """
        Abort both connections, and log C{error} once.
        """
        self.connections[0].logRefusal(error)
        self._isAborted = True
        for each in self.connections:
            each.abort()

    def connectionEnded(self) -> None:
        """
        One of the connections has ended.
        """
        self._open -= 1
        if not self._open:
            if self._resumption is not None:
                self._resumption.cancel()
            self._ended(self)


class SplicedConnection(SocketEnd):
    """
    One client's connection to the relay, from its ticket to its end.

    The server's connection makes it, and passes on to it what arrives.  Until the
    relay has joined it with the peer's connection, what arrives is held; if it holds
    too much, it stops reading.

    @ivar key: what the client is counted under.
    @ivar logRefusal: logs why the client was refused or aborted.
    @ivar abandoned: called if the connection ends while it waits for the peer.
    """

    other: SplicedConnection
    abandoned: Callable[[], object] | None = None

    _splice: RelaySplice | None = None
    _budget: SpliceBudget | None = None
    _held: list[bytes]
    _heldBytes = 0
    _isRefused = False
    _isPaused = False
    _isThrottled = False

    def __init__(
        self,
        key: Hashable,
        logRefusal: Callable[[RelayError], None],
        refused: Callable[[], None],
    ) -> None:
        """
        @param refused: called if the client is refused; then the connection ends as
            soon as the client ends it.
        """
        self.key = key
        self.logRefusal = logRefusal
        self._refused = refused
        self._held = []

    def connectionMade(self) -> None:
        if ITCPTransport.providedBy(self.transport):
            # Nothing else would notice a host that is gone.
            self.transport.setTcpKeepAlive(True)

    # While it waits.

    def _hold(self, data: bytes) -> None:
        if self._isRefused:
            return
        self._held.append(data)
        self._heldBytes += len(data)
        if self._heldBytes >= MAX_HELD:
            self.transport.pauseProducing()

    def refuse(self, error: RelayError) -> None:
        """
        Send the client the status of C{error}, and end the connection.

        The reading side stays open: to close a connection with unread bytes makes TCP
        reset it, and the status might be lost.
        """
        self._isRefused = True
        self._held.clear()
        self.logRefusal(error)
        self._refused()
        self.transport.write(STATUSES.encode(error))
        self.transport.resumeProducing()
        self.finish()

    # Spliced.

    def spliced(self, splice: RelaySplice, budget: SpliceBudget) -> None:
        """
        The peer's connection is there: tell the client.
        """
        self._splice, self._budget = splice, budget
        # From here on the peer's connection is what writes to our transport.
        self.transport.unregisterProducer()
        self.transport.write(STATUSES.encode(None))

    def passHeld(self) -> None:
        """
        Pass on what was held, now that both connections are joined.
        """
        held, self._held = self._held, []
        if held:
            self.dataReceived(b"".join(held))
        if self.heardEnd:
            self.other.finish()
        else:
            self._readOn()

    def dataReceived(self, data: bytes) -> None:
        budget = self._budget
        if budget is None:
            self._hold(data)
            return
        self.consumer.write(data)
        budget.left -= len(data)
        if budget.left < 0 and self._splice is not None:
            self._splice.settleBudget()

    def throttle(self) -> None:
        """
        Read nothing until L{unthrottle}.
        """
        self._isThrottled = True
        self.transport.pauseProducing()

    def unthrottle(self) -> None:
        """
        Read on, unless the peer's transport is full.
        """
        self._isThrottled = False
        self._readOn()

    def pauseProducing(self) -> None:
        self._isPaused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._isPaused = False
        self._readOn()

    def _readOn(self) -> None:
        # After the end, Twisted would report the end again.
        if not (self._isPaused or self._isThrottled or self.heardEnd):
            self.transport.resumeProducing()

    # The end.

    def readConnectionLost(self) -> None:
        if self._splice is not None:
            SocketEnd.readConnectionLost(self)
        else:
            self.heardEnd = True
            if self._isRefused:
                self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._splice is not None:
            SocketEnd.connectionLost(self, reason)
            self._splice.connectionEnded()
        elif self.abandoned is not None:
            self.abandoned()

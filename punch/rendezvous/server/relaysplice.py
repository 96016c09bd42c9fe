"""
Half a splice: one client's connection, from its ticket to its end.

A splice of the relay: two clients' connections that are one to them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from punch.net.splice import SocketEnd
from punch.rendezvous.relayerrors import RelayBytesSpent, RelayError
from punch.rendezvous.relaypreamble import Status, statusOf
from punch.rendezvous.server.ratelimit import SpliceBudget

if TYPE_CHECKING:
    from punch.rendezvous.server.relay import Relay


class RelaySplice:
    """
    Two halves and their budget, from when the second came until both are gone.

    @ivar halves: the two, the one that waited first.
    @ivar began: when, by the rendezvous' clock.
    """

    def __init__(
        self, relay: Relay, first: RelayedConnection, second: RelayedConnection
    ) -> None:
        self.halves = (first, second)
        self.began = relay.clock.seconds()
        self._relay = relay
        self._living = 2
        self._told = 0
        self._isCut = False
        self._waking: IDelayedCall | None = None
        limits = relay.limits
        self._budget = SpliceBudget(
            limits.spliceBytes, limits.spliceBytesPerSecond, self.began
        )

    def begin(self) -> None:
        """
        Join them.
        """
        first, second = self.halves
        for half in self.halves:
            half.begin(self, self._budget)
        first.join(second)
        second.join(first)
        for half in self.halves:
            half.release()

    def carried(self) -> int:
        """
        Bytes carried since this was last asked.
        """
        before, self._told = self._told, self._budget.spent
        return self._told - before

    def reckon(self) -> None:
        """
        So much has passed that it is time to look at the clock, and perhaps to rest.
        """
        if self._isCut:
            return
        try:
            pause = self._budget.reckon(self._relay.clock.seconds())
        except RelayBytesSpent as error:
            self._relay.cut(self, error)
            return
        # What comes although we rest is paid for at the next reckoning.
        if pause and self._waking is None:
            self._waking = self._relay.clock.callLater(pause, self._wake)
            for half in self.halves:
                half.rest()

    def _wake(self) -> None:
        self._waking = None
        for half in self.halves:
            half.wake()

    def cut(self) -> None:
        """
        Break both off.
        """
        self._isCut = True
        for half in self.halves:
            half.abort()

    def halfLost(self) -> None:
        """
        One of the connections has ended.
        """
        self._living -= 1
        if not self._living:
            if self._waking is not None:
                self._waking.cancel()
            self._relay.ended(self)


if TYPE_CHECKING:
    from punch.rendezvous.server.relay import Pair, Relay

HELD = 65_536
"""
Bytes that we hold for a client whose other side is not there yet, beyond what is
read at once.
"""


class RelayedConnection(SocketEnd):
    """
    One of two connections that the relay joins.  Until it has, what comes is held.

    @ivar key: what its client is counted under.
    @ivar tell: tells the log of what goes too far.
    @ivar pair: the tickets, while it waits for the other.
    @ivar splice: what it is half of, from then on.
    """

    other: RelayedConnection
    pair: Pair | None = None
    splice: RelaySplice | None = None

    _budget: SpliceBudget | None = None
    _held: list[bytes]
    _size = 0
    _isRefused = False
    _isFull = False
    _isResting = False

    def __init__(
        self,
        relay: Relay,
        key: Hashable,
        tell: Callable[[RelayError], None],
        refused: Callable[[], None],
    ) -> None:
        """
        @param refused: is called if we are refused; the connection ends by itself,
            as soon as the client wants it to.
        """
        self.key = key
        self.tell = tell
        self._relay = relay
        self._refused = refused
        self._held = []

    def connectionMade(self) -> None:
        if ITCPTransport.providedBy(self.transport):
            # Nobody else would notice a host that is gone.
            self.transport.setTcpKeepAlive(True)

    # Waiting.

    def _hold(self, data: bytes) -> None:
        """
        Keep what comes before the other side is there.
        """
        if self._isRefused:
            return
        self._held.append(data)
        self._size += len(data)
        if self._size >= HELD:
            self.transport.pauseProducing()

    def refuse(self, error: RelayError) -> None:
        """
        Tell the client why not, and end its connection; to close at once, with
        what it has sent unread, might take our word from it.
        """
        self._isRefused = True
        self._held.clear()
        self.tell(error)
        self._refused()
        self.transport.write(statusOf(error).encode())
        self.transport.resumeProducing()
        self.finish()

    # Spliced.

    def begin(self, splice: RelaySplice, budget: SpliceBudget) -> None:
        """
        The other side is there.
        """
        self.splice, self._budget = splice, budget
        # From here on the other side is what writes to ours.
        self.transport.unregisterProducer()
        self.transport.write(Status.SPLICED.encode())

    def release(self) -> None:
        """
        Pass on what was held, now that both are joined.
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
        self.peer.write(data)
        budget.left -= len(data)
        if budget.left < 0 and self.splice is not None:
            self.splice.reckon()

    def rest(self) -> None:
        """
        Read nothing until L{wake}.
        """
        self._isResting = True
        self.transport.pauseProducing()

    def wake(self) -> None:
        """
        Read on, if the other side takes more.
        """
        self._isResting = False
        self._readOn()

    def pauseProducing(self) -> None:
        self._isFull = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._isFull = False
        self._readOn()

    def _readOn(self) -> None:
        # Twisted would tell a second time of an end that was read already.
        if not (self._isFull or self._isResting or self.heardEnd):
            self.transport.resumeProducing()

    # Its end.

    def readConnectionLost(self) -> None:
        if self.splice is not None:
            SocketEnd.readConnectionLost(self)
        else:
            self.heardEnd = True
            if self._isRefused:
                self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.splice is not None:
            SocketEnd.connectionLost(self, reason)
            self.splice.halfLost()
        else:
            self._relay.gone(self)

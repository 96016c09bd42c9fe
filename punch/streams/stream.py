"""
The stream: one flow on a link, as its protocol sees it.

To a protocol it is a transport like TCP's: half-close, producers and consumers,
abort.  What ends the other side's protocol early ends ours early too, and is told
as an error; a clean end is one that both have agreed on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import Protocol as Shape

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.net.address import PunchAddress
from punch.util.deferreds import SharedResult
from punch.util.transports import FixedTCPOptions, PushFromPull
from punch.yamux.stream import HIGH_MARK

LINGER = 30.0
"""
Seconds that the other side has to finish too, once we want no more.
"""

_OVERHANG = 1 << 16
"""
Bytes that it may send meanwhile, in vain.
"""


class Carrier(Shape):
    """
    What a stream needs of the multiplexer that carries it.
    """

    clock: IReactorTime

    def write(self, stream: int, data: bytes) -> None:
        """
        Send in turn.
        """

    def queued(self, stream: int) -> int:
        """
        Bytes that were written and are not sent.
        """

    def finish(self, stream: int) -> None:
        """
        Send no more after that.
        """

    def reset(self, stream: int) -> None:
        """
        End both directions.
        """

    def consumed(self, stream: int, count: int) -> None:
        """
        Received bytes have been taken.
        """

    def settled(self, stream: Stream) -> None:
        """
        Whose stream it is, is known: it hears of itself from now on.
        """

    def addresses(self) -> tuple[PunchAddress, PunchAddress]:
        """
        Ours, the peer's.
        """


class _Sending(Enum):
    OPEN = "open"
    LAST = "only a registered producer may write, and then no one"
    FINISHED = "finished"


@implementer(ITransport, IConsumer, IPushProducer)
class Stream(FixedTCPOptions):
    """
    The transport of a protocol that talks to a service, or is one.

    Its bytes wait until L{start}.
    """

    disconnecting = False

    def __init__(self, carrier: Carrier, id: int) -> None:
        self.id = id
        self.connected = True
        self._carrier = carrier
        self._protocol: IProtocol | None = None
        self._sending = _Sending.OPEN
        self._producer: IProducer | None = None
        self._producerPaused = False
        self._held: deque[bytes] | None = None
        self._paused = True
        self._delivering = False
        self._peerFinished = False
        self._vain = 0
        self._linger: IDelayedCall | None = None
        self._lost: Failure | None = None
        self._ended: SharedResult[None] = SharedResult()

    # The application's side.

    def start(self, protocol: IProtocol) -> None:
        """
        Let C{protocol} run on this stream, once.
        """
        self._protocol = protocol
        self._paused = False
        protocol.makeConnection(self)
        self._deliver()

    def whenEnded(self) -> Deferred[None]:
        """
        Fires when the protocol has heard that its stream is over.
        """
        return self._ended.wait()

    def write(self, data: bytes) -> None:
        if self._sending is _Sending.OPEN or (
            self._sending is _Sending.LAST and self._producer is not None
        ):
            self._carrier.write(self.id, data)
            if self._producer is not None and not self._producerPaused:
                self._checkQueue()

    def _checkQueue(self) -> None:
        if self._carrier.queued(self.id) > HIGH_MARK:
            producer = self._producer
            assert IPushProducer.providedBy(producer)
            self._producerPaused = True
            producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseWriteConnection(self) -> None:
        """
        Finish writing, when a registered producer has; the other side may go on.
        """
        if self._sending is _Sending.OPEN:
            self._sending = _Sending.LAST
        if self._producer is None:
            self._finish()

    def _finish(self) -> None:
        """
        Write no more.
        """
        if self._sending is _Sending.FINISHED:
            return
        self._sending = _Sending.FINISHED
        self._carrier.finish(self.id)
        if not self.disconnecting and IHalfCloseableProtocol.providedBy(self._protocol):
            self._protocol.writeConnectionLost()

    def loseConnection(self) -> None:
        """
        Finish writing, and want no more.  What the other side still writes is
        dropped; if it writes on and on, or never finishes, it is reset.
        """
        if self.disconnecting or not self.connected:
            return
        self.disconnecting = True
        self._dropHeld()
        self._startLinger()
        self.loseWriteConnection()

    def _dropHeld(self) -> None:
        held, self._held = self._held, None
        self._waste(sum(map(len, held or ())))

    def _waste(self, count: int) -> None:
        self._vain += count
        isDone = self._sending is _Sending.FINISHED
        if self._vain > _OVERHANG and isDone and not self._carrier.queued(self.id):
            self._depart()

    def _startLinger(self) -> None:
        queued = self._carrier.queued(self.id)
        self._linger = self._carrier.clock.callLater(LINGER, self._lingered, queued)

    def _lingered(self, before: int) -> None:
        """
        That was the other side's time to finish, unless it still takes what we
        have sent.
        """
        if self._producer is None and self._carrier.queued(self.id) == before:
            self._depart()
        else:
            self._startLinger()

    def _depart(self) -> None:
        unsent = self._carrier.queued(self.id) > 0
        self.lost(Failure(ConnectionLost() if unsent else ConnectionDone()))
        self._carrier.reset(self.id)

    def abortConnection(self) -> None:
        """
        End the stream at once; the other side hears an error.
        """
        if self.connected:
            self._held = None
            self._carrier.reset(self.id)
            # If it was over, and only its data was still to be taken:
            self._deliver()

    @property
    def unsent(self) -> int:
        """
        Bytes that were written and wait for their turn, or for the other side.
        """
        return self._carrier.queued(self.id)

    def getHost(self) -> PunchAddress:
        return self._carrier.addresses()[0]

    def getPeer(self) -> PunchAddress:
        return self._carrier.addresses()[1]

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        if not self.connected:
            producer.stopProducing()
            return
        if not streaming:
            producer = PushFromPull(self._carrier.clock, producer)
        self._producer = producer
        self._producerPaused = False
        if isinstance(producer, PushFromPull):
            producer.resumeProducing()
        self._checkQueue()

    def unregisterProducer(self) -> None:
        producer, self._producer = self._producer, None
        if isinstance(producer, PushFromPull):
            producer.pauseProducing()
        if self._sending is _Sending.LAST and self.connected:
            self._finish()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        if self._protocol is not None:
            self._paused = False
            self._deliver()

    def stopProducing(self) -> None:
        self.loseConnection()

    # The multiplexer's side.

    def dataReceived(self, data: bytes) -> None:
        """
        The next bytes from the other side.
        """
        if self.disconnecting:
            self._waste(len(data))
        elif self._paused or self._held or self._delivering:
            if self._held is None:
                self._held = deque()
            self._held.append(data)
        else:
            self._carrier.consumed(self.id, len(data))
            assert self._protocol is not None
            self._protocol.dataReceived(data)

    def finished(self) -> None:
        """
        The other side will send no more.
        """
        self._peerFinished = True
        self._deliver()

    def drained(self) -> None:
        """
        There is room again for what is written.
        """
        producer = self._producer
        if producer is not None and self._producerPaused:
            self._producerPaused = False
            assert IPushProducer.providedBy(producer)
            producer.resumeProducing()

    def lost(self, reason: Failure) -> None:
        """
        The stream is over.  (What is still held of a clean one is delivered
        first.)
        """
        if self._lost is not None:
            return
        self._lost = reason
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        self._sending = _Sending.FINISHED
        if reason.check(ConnectionDone) is None:
            self._held = None
        self._deliver()

    def _deliver(self) -> None:
        """
        Give out what is held, and then the ends, in order even if the protocol
        pauses and resumes from within.
        """
        if self._delivering or self._protocol is None:
            return
        self._delivering = True
        try:
            while self._held and not self._paused:
                data = self._held.popleft()
                self._carrier.consumed(self.id, len(data))
                self._protocol.dataReceived(data)
        finally:
            self._delivering = False
        if not self._held:
            self._held = None
            self._deliverEnds()

    def _deliverEnds(self) -> None:
        if self._peerFinished and not self._paused:
            self._peerFinished = False
            self._tellFinished()
        if self._lost is not None and self.connected:
            self.connected = False
            self._tellLost(self._lost)

    def _tellFinished(self) -> None:
        if self.disconnecting or self._lost is not None:
            return
        if IHalfCloseableProtocol.providedBy(self._protocol):
            self._protocol.readConnectionLost()
        else:
            self._stopProducer()
            self.loseConnection()

    def _tellLost(self, reason: Failure) -> None:
        self._stopProducer()
        protocol, self._protocol = self._protocol, None
        try:
            if protocol is not None:
                protocol.connectionLost(reason)
        finally:
            self._ended.succeed(None)

    def _stopProducer(self) -> None:
        producer = self._producer
        if producer is not None:
            self.unregisterProducer()
            producer.stopProducing()

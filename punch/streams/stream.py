"""
The stream: one of the flows on a link, and the transport of its protocol.

It is a transport like TCP's: half-close, producers and consumers, abort.  What ends the
other side's protocol early ends ours early too, and is reported as an error; a clean
end is one that both sides have agreed on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import Protocol

from twisted.internet import interfaces
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.net.address import PunchAddress
from punch.util.deferreds import SharedResult
from punch.util.transports import ProducedTransport
from punch.yamux.stream import HIGH_MARK

LINGER = 30.0
"""
Seconds that the other side has to finish too, after L{Stream.loseConnection}.
"""

_MAX_DROPPED = 1 << 16
"""
Bytes that the other side may send meanwhile, which are dropped.
"""


class Carrier(Protocol):
    """
    What a stream calls on the multiplexer that carries it.
    """

    clock: interfaces.IReactorTime

    def write(self, stream: int, data: bytes) -> None:
        """
        Send C{data} on a stream, in turn with the others.
        """

    def queued(self, stream: int) -> int:
        """
        Bytes that were written to a stream and not sent yet.
        """

    def finish(self, stream: int) -> None:
        """
        Send no more on a stream, after what was written.
        """

    def reset(self, stream: int) -> None:
        """
        End both directions of a stream at once.
        """

    def consumed(self, stream: int, count: int) -> None:
        """
        The application has taken received bytes of a stream.
        """

    def requestEnded(self, stream: Stream) -> None:
        """
        A stream's request was answered: the stream receives its events from now on.
        """

    def addresses(self) -> tuple[PunchAddress, PunchAddress]:
        """
        The address of our end of the link, and of the peer's.
        """


class _Sending(Enum):
    """
    How far the writing direction of a stream has come.
    """

    OPEN = "open"
    LAST = "a registered producer may still write, and nobody after it"
    FINISHED = "finished"


@implementer(interfaces.ITransport, interfaces.IConsumer, interfaces.IPushProducer)
class Stream(ProducedTransport):
    """
    The transport of a protocol that uses a service, or that is one.

    An outbound or inbound request makes it; what arrives is held until L{start} gives
    it a protocol.  It ends when both sides have finished, when one aborts, or with its
    link.

    @ivar id: names the stream in the yamux session.
    @ivar connected: whether the protocol has not been told of the end yet.
    """

    disconnecting = False

    def __init__(self, carrier: Carrier, id: int) -> None:
        self.id = id
        self._carrier = carrier
        self._protocol: interfaces.IProtocol | None = None
        self._sending = _Sending.OPEN
        self._held: deque[bytes] | None = None
        self._isPaused = True
        self._isDelivering = False
        self._hasPeerFinished = False
        self._dropped = 0
        self._linger: interfaces.IDelayedCall | None = None
        self._lost: Failure | None = None
        self._ended: SharedResult[None] = SharedResult()

    # For the application.

    def start(self, protocol: interfaces.IProtocol) -> None:
        """
        Run C{protocol} on this stream; this is called once.
        """
        self._protocol = protocol
        self._isPaused = False
        protocol.makeConnection(self)
        self._deliver()

    def whenEnded(self) -> Deferred[None]:
        """
        Fires when the protocol has been told that the stream ended.
        """
        return self._ended.wait()

    def write(self, data: bytes) -> None:
        if self._sending is _Sending.OPEN or (
            self._sending is _Sending.LAST and self._producer is not None
        ):
            self._carrier.write(self.id, data)
            self._checkQueue()

    def _checkQueue(self) -> None:
        if self._producer is not None and self._carrier.queued(self.id) > HIGH_MARK:
            self._setProducing(False)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseWriteConnection(self) -> None:
        """
        Finish writing, after a registered producer has finished; the other side may
        still send.
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
        if not self.disconnecting and interfaces.IHalfCloseableProtocol.providedBy(
            self._protocol
        ):
            self._protocol.writeConnectionLost()

    def loseConnection(self) -> None:
        """
        Finish writing, and stop reading.  What the other side still sends is dropped;
        if it sends too much, or does not finish in time, the stream is reset.
        """
        if self.disconnecting or not self.connected:
            return
        self.disconnecting = True
        self._dropHeld()
        self._startLinger()
        self.loseWriteConnection()

    def _dropHeld(self) -> None:
        held, self._held = self._held, None
        self._drop(sum(map(len, held or ())))

    def _drop(self, count: int) -> None:
        self._dropped += count
        isDone = self._sending is _Sending.FINISHED
        if (
            self._dropped > _MAX_DROPPED
            and isDone
            and not self._carrier.queued(self.id)
        ):
            self._giveUp()

    def _startLinger(self) -> None:
        queued = self._carrier.queued(self.id)
        self._linger = self._carrier.clock.callLater(
            LINGER, self._lingerExpired, queued
        )

    def _lingerExpired(self, before: int) -> None:
        """
        The other side's time to finish is over; it gets more if it is still taking what
        we wrote.
        """
        if self._producer is None and self._carrier.queued(self.id) == before:
            self._giveUp()
        else:
            self._startLinger()

    def _giveUp(self) -> None:
        unsent = self._carrier.queued(self.id) > 0
        self.lost(Failure(ConnectionLost() if unsent else ConnectionDone()))
        self._carrier.reset(self.id)

    def abortConnection(self) -> None:
        """
        End the stream at once; the other side sees an error.
        """
        if self.connected:
            self._held = None
            self._carrier.reset(self.id)
            # If it had ended, and only its data was still held:
            self._deliver()

    @property
    def unsent(self) -> int:
        """
        Bytes that were written and wait for their turn, or for the other side to take
        earlier ones.
        """
        return self._carrier.queued(self.id)

    def getHost(self) -> PunchAddress:
        return self._carrier.addresses()[0]

    def getPeer(self) -> PunchAddress:
        return self._carrier.addresses()[1]

    def registerProducer(self, producer: interfaces.IProducer, streaming: bool) -> None:
        self._setProducer(self._carrier.clock, producer, streaming)
        self._checkQueue()

    def unregisterProducer(self) -> None:
        ProducedTransport.unregisterProducer(self)
        if self._sending is _Sending.LAST and self.connected:
            self._finish()

    def pauseProducing(self) -> None:
        self._isPaused = True

    def resumeProducing(self) -> None:
        if self._protocol is not None:
            self._isPaused = False
            self._deliver()

    def stopProducing(self) -> None:
        self.loseConnection()

    # For the multiplexer.

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes arrived from the other side.
        """
        if self.disconnecting:
            self._drop(len(data))
        elif self._isPaused or self._held or self._isDelivering:
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
        self._hasPeerFinished = True
        self._deliver()

    def drained(self) -> None:
        """
        There is room again for what is written.
        """
        self._setProducing(True)

    def lost(self, reason: Failure) -> None:
        """
        The stream ended.  If the end is clean, what is held is delivered first.
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
        Deliver what is held and then the ends, in order, even if the protocol pauses
        and resumes meanwhile.
        """
        if self._isDelivering or self._protocol is None:
            return
        self._isDelivering = True
        try:
            while self._held and not self._isPaused:
                data = self._held.popleft()
                self._carrier.consumed(self.id, len(data))
                self._protocol.dataReceived(data)
        finally:
            self._isDelivering = False
        if not self._held:
            self._held = None
            self._deliverEnds()

    def _deliverEnds(self) -> None:
        if self._hasPeerFinished and not self._isPaused:
            self._hasPeerFinished = False
            self._tellFinished()
        if self._lost is not None and self.connected:
            self.connected = False
            self._tellLost(self._lost)

    def _tellFinished(self) -> None:
        if self.disconnecting or self._lost is not None:
            return
        if interfaces.IHalfCloseableProtocol.providedBy(self._protocol):
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

"""
The multiplexer: a protocol on a link, which carries the streams of both sides.

The rules of the multiplexing protocol are in L{punch.yamux}.  This moves bytes between
the link, the yamux session and the streams.
"""

from __future__ import annotations

import typing
from collections import deque
from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import Attribute, implementer

from punch.errors import PathLost, ProtocolViolation
from punch.net.address import PunchAddress
from punch.role import Role
from punch.streams.errors import GoingAway, StreamReset, TooManyStreams
from punch.streams.inbound import InboundRequest, Offers
from punch.streams.outbound import OutboundRequest
from punch.streams.stream import Stream
from punch.util.deferreds import SharedResult
from punch.yamux import errors as refusals
from punch.yamux.batching import BatchSize
from punch.yamux.events import (
    Completed,
    Drained,
    Event,
    Finished,
    Opened,
    Received,
    Reset,
    WentAway,
)
from punch.yamux.frames import HEADER_SIZE
from punch.yamux.limits import SessionLimits
from punch.yamux.session import Session

MAX_STREAMS = 2000
"""
Streams that may be open at once; beyond that, the peer's requests are refused.
"""

MAX_WAITING = 1024
"""
Requests that may wait until the peer has acknowledged earlier ones.
"""

# The session allows some more, for the streams that are being refused.
_LIMITS = SessionLimits(remoteStreams=MAX_STREAMS + 256)

_HINT = "does the other side use --expose or --forward too?"


class ILinkTransport(ITransport, IConsumer):
    """
    What a multiplexer needs of the link that it runs on
    (L{punch.link.transport.Link} provides it).
    """

    role: Role = Attribute("Our role in the link.")

    def getHost() -> PunchAddress:
        """
        The address of our end.
        """

    def getPeer() -> PunchAddress:
        """
        The address of the peer's end.
        """


class _Receiver(typing.Protocol):
    """
    What receives the events of a stream: its request, and then the stream itself.
    """

    def dataReceived(self, data: bytes) -> None: ...

    def finished(self) -> None: ...

    def drained(self) -> None: ...

    def lost(self, reason: Failure) -> None: ...


@implementer(IPushProducer)
class Multiplexer(Protocol):
    """
    Runs many streams on one link; either side may open them.

    Start it on a link like any protocol; it ends with its link.  L{open} asks the peer
    for a service, and C{offers} are the services that the peer may ask for.  For its
    streams it is the L{punch.streams.stream.Carrier}.
    """

    transport: ILinkTransport

    _session: Session

    def __init__(
        self,
        clock: IReactorTime,
        offers: Offers,
        ready: Callable[[Multiplexer], None] = lambda multiplexer: None,
    ) -> None:
        """
        @param offers: the services that the peer may ask for; they may change at any
            time.
        @param ready: called when the multiplexer runs on its link.
        """
        self._ready = ready
        self.clock = clock
        self._offers = offers
        self._receivers: dict[int, _Receiver] = {}
        self._waiting: deque[tuple[str, Deferred[OutboundRequest]]] = deque()
        self._receivedBytes = 0
        self._isFlowing = False
        self._batch = BatchSize()
        self._isPumping = False
        self._isGoingAway = False
        self._idle: SharedResult[None] = SharedResult()
        self._ended: SharedResult[None] = SharedResult()

    # For the application.

    def open(self, service: str) -> Deferred[OutboundRequest]:
        """
        Ask the peer for a service.

        @return: fires with the request, at once or when the peer has acknowledged
            earlier ones.  Cancelling withdraws it.
        @raise punch.streams.errors.GoingAway: one side opens no more streams.
        @raise punch.streams.errors.TooManyStreams: too many requests wait.
        """
        if len(self._waiting) >= MAX_WAITING:
            return fail(TooManyStreams())
        if not self.takesRequests:
            return fail(GoingAway())
        opened: Deferred[OutboundRequest] = Deferred(self._cancelOpen)
        self._waiting.append((service, opened))
        self._openWaiting()
        return opened

    @property
    def streamCount(self) -> int:
        """
        How many streams are open.
        """
        return len(self._receivers)

    @property
    def takesRequests(self) -> bool:
        """
        Whether new streams may be opened: neither side goes away, and the link has not
        ended.
        """
        return not (self._isGoingAway or self._ended.settled)

    def goAway(self) -> Deferred[None]:
        """
        Open and accept no more streams, and tell the peer so.

        @return: fires when the last stream has ended.
        """
        self._goAway()
        self._session.goAway()
        self._pump()
        self._checkIdle()
        return self._idle.wait()

    def leave(self) -> None:
        """
        Close the link, and with it the streams that are left.
        """
        self._isFlowing = False
        self._goAway()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def whenEnded(self) -> Deferred[None]:
        """
        Fires when the link has ended.
        """
        return self._ended.wait()

    def _cancelOpen(self, opened: Deferred[OutboundRequest]) -> None:
        self._waiting = deque(each for each in self._waiting if each[1] is not opened)

    def _openWaiting(self) -> None:
        """
        Open the streams of requests that wait, as far as the session allows.
        """
        while self._waiting:
            try:
                id = self._session.open()
            except refusals.StreamLimitReached:
                return
            except refusals.CannotOpen:
                self._goAway()
                return
            service, opened = self._waiting.popleft()
            request = OutboundRequest(self, id, service)
            self._receivers[id] = request
            opened.callback(request)

    def _goAway(self) -> None:
        self._isGoingAway = True
        while self._waiting:
            self._waiting.popleft()[1].errback(GoingAway())

    def _checkIdle(self) -> None:
        if self._isGoingAway and not self._receivers and not self._idle.settled:
            self._idle.succeed(None)

    # The link's side.

    def connectionMade(self) -> None:
        self._session = Session(self.transport.role, _LIMITS)
        self._isFlowing = True
        self.transport.registerProducer(self, True)
        self._ready(self)

    def dataReceived(self, data: bytes) -> None:
        try:
            events = self._session.receive(data, self.clock.seconds())
        except ProtocolViolation as violation:
            if self._receivedBytes < HEADER_SIZE:
                raise ProtocolViolation(f"{violation.detail}; {_HINT}")
            raise
        self._receivedBytes += len(data)
        self._isPumping = True  # What the events cause is sent together.
        try:
            self._handle(events)
            self._openWaiting()
        finally:
            self._isPumping = False
        self._pump()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._isFlowing = False
        self._ended.succeed(None)
        self._goAway()
        if reason.check(ConnectionDone):
            # The link ended cleanly, but a stream that was open did not.
            lost = ConnectionLost("the link ended")
            lost.__cause__ = PathLost()
            reason = Failure(lost)
        receivers, self._receivers = self._receivers, {}
        for receiver in receivers.values():
            receiver.lost(reason)
        self._checkIdle()

    def pauseProducing(self) -> None:
        self._isFlowing = False
        self._batch.paused(self.clock.seconds())

    def resumeProducing(self) -> None:
        self._isFlowing = True
        self._batch.resumed(self.clock.seconds())
        self._pump()

    def stopProducing(self) -> None:
        self._isFlowing = False

    def _pump(self) -> None:
        """
        Send what the session has to send, as far as the link takes it.
        """
        if self._isPumping:
            return
        self._isPumping = True
        session, batch = self._session, self._batch
        next = partial(session.nextFrames, self.clock.seconds())
        try:
            while self._isFlowing and (pieces := batch.gather(next)):
                self.transport.writeSequence(pieces)
        finally:
            self._isPumping = False
        events = session.takeEvents()
        if events:
            self._handle(events)

    # Events of the session.

    def _handle(self, events: list[Event]) -> None:
        receivers = self._receivers
        for event in events:
            if isinstance(event, Received):
                # The hot path of a bulk transfer.
                receiver = receivers.get(event.stream)
                if receiver is not None:
                    receiver.dataReceived(event.data)
            elif isinstance(event, Opened):
                self._opened(event.stream)
            elif isinstance(event, WentAway):
                self._goAway()
                self._checkIdle()
            else:
                self._streamChanged(event)

    def _opened(self, id: int) -> None:
        stream = Stream(self, id)
        isTooMany = len(self._receivers) >= MAX_STREAMS
        self._receivers[id] = InboundRequest(self, stream, self._offers, isTooMany)

    def _streamChanged(self, event: Finished | Reset | Completed | Drained) -> None:
        receiver = self._receivers.get(event.stream)
        if receiver is None:
            return
        if isinstance(event, Drained):
            receiver.drained()
        elif isinstance(event, Finished):
            receiver.finished()
        elif isinstance(event, Reset):
            self._drop(event.stream)
            lost = ConnectionLost("the stream was reset")
            lost.__cause__ = StreamReset()
            receiver.lost(Failure(lost))
        elif isinstance(event, Completed):
            self._drop(event.stream)
            receiver.lost(Failure(ConnectionDone()))

    def _drop(self, id: int) -> None:
        self._receivers.pop(id, None)
        self._checkIdle()

    # For the streams.

    def write(self, stream: int, data: bytes) -> None:
        """
        Send C{data} on a stream, in turn with the others.
        """
        self._session.write(stream, data)
        self._pump()

    def queued(self, stream: int) -> int:
        """
        Bytes that were written to a stream and not sent yet.
        """
        return self._session.queued(stream)

    def finish(self, stream: int) -> None:
        """
        Send no more on a stream, after what was written.
        """
        self._session.finish(stream)
        self._pump()

    def reset(self, stream: int) -> None:
        """
        End both directions of a stream at once.
        """
        self._session.reset(stream)
        receiver = self._receivers.get(stream)
        self._drop(stream)
        self._pump()
        if receiver is not None:
            receiver.lost(Failure(ConnectionAborted()))

    def consumed(self, stream: int, count: int) -> None:
        """
        The application has taken received bytes of a stream: allow the peer more.
        """
        self._session.consumed(stream, count, self.clock.seconds())
        if not self._isPumping:
            # The peer must hear of it, even if nothing else is to be sent.
            self._pump()

    def requestEnded(self, stream: Stream) -> None:
        """
        A stream's request was answered: the stream receives its events from now on.
        """
        if stream.id in self._receivers:
            self._receivers[stream.id] = stream

    def addresses(self) -> tuple[PunchAddress, PunchAddress]:
        """
        The address of our end of the link, and of the peer's.
        """
        return self.transport.getHost(), self.transport.getPeer()

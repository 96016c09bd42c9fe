"""
The multiplexer: runs on a link, and carries the streams of both sides.

The rules are L{punch.yamux}'s; here are those who follow them: it moves bytes
between the link, the session and the streams.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol as Shape

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
    Closed,
    Drained,
    Event,
    Finished,
    Opened,
    Received,
    Reset,
    WentAway,
)
from punch.yamux.frames import HEADER_SIZE
from punch.yamux.limits import Limits
from punch.yamux.session import Session

MOST_STREAMS = 2000
"""
Streams of the peer's that may live at once.
"""

MOST_WAITING = 1024
"""
Requests that may wait for the peer to acknowledge earlier ones.
"""

# The session's own limit leaves room for streams that are being refused.
_LIMITS = Limits(theirs=MOST_STREAMS + 256)

_NO_STREAMS = "does the other side use --expose or --forward too?"


class ILinkTransport(ITransport, IConsumer):
    """
    What a multiplexer needs of the link that it runs on (L{punch.link.transport.Link}).
    """

    role: Role = Attribute("Ours in the link.")

    def getHost() -> PunchAddress:
        """
        Our end.
        """

    def getPeer() -> PunchAddress:
        """
        The peer's.
        """


class _Receiver(Shape):
    """
    Who hears of a stream: the stream, or before that its request or call.
    """

    def dataReceived(self, data: bytes) -> None: ...

    def finished(self) -> None: ...

    def drained(self) -> None: ...

    def lost(self, reason: Failure) -> None: ...


@implementer(IPushProducer)
class Multiplexer(Protocol):
    """
    All streams on one link, from when it runs on that.  (To them it is a
    L{punch.streams.stream.Carrier}.)
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
        @param offers: what the peer may have; it may change at any time.
        @param ready: called when it runs on a link.
        """
        self._ready = ready
        self.clock = clock
        self._offers = offers
        self._receivers: dict[int, _Receiver] = {}
        self._waiting: deque[tuple[str, Deferred[OutboundRequest]]] = deque()
        self._heard = 0
        self._flowing = False
        self._portion = BatchSize()
        self._pumping = False
        self._isGoing = False
        self._idle: SharedResult[None] = SharedResult()
        self._ended: SharedResult[None] = SharedResult()

    # For who uses it.

    def open(self, service: str) -> Deferred[OutboundRequest]:
        """
        Ask the peer for a service.  Fires at once, or when the peer has
        acknowledged earlier requests.

        @raise punch.streams.errors.GoingAway: one side opens no more streams.
        @raise punch.streams.errors.TooManyStreams: too many requests wait.
        """
        if len(self._waiting) >= MOST_WAITING:
            return fail(TooManyStreams())
        if not self.takesRequests:
            return fail(GoingAway())
        wish: Deferred[OutboundRequest] = Deferred(self._unwish)
        self._waiting.append((service, wish))
        self._openWaiting()
        return wish

    @property
    def live(self) -> int:
        """
        How many streams there are.
        """
        return len(self._receivers)

    @property
    def takesRequests(self) -> bool:
        """
        Whether L{open} has a chance.
        """
        return not (self._isGoing or self._ended.settled)

    def goAway(self) -> Deferred[None]:
        """
        Open and accept no more streams.

        @return: fires when the last one has ended.
        """
        self._goAway()
        self._session.goAway()
        self._pump()
        self._checkIdle()
        return self._idle.wait()

    def leave(self) -> None:
        """
        End the link, and with it the streams that still live.
        """
        self._flowing = False
        self._goAway()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def whenEnded(self) -> Deferred[None]:
        """
        Fires when the link is no more.
        """
        return self._ended.wait()

    def _unwish(self, wish: Deferred[OutboundRequest]) -> None:
        self._waiting = deque(each for each in self._waiting if each[1] is not wish)

    def _openWaiting(self) -> None:
        """
        Open what waits, as far as the session lets us.
        """
        while self._waiting:
            try:
                id = self._session.open()
            except refusals.TooManyStreams:
                return
            except refusals.CannotOpen:
                self._goAway()
                return
            service, wish = self._waiting.popleft()
            request = OutboundRequest(self, id, service)
            self._receivers[id] = request
            wish.callback(request)

    def _goAway(self) -> None:
        self._isGoing = True
        while self._waiting:
            self._waiting.popleft()[1].errback(GoingAway())

    def _checkIdle(self) -> None:
        if self._isGoing and not self._receivers and not self._idle.settled:
            self._idle.succeed(None)

    # The link's side.

    def connectionMade(self) -> None:
        self._session = Session(self.transport.role, _LIMITS)
        self._flowing = True
        self.transport.registerProducer(self, True)
        self._ready(self)

    def dataReceived(self, data: bytes) -> None:
        try:
            events = self._session.receive(data, self.clock.seconds())
        except ProtocolViolation as violation:
            if self._heard < HEADER_SIZE:
                raise ProtocolViolation(f"{violation.detail}; {_NO_STREAMS}")
            raise
        self._heard += len(data)
        self._pumping = True  # What this leads to goes out together.
        try:
            self._happen(events)
            self._openWaiting()
        finally:
            self._pumping = False
        self._pump()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._flowing = False
        self._ended.succeed(None)
        self._goAway()
        if reason.check(ConnectionDone):
            # Clean for the link, but not for a stream that was not done.
            lost = ConnectionLost("the link ended")
            lost.__cause__ = PathLost()
            reason = Failure(lost)
        receivers, self._receivers = self._receivers, {}
        for receiver in receivers.values():
            receiver.lost(reason)
        self._checkIdle()

    def pauseProducing(self) -> None:
        self._flowing = False
        self._portion.filled(self.clock.seconds())

    def resumeProducing(self) -> None:
        self._flowing = True
        self._portion.drained(self.clock.seconds())
        self._pump()

    def stopProducing(self) -> None:
        self._flowing = False

    def _pump(self) -> None:
        """
        Send what may be sent.
        """
        if self._pumping:
            return
        self._pumping = True
        session, portion = self._session, self._portion
        next = partial(session.nextPiece, self.clock.seconds())
        try:
            while self._flowing and (pieces := portion.gather(next)):
                self.transport.writeSequence(pieces)
        finally:
            self._pumping = False
        events = session.takeEvents()
        if events:
            self._happen(events)

    # What happened, according to the session.

    def _happen(self, events: list[Event]) -> None:
        receivers = self._receivers
        for event in events:
            if isinstance(event, Received):
                # The hot path of a bulk transfer.
                receiver = receivers.get(event.stream)
                if receiver is not None:
                    receiver.dataReceived(event.data)
            elif isinstance(event, Opened):
                self._called(event.stream)
            elif isinstance(event, WentAway):
                self._goAway()
                self._checkIdle()
            else:
                self._changed(event)

    def _called(self, id: int) -> None:
        stream = Stream(self, id)
        isTooMany = len(self._receivers) >= MOST_STREAMS
        self._receivers[id] = InboundRequest(self, stream, self._offers, isTooMany)

    def _changed(self, event: Finished | Reset | Closed | Drained) -> None:
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
        elif isinstance(event, Closed):
            self._drop(event.stream)
            receiver.lost(Failure(ConnectionDone()))

    def _drop(self, id: int) -> None:
        self._receivers.pop(id, None)
        self._checkIdle()

    # The streams' side.

    def write(self, stream: int, data: bytes) -> None:
        """
        Send in turn.
        """
        self._session.write(stream, data)
        self._pump()

    def queued(self, stream: int) -> int:
        """
        Bytes that were written and are not sent.
        """
        return self._session.queued(stream)

    def finish(self, stream: int) -> None:
        """
        Send no more after that.
        """
        self._session.finish(stream)
        self._pump()

    def reset(self, stream: int) -> None:
        """
        End both directions.
        """
        self._session.reset(stream)
        receiver = self._receivers.get(stream)
        self._drop(stream)
        self._pump()
        if receiver is not None:
            receiver.lost(Failure(ConnectionAborted()))

    def consumed(self, stream: int, count: int) -> None:
        """
        Received bytes have been taken.
        """
        self._session.consumed(stream, count, self.clock.seconds())
        if not self._pumping:
            # A paused reader that resumes must be heard of.
            self._pump()

    def settled(self, stream: Stream) -> None:
        """
        Whose stream it is, is known.
        """
        if stream.id in self._receivers:
            self._receivers[stream.id] = stream

    def addresses(self) -> tuple[PunchAddress, PunchAddress]:
        """
        Ours, the peer's.
        """
        return self.transport.getHost(), self.transport.getPeer()

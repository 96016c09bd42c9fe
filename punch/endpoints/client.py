"""
The shared link: what the client endpoints of one process have in common that mean
the same peer.

There is a link while somebody uses it.  Whoever comes first dials; those who come
meanwhile wait with him, and the dial is given up when the last of them is.

The used link: one that carries the streams of our clients, and ends with the last.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, TimeoutError
from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorCore,
    IReactorTime,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from punch.endpoints.sharing import Appointment, Shared
from punch.errors import PunchError
from punch.link.transport import Link
from punch.peer.description import rendezvousEndpoint
from punch.peer.dialer import Dialer
from punch.peer.peer import Peer
from punch.peer.settings import Settings
from punch.streams.errors import ServiceSilent
from punch.streams.multiplexer import Multiplexer
from punch.streams.stream import Stream
from punch.util.deferreds import SharedResult

GOODBYE = 2.0
"""
Seconds that we wait for links to end.
"""


def whenGone(clock: IReactorTime, links: Iterable[Link]) -> Deferred[Any]:
    """
    Wait for links that are ending, but no longer than L{GOODBYE}: a slow one may
    have bytes to deliver yet, so it is left to itself (L{punch.link.transport.LINGER}).
    """
    ended = DeferredList([link.whenReleased() for link in links], consumeErrors=True)
    return ended.addTimeout(GOODBYE, clock, lambda result, timeout: None)


class UsedLink:
    """
    A link that ends when nobody uses it any more.
    """

    def __init__(self, clock: IReactorTime, link: Link) -> None:
        self.link = link
        self._clock = clock
        self._users = 0
        self._isLeft = False
        self._multiplexer = Multiplexer(clock, {})
        link.start(self._multiplexer)

    @property
    def isOpen(self) -> bool:
        """
        Whether one more may use it.
        """
        return self.link.connected and self._multiplexer.takesRequests

    @property
    def isForsaken(self) -> bool:
        """
        Whether it has ended, or is about to, and that is none of our doing.
        """
        return not (self._isLeft or self.isOpen)

    async def connect(
        self, service: str, factory: IProtocolFactory, patience: float
    ) -> IProtocol:
        """
        Let a protocol of C{factory} talk to a service.

        @param patience: seconds that the peer has to accept.
        @raise punch.streams.errors.StreamError: it does not.
        @raise punch.errors.LinkError: the link ended first.
        @raise NoProtocol: the factory makes none.
        """
        self._users += 1
        asked = Deferred.fromCoroutine(self._request(service))
        try:
            stream = await asked.addTimeout(patience, self._clock)
        except TimeoutError:
            self._left(None)
            raise ServiceSilent(service) from None
        except Exception:
            self._left(None)
            raise
        stream.whenEnded().addCallback(self._left)
        return _run(factory, stream)

    async def _request(self, service: str) -> Stream:
        request = await self._multiplexer.open(service)
        try:
            await request.whenAccepted()
        except CancelledError:
            request.stream.abortConnection()
            raise
        return request.stream

    def _left(self, result: None) -> None:
        self._users -= 1
        self.endUnused()

    def endUnused(self) -> None:
        """
        End the link, cleanly, if nobody uses it.
        """
        if not self._users and self.link.connected and not self._isLeft:
            self._isLeft = True
            self._multiplexer.leave()


def _run(factory: IProtocolFactory, stream: Stream) -> IProtocol:
    """
    Let a new protocol run on C{stream}.
    """
    factory.doStart()
    stream.whenEnded().addCallback(lambda result: factory.doStop())
    try:
        protocol = factory.buildProtocol(stream.getPeer())
        if protocol is None:
            raise NoProtocol()
    except Exception:
        stream.start(Protocol())
        stream.abortConnection()
        raise
    try:
        stream.start(protocol)
    except Exception:
        stream.abortConnection()
        raise
    return protocol


LAST_CALL = 0.5
"""
Seconds that those who use a link when the reactor stops have to leave it.
"""


class SharedLink:
    """
    One link at a time to one peer.
    """

    def __init__(self, reactor: Any, appointment: Appointment) -> None:
        """
        @raise punch.errors.BadEndpoint: of the rendezvous.
        """
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._appointment = appointment
        self._rendezvous = rendezvousEndpoint(reactor, appointment.rendezvous)
        self._current: UsedLink | None = None
        self._links: dict[Link, UsedLink] = {}
        self._waiting: dict[Deferred[UsedLink], Settings] = {}
        self._dialing: Deferred[UsedLink] | None = None
        self._dialed: SharedResult[None]
        self._released: SharedResult[None] = SharedResult()
        self._shutdown: Any = None

    async def connect(
        self, service: str, factory: IProtocolFactory, settings: Settings
    ) -> IProtocol:
        """
        Let a protocol of C{factory} talk to a service of the peer.  Cancelling
        leaves nothing behind that others do not use.

        @param settings: those of the dial, if there has to be one.
        @raise PunchError: why there is no link, or no service.
        @raise twisted.internet.error.NoProtocol: the factory makes none.
        """
        current = self._current
        if current is not None and current.isOpen:
            try:
                return await current.connect(service, factory, settings.timeout)
            except PunchError:
                if not current.isForsaken:
                    raise
                # The link was over, and we hadn't heard.
        fresh = await self._link(settings)
        return await fresh.connect(service, factory, settings.timeout)

    def whenReleased(self) -> Deferred[None]:
        """
        Fires as soon as there is neither a link nor a dial.
        """
        released = self._released.wait()
        self._checkReleased()
        return released

    # The dial.

    async def _link(self, settings: Settings) -> UsedLink:
        """
        A new link, ours or one that is being dialed already.
        """
        waiter: Deferred[UsedLink] = Deferred(self._forgo)
        self._waiting[waiter] = settings
        if self._dialing is None:
            self._startDial()
        dialed = self._dialed
        try:
            return await waiter
        except CancelledError:
            if not self._waiting:
                await dialed.wait()
            raise

    def _forgo(self, waiter: Deferred[UsedLink]) -> None:
        self._waiting.pop(waiter, None)
        if not self._waiting and self._dialing is not None:
            self._dialing.cancel()

    def _startDial(self) -> None:
        self._holdReactor()
        settings = next(iter(self._waiting.values()))
        self._dialed = SharedResult()
        self._dialing = dialing = Deferred.fromCoroutine(self._dial(settings))
        dialing.addBoth(self._hasDialed, self._dialed)

    async def _dial(self, settings: Settings) -> UsedLink:
        # The one before may have the port that we are to use.
        await whenGone(
            self._clock, [each for each in self._links if each.disconnecting]
        )
        who = self._appointment
        peer = Peer(self._reactor, settings)
        dialer = Dialer(peer, self._rendezvous, who.name, who.secret)
        return UsedLink(self._clock, await dialer.run())

    def _hasDialed(
        self, result: UsedLink | Failure, dialed: SharedResult[None]
    ) -> None:
        self._dialing = None
        if isinstance(result, UsedLink):
            self._adopt(result)
        if isinstance(result, Failure) and result.check(CancelledError):
            # Given up; but somebody may have come since.
            if self._waiting:
                self._startDial()
        else:
            self._settle(result)
        dialed.succeed(None)
        self._checkReleased()

    def _adopt(self, used: UsedLink) -> None:
        self._current = used
        self._links[used.link] = used
        used.link.whenReleased().addCallback(lambda _: self._ended(used))

    def _settle(self, result: UsedLink | Failure) -> None:
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            # One may cancel another while it is told.
            if not each.called:
                each.callback(result)
        if isinstance(result, UsedLink):
            result.endUnused()

    # The end.

    def _ended(self, used: UsedLink) -> None:
        del self._links[used.link]
        if self._current is used:
            self._current = None
        self._checkReleased()

    def _checkReleased(self) -> None:
        if self._dialing is not None or self._links:
            return
        self._releaseReactor()
        released, self._released = self._released, SharedResult()
        released.succeed(None)

    def _holdReactor(self) -> None:
        """
        A reactor that stops drops what it has not sent yet, even on a stream that
        its protocol knows to be done.
        """
        if self._shutdown is None and IReactorCore.providedBy(self._reactor):
            self._shutdown = self._reactor.addSystemEventTrigger(
                "before", "shutdown", self._shutDown
            )

    def _releaseReactor(self) -> None:
        trigger, self._shutdown = self._shutdown, None
        if trigger is not None:
            self._reactor.removeSystemEventTrigger(trigger)

    def _shutDown(self) -> Deferred[None]:
        self._shutdown = None
        return Deferred.fromCoroutine(self._finish())

    async def _finish(self) -> None:
        released = self.whenReleased()
        released.addTimeout(LAST_CALL, self._clock, lambda result, timeout: None)
        await released
        await whenGone(
            self._clock, [each for each in self._links if each.disconnecting]
        )


sharedLinks: Shared[SharedLink] = Shared(SharedLink)
"""
Those of all reactors.
"""

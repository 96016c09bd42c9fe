"""
The shared link: the one link of all client endpoints that connect to the same peer.

The first client dials.  Clients that come while the dial goes on wait for it, too, and
when all of them have been cancelled the dial is cancelled.  The link is closed when its
last client's connection has ended.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorCore,
    IReactorTime,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from punch.endpoints.sharing import MeetingParameters, SharedInstance, SharedInstances
from punch.errors import PunchError
from punch.link.transport import Link
from punch.peer.dialer import Dialer
from punch.peer.peer import Peer
from punch.peer.settings import Settings
from punch.streams.errors import ServiceSilent
from punch.streams.multiplexer import Multiplexer
from punch.streams.stream import Stream
from punch.util.deferreds import SharedResult


class UsedLink:
    """
    A link with a count of its users: it is closed when the last one has gone.

    L{SharedLink} makes one when a dial has succeeded.
    """

    def __init__(self, clock: IReactorTime, link: Link) -> None:
        self.link = link
        self._clock = clock
        self._users = 0
        self._isClosing = False
        self._multiplexer = Multiplexer(clock, {})
        link.start(self._multiplexer)

    @property
    def isOpen(self) -> bool:
        """
        Whether it can take another user.
        """
        return self.link.connected and self._multiplexer.takesRequests

    @property
    def hasFailed(self) -> bool:
        """
        Whether it has ended, or is about to, other than by us.
        """
        return not (self._isClosing or self.isOpen)

    async def connect(
        self, service: str, factory: IProtocolFactory, timeout: float
    ) -> IProtocol:
        """
        Open a stream to a service, and start a protocol of C{factory} on it.

        @param timeout: seconds that the peer has to accept the stream.
        @raise punch.streams.errors.StreamError: the peer does not accept it.
        @raise punch.errors.LinkError: the link ended first.
        @raise NoProtocol: the factory makes no protocol.
        """
        self._users += 1
        asked = Deferred.fromCoroutine(self._request(service))
        try:
            stream = await asked.addTimeout(timeout, self._clock)
        except TimeoutError:
            self._userGone(None)
            raise ServiceSilent(service) from None
        except Exception:
            self._userGone(None)
            raise
        stream.whenEnded().addCallback(self._userGone)
        return _run(factory, stream)

    async def _request(self, service: str) -> Stream:
        request = await self._multiplexer.open(service)
        try:
            await request.whenAccepted()
        except CancelledError:
            request.stream.abortConnection()
            raise
        return request.stream

    def _userGone(self, result: None) -> None:
        self._users -= 1
        self.closeIfUnused()

    def closeIfUnused(self) -> None:
        """
        Close the link, cleanly, if it has no user.
        """
        if not self._users and self.link.connected and not self._isClosing:
            self._isClosing = True
            self._multiplexer.leave()


def _run(factory: IProtocolFactory, stream: Stream) -> IProtocol:
    """
    Make a protocol and start it on C{stream}.
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


SHUTDOWN_TIMEOUT = 0.5
"""
Seconds that the users of a link have to end when the reactor stops.
"""


class SharedLink(SharedInstance[UsedLink]):
    """
    Dials a peer when a client endpoint needs a link, and has all clients use that link.

    The endpoints with the same parameters share one; L{sharedLinks} finds it.  There is
    at most one link at a time that takes new clients.
    """

    def __init__(self, reactor: Any, parameters: MeetingParameters) -> None:
        SharedInstance.__init__(self, reactor, parameters)
        self._current: UsedLink | None = None
        self._waiting: dict[Deferred[UsedLink], Settings] = {}
        self._dialing: Deferred[UsedLink] | None = None
        self._dialed: SharedResult[None]
        self._released: SharedResult[None] = SharedResult()
        self._shutdown: Any = None

    async def connect(
        self, service: str, factory: IProtocolFactory, settings: Settings
    ) -> IProtocol:
        """
        Connect a protocol of C{factory} to a service of the peer.  When it is cancelled
        nothing is left but what other clients use.

        @param settings: for the dial, if this client is the first.
        @raise PunchError: there is no link, or no such service.
        @raise twisted.internet.error.NoProtocol: the factory makes no protocol.
        """
        current = self._current
        if current is not None and current.isOpen:
            try:
                return await current.connect(service, factory, settings.timeout)
            except PunchError:
                if not current.hasFailed:
                    raise
                # The link had ended, and we had not noticed yet.
        fresh = await self._link(settings)
        return await fresh.connect(service, factory, settings.timeout)

    def whenReleased(self) -> Deferred[None]:
        """
        Fires as soon as there is neither a link nor a dial in progress.
        """
        released = self._released.wait()
        self._checkReleased()
        return released

    # Dialing.

    async def _link(self, settings: Settings) -> UsedLink:
        """
        Wait for a new link: from the dial in progress, or from one that we start.
        """
        waiter: Deferred[UsedLink] = Deferred(self._cancelled)
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

    def _cancelled(self, waiter: Deferred[UsedLink]) -> None:
        self._waiting.pop(waiter, None)
        if not self._waiting and self._dialing is not None:
            self._dialing.cancel()

    def _startDial(self) -> None:
        self._addShutdownTrigger()
        settings = next(iter(self._waiting.values()))
        self._dialed = SharedResult()
        self._dialing = dialing = Deferred.fromCoroutine(self._dial(settings))
        dialing.addBoth(self._hasDialed, self._dialed)

    async def _dial(self, settings: Settings) -> UsedLink:
        # The link before may still use the port that we are to use.
        await self._whenClosed()
        who = self._parameters
        peer = Peer(self._reactor, settings)
        dialer = Dialer(peer, self._rendezvous, who.name, who.secret)
        return UsedLink(self._clock, await dialer.run())

    def _hasDialed(
        self, result: UsedLink | Failure, dialed: SharedResult[None]
    ) -> None:
        self._dialing = None
        if isinstance(result, UsedLink):
            self._linked(result)
        if isinstance(result, Failure) and result.check(CancelledError):
            # Cancelled; but another client may have come since.
            if self._waiting:
                self._startDial()
        else:
            self._answer(result)
        dialed.succeed(None)
        self._checkReleased()

    def _linked(self, used: UsedLink) -> None:
        self._current = used
        self._links[used.link] = used
        used.link.whenReleased().addCallback(lambda _: self._ended(used))

    def _answer(self, result: UsedLink | Failure) -> None:
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            # A callback may cancel another one that waits.
            if not each.called:
                each.callback(result)
        if isinstance(result, UsedLink):
            result.closeIfUnused()

    # Closing.

    def _ended(self, used: UsedLink) -> None:
        del self._links[used.link]
        if self._current is used:
            self._current = None
        self._checkReleased()

    def _checkReleased(self) -> None:
        if self._dialing is not None or self._links:
            return
        self._removeShutdownTrigger()
        released, self._released = self._released, SharedResult()
        released.succeed(None)

    def _addShutdownTrigger(self) -> None:
        """
        Have the reactor wait for the links when it stops: it would drop what is not
        sent yet, even on a stream whose protocol has finished.
        """
        if self._shutdown is None and IReactorCore.providedBy(self._reactor):
            self._shutdown = self._reactor.addSystemEventTrigger(
                "before", "shutdown", self._shutDown
            )

    def _removeShutdownTrigger(self) -> None:
        trigger, self._shutdown = self._shutdown, None
        if trigger is not None:
            self._reactor.removeSystemEventTrigger(trigger)

    def _shutDown(self) -> Deferred[None]:
        self._shutdown = None
        return Deferred.fromCoroutine(self._finish())

    async def _finish(self) -> None:
        released = self.whenReleased()
        released.addTimeout(SHUTDOWN_TIMEOUT, self._clock, lambda result, timeout: None)
        await released
        await self._whenClosed()


sharedLinks: SharedInstances[SharedLink] = SharedInstances(SharedLink)
"""
The shared links of all reactors.
"""

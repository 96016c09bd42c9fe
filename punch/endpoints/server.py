"""
The shared listener: one peer that waits for all server endpoints with the same
parameters, and the port object that each of these endpoints answers with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
)
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from punch import events
from punch.endpoints.sharing import MeetingParameters, SharedInstance, SharedInstances
from punch.errors import PunchError
from punch.link.transport import Link
from punch.net.address import PunchAddress
from punch.peer.listener import Listener
from punch.peer.peer import Peer
from punch.peer.settings import Settings
from punch.service import reportedError
from punch.signaling.meetingpoint import MeetingPoint
from punch.streams.errors import StreamError
from punch.streams.inbound import Offer
from punch.streams.multiplexer import Multiplexer
from punch.util.deferreds import SharedResult


@implementer(IAddress)
@dataclass(frozen=True)
class ServiceAddress:
    """
    The address of a service that listens.

    @ivar name: the standing name; or the number of the code, which is the part that the
        rendezvous knows.  It is never a secret.
    @ivar service: the service's name.
    """

    name: str
    service: str

    def __str__(self) -> str:
        return f"{self.service} at {self.name}"


@implementer(IListeningPort)
class ServicePort:
    """
    The listening port of one service, as Twisted sees it.

    L{PunchServerEndpoint.listen<punch.endpoints.endpoints.PunchServerEndpoint.listen>}
    makes one, and who has it stops it.
    """

    def __init__(
        self, where: Callable[[], ServiceAddress], stop: Callable[[], Deferred[None]]
    ) -> None:
        """
        @param where: the address of the service.
        @param stop: stops offering the service.
        """
        self._where = where
        self._stop = stop
        self._stopped: SharedResult[None] | None = None

    def startListening(self) -> None:
        """
        Do nothing: the port has been listening since it was made.

        @raise CannotListenError: it was stopped.  The endpoint makes another one.
        """
        if self._stopped is not None:
            where = self._where()
            raise CannotListenError(where.name, where.service, "it was stopped")

    def stopListening(self) -> Deferred[None]:
        """
        Stop offering the service.  Its connections go on.

        @return: fires when everything that only this service needed is released.
            Cancelling it only stops the wait.
        """
        if self._stopped is None:
            self._stopped = SharedResult()
            self._stop().addBoth(self._stopped._settle)
        return self._stopped.wait()

    def getHost(self) -> ServiceAddress:
        return self._where()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._where()}>"


RETRY_DELAY = 60.0
"""
Seconds until a listener that has failed listens again.
"""


class SharedListener(SharedInstance[Multiplexer]):
    """
    Listens as long as there is a service to offer, and offers all services on each
    link.

    The endpoints with the same parameters share one; L{sharedListeners} finds it.
    """

    _log = Logger()

    def __init__(self, reactor: Any, parameters: MeetingParameters) -> None:
        """
        @raise PunchError: the rendezvous is not an endpoint, or the name not allowed.
        """
        SharedInstance.__init__(self, reactor, parameters)
        self._name = name = parameters.name
        self._meetingPoint = (
            MeetingPoint.standing(name, parameters.secret) if name else None
        )
        self._tell: events.Tell = events.tellNobody
        self._offers: dict[str, Offer] = {}
        self._running: Deferred[None] | None = None
        self._published: SharedResult[None]
        self._closing: SharedResult[None] | None = None

    async def listen(
        self, service: str, factory: IProtocolFactory, settings: Settings
    ) -> ServicePort:
        """
        Offer what C{factory} builds.  When it is cancelled nothing is left but what
        other services use.

        @param settings: for the listener, if this service is the first.
        @raise CannotListenError: this service is offered already.
        @raise PunchError: the listener cannot start.
        """
        if service in self._offers:
            why = "it is offered by this process already; name another service"
            raise CannotListenError(self._name or "a code", service, why)
        self._offers[service] = _offer(service, factory)
        try:
            await self._startListening(settings)
        except Exception:
            await self._withdraw(service)
            raise
        factory.doStart()

        def stop() -> Deferred[None]:
            return self._withdraw(service).addBoth(lambda result: factory.doStop())

        return ServicePort(lambda: ServiceAddress(self._name, service), stop)

    # Listening.

    async def _startListening(self, settings: Settings) -> None:
        """
        Start the listener, if it does not run, and wait until it is published.
        """
        while self._closing is not None:
            await self._closing.wait()
        if self._running is None:
            self._published = SharedResult()
            self._tell = settings.tell
            own = replace(settings, tell=self._handleEvent)
            self._running = Deferred.fromCoroutine(self._run(own))
            self._running.addErrback(self._ended)
        await self._published.wait()

    async def _run(self, settings: Settings) -> None:
        """
        Listen.  After the first success no error is final: another listener is made
        L{RETRY_DELAY} seconds later.
        """
        while True:
            peer = Peer(self._reactor, settings)
            listener = Listener(
                peer,
                self._rendezvous,
                self._meetingPoint,
                self._linked,
                self._tellFailed,
            )
            try:
                await listener.run()
            except Exception:
                error = reportedError(Failure()) if self._published.settled else None
                if error is None:
                    raise
                self._tellFailed(error)
            await deferLater(self._clock, RETRY_DELAY, lambda: None)

    def _ended(self, failure: Failure) -> None:
        self._running = None
        if not self._published.settled:
            self._published.fail(failure)

    def _handleEvent(self, event: events.Event) -> None:
        """
        Follow the listener's progress by its events, and pass them on.
        """
        self._tell(event)
        if isinstance(event, events.CodeAllotted):
            self._name = event.code.partition("-")[0]
        elif isinstance(event, events.Waiting) and not self._published.settled:
            self._published.succeed(None)

    def _tellFailed(self, error: PunchError) -> None:
        self._tell(events.Failed(error.reason.value, str(error)))

    def _linked(self, link: Link) -> None:
        multiplexer = self._links[link] = Multiplexer(self._clock, self._offers)
        link.whenReleased().addCallback(self._unlinked, link)
        link.start(multiplexer)

    def _unlinked(self, released: None, link: Link) -> None:
        del self._links[link]

    # Closing.

    def _withdraw(self, service: str) -> Deferred[None]:
        """
        Stop offering a service.  With the last one, stop listening.
        """
        del self._offers[service]
        if self._offers:
            return succeed(None)
        closing = self._closing
        if closing is None:
            closing = self._closing = SharedResult()
            stopped = Deferred.fromCoroutine(self._stop())
            stopped.addErrback(lambda why: self._log.failure("stopping", why))
            stopped.addCallback(self._closed, closing)
        return closing.wait()

    async def _stop(self) -> None:
        """
        Leave the rendezvous, close the shared port, and close the links that have no
        streams.  The others are closed when their last stream ends.
        """
        running = self._running
        if running is not None:
            running.cancel()
            await DeferredList([running])
        for link, multiplexer in list(self._links.items()):
            multiplexer.goAway().addCallback(self._closeLink, link, multiplexer)
        await self._whenClosed()

    def _closeLink(self, result: None, link: Link, multiplexer: Multiplexer) -> None:
        if link in self._links:
            multiplexer.leave()

    def _closed(self, result: None, closing: SharedResult[None]) -> None:
        self._closing = None
        closing.succeed(None)


def _offer(service: str, factory: IProtocolFactory) -> Offer:
    """
    Make the offer of a service from the factory of its protocols.
    """

    def offer(peer: PunchAddress) -> Deferred[IProtocol]:
        protocol = factory.buildProtocol(peer)
        if protocol is None:
            raise StreamError(f"the factory of {service} makes no protocol for {peer}")
        return succeed(protocol)

    return offer


sharedListeners: SharedInstances[SharedListener] = SharedInstances(SharedListener)
"""
The shared listeners of all reactors.
"""

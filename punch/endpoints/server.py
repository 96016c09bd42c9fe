"""
The shared listener: what the server endpoints of one process have in common that
wait in the same place.

It listens while there is a service to offer.

The service port: what listens for one service, as far as Twisted is concerned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.endpoints.client import whenGone
from punch.endpoints.sharing import Appointment, Shared
from punch.errors import Bug, PunchError
from punch.events import (
    CodeAllotted,
    Event,
    Failed,
    Tell,
    Waiting,
    tellNobody,
)
from punch.link.transport import Link
from punch.net.address import PunchAddress
from punch.peer.description import rendezvousEndpoint
from punch.peer.listener import Listener
from punch.peer.peer import Peer
from punch.peer.settings import Settings
from punch.signaling.meetingpoint import MeetingPoint
from punch.streams.errors import StreamError
from punch.streams.inbound import Offer
from punch.streams.multiplexer import Multiplexer
from punch.util.deferreds import SharedResult


@implementer(IAddress)
@dataclass(frozen=True)
class ServiceAddress:
    """
    Where a service is waited for.

    C{name}: the standing name, or a code's number, which is the part of it that
    the rendezvous knows; never a secret.  C{service}: the service's name.
    """

    name: str
    service: str

    def __str__(self) -> str:
        return f"{self.service} at {self.name}"


@implementer(IListeningPort)
class ServicePort:
    """
    One service that is being offered.
    """

    def __init__(
        self, where: Callable[[], ServiceAddress], stop: Callable[[], Deferred[None]]
    ) -> None:
        """
        @param stop: ends the offer.
        """
        self._where = where
        self._stop = stop
        self._stopped: SharedResult[None] | None = None

    def startListening(self) -> None:
        """
        It has been listening since it was made; there is nothing to start.

        @raise CannotListenError: it was stopped; the endpoint makes another.
        """
        if self._stopped is not None:
            where = self._where()
            raise CannotListenError(where.name, where.service, "it was stopped")

    def stopListening(self) -> Deferred[None]:
        """
        Offer the service no more.  Its connections go on.

        @return: fires when all that only this service needed is released; to
            cancel it is to wait no longer.
        """
        if self._stopped is None:
            self._stopped = SharedResult()
            self._stop().addBoth(self._stopped._settle)
        return self._stopped.wait()

    def getHost(self) -> ServiceAddress:
        return self._where()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._where()}>"


PAUSE = 60.0
"""
Seconds until a listener that had to give up listens again.
"""


class SharedListener:
    """
    One listener and the services that it offers.
    """

    _log = Logger()

    def __init__(self, reactor: Any, appointment: Appointment) -> None:
        """
        @raise PunchError: the rendezvous' description or the name can't be.
        """
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._rendezvous = rendezvousEndpoint(reactor, appointment.rendezvous)
        self._name = name = appointment.name
        self._place = MeetingPoint.standing(name, appointment.secret) if name else None
        self._tell: Tell = tellNobody
        self._offers: dict[str, Offer] = {}
        self._links: dict[Link, Multiplexer] = {}
        self._running: Deferred[None] | None = None
        self._published: SharedResult[None]
        self._closing: SharedResult[None] | None = None

    async def listen(
        self, service: str, factory: IProtocolFactory, settings: Settings
    ) -> ServicePort:
        """
        Offer what C{factory} builds.  Cancelling leaves nothing behind that others
        do not use.

        @param settings: those of the listener, if it has to begin.
        @raise CannotListenError: this service is on offer already.
        @raise PunchError: why the listener can't begin.
        """
        if service in self._offers:
            why = "it is offered by this process already; name another service"
            raise CannotListenError(self._name or "a code", service, why)
        self._offers[service] = _offer(service, factory)
        try:
            await self._open(settings)
        except Exception:
            await self._withdraw(service)
            raise
        factory.doStart()

        def stop() -> Deferred[None]:
            return self._withdraw(service).addBoth(lambda result: factory.doStop())

        return ServicePort(lambda: ServiceAddress(self._name, service), stop)

    # Listening.

    async def _open(self, settings: Settings) -> None:
        """
        See that we listen.
        """
        while self._closing is not None:
            await self._closing.wait()
        if self._running is None:
            self._published = SharedResult()
            self._tell = settings.tell
            own = replace(settings, tell=self._hear)
            self._running = Deferred.fromCoroutine(self._run(own))
            self._running.addErrback(self._ended)
        await self._published.wait()

    async def _run(self, settings: Settings) -> None:
        """
        Listen; once we could, whatever comes ends only the listener that it met.
        """
        while True:
            peer = Peer(self._reactor, settings)
            listener = Listener(
                peer, self._rendezvous, self._place, self._linked, self._tellFailed
            )
            try:
                await listener.run()
            except CancelledError:
                raise
            except Exception as error:
                if not self._published.settled:
                    raise
                self._complain(error)
            await deferLater(self._clock, PAUSE, lambda: None)

    def _complain(self, error: Exception) -> None:
        if isinstance(error, PunchError):
            self._tellFailed(error)
        else:
            self._log.failure("A mistake of ours.", Failure(error))
            self._tellFailed(Bug())

    def _ended(self, failure: Failure) -> None:
        self._running = None
        if not self._published.settled:
            self._published.fail(failure)

    def _hear(self, event: Event) -> None:
        """
        Events tell us too how far the listener is.
        """
        self._tell(event)
        if isinstance(event, CodeAllotted):
            self._name = event.code.partition("-")[0]
        elif isinstance(event, Waiting) and not self._published.settled:
            self._published.succeed(None)

    def _tellFailed(self, error: PunchError) -> None:
        self._tell(Failed(error.reason.value, str(error)))

    def _linked(self, link: Link) -> None:
        multiplexer = self._links[link] = Multiplexer(self._clock, self._offers)
        link.whenReleased().addCallback(self._unlinked, link)
        link.start(multiplexer)

    def _unlinked(self, released: None, link: Link) -> None:
        del self._links[link]

    # The end.

    def _withdraw(self, service: str) -> Deferred[None]:
        """
        Offer it no more; with the last one, listen no more.
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
        Leave the rendezvous, close the shared port, and end the links that carry
        nothing; the others end when they carry nothing any more.
        """
        running = self._running
        if running is not None:
            running.cancel()
            await DeferredList([running])
        for link, multiplexer in list(self._links.items()):
            multiplexer.goAway().addCallback(self._leave, link, multiplexer)
        await whenGone(
            self._clock, [each for each in self._links if each.disconnecting]
        )

    def _leave(self, result: None, link: Link, multiplexer: Multiplexer) -> None:
        if link in self._links:
            multiplexer.leave()

    def _closed(self, result: None, closing: SharedResult[None]) -> None:
        self._closing = None
        closing.succeed(None)


def _offer(service: str, factory: IProtocolFactory) -> Offer:
    """
    What a factory builds, for those who want a service.
    """

    def offer(peer: PunchAddress) -> Deferred[IProtocol]:
        protocol = factory.buildProtocol(peer)
        if protocol is None:
            raise StreamError(f"the factory of {service} makes no protocol for {peer}")
        return succeed(protocol)

    return offer


sharedListeners: Shared[SharedListener] = Shared(SharedListener)
"""
Those of all reactors.
"""

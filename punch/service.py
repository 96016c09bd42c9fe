"""
Services: a peer that runs as part of an application.

A L{ListeningService} waits for dialers and runs a protocol of its factory on each link.
A L{DialingService} dials, and dials again when the link has ended.  A service is done
when it makes no sense to go on, or, if it is to make one link only, after that link:
C{whenDone} fires then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    TimeoutError,
)
from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch import errors
from punch.events import Failed, Tell
from punch.interfaces import IFarewell
from punch.link.plaintext import PlainLink
from punch.link.transport import Link
from punch.peer.listener import Listener, listenOnce
from punch.peer.peer import Peer, Rendezvous
from punch.signaling.meetingpoint import MeetingPoint
from punch.util.deferreds import SharedResult, shield

_log = Logger()

AnyLink = Link | PlainLink

CLOSE_TIMEOUT = 2.0
"""
Seconds that a link has to close cleanly when its service stops.
"""

ABSENCE_TIMEOUT = 120.0
"""
Seconds for which a dialer goes on dialing a code that worked before although nobody
waits under it: after a restart of the rendezvous a listener takes a while to come back.
"""

_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


def reportedError(failure: Failure) -> errors.PunchError | None:
    """
    The error to report for what a service's coroutine failed with.  What is no error of
    punch's is a mistake of ours, which is logged.

    @return: C{None} if the coroutine was cancelled.
    """
    error = failure.value
    if isinstance(error, CancelledError):
        return None
    if isinstance(error, errors.PunchError):
        return error
    _log.failure("A mistake of ours.", failure)
    return errors.Bug()


class PunchService(Service):
    """
    The base of the two services: it runs protocols on links and closes them in the end.

    An application makes one, and starts and stops it as any Twisted service.
    """

    def __init__(
        self, clock: IReactorTime, factory: IProtocolFactory, tell: Tell, once: bool
    ) -> None:
        """
        @param factory: builds a protocol for each link.
        @param tell: is called with each event.
        @param once: make one link only.
        """
        self._clock = clock
        self._factory = factory
        self._tell = tell
        self._once = once
        self._links: set[AnyLink] = set()
        self._running: Deferred[None] | None = None
        self._done: SharedResult[errors.PunchError | None] = SharedResult()

    def whenDone(self) -> Deferred[errors.PunchError | None]:
        """
        Wait until the service is done.

        @return: fires with C{None} if one link was to be made and ended cleanly,
            otherwise with the reason.
        """
        return self._done.wait()

    def startService(self) -> None:
        Service.startService(self)
        self._factory.doStart()
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._stopped)

    async def _run(self) -> None:
        raise NotImplementedError()

    def _tellFailed(self, error: errors.PunchError) -> None:
        self._tell(Failed(error.reason.value, str(error)))

    def _stopped(self, failure: Failure) -> None:
        error = reportedError(failure)
        if error is not None:
            if error is failure.value:
                self._tellFailed(error)
            self._done.succeed(error)

    def _runOn(self, link: AnyLink) -> Deferred[errors.LinkError | None]:
        """
        Run a protocol on C{link}.

        @return: fires when the link has ended: with the error, or C{None}.
        """
        protocol = self._factory.buildProtocol(link.getPeer())
        if protocol is None:
            link.abortConnection()
            return self._whenReleased(link)
        self._links.add(link)
        released = self._whenReleased(link).addCallback(self._linkEnded, link)
        link.start(protocol)
        return released

    @staticmethod
    def _whenReleased(link: AnyLink) -> Deferred[errors.LinkError | None]:
        """
        Wait until nothing is left of a link.

        @return: fires with the error that it ended with, or C{None}.
        """
        return link.whenReleased().addCallback(lambda _: link.whenEnded())

    def _linkEnded(
        self, error: errors.LinkError | None, link: AnyLink
    ) -> errors.LinkError | None:
        self._links.discard(link)
        if error is not None and not self._once:
            # The event has the reason only.
            _log.warn("{error}", error=error)
        return error

    def stopService(self) -> Deferred[None]:
        """
        Stop, and close all links.  Those that are not closed after L{CLOSE_TIMEOUT}
        seconds are aborted.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        Service.stopService(self)
        if self._running is not None:
            self._running.cancel()
            await DeferredList([self._running])
        if IFarewell.providedBy(self._factory):
            await self._goAway(IFarewell(self._factory))
        links = list(self._links)
        ended = DeferredList([link.whenReleased() for link in links])
        for link in links:
            link.loseConnection()
        aborting = self._clock.callLater(CLOSE_TIMEOUT, self._abort)
        await ended
        if aborting.active():
            aborting.cancel()
        self._factory.doStop()

    async def _goAway(self, factory: Any) -> None:
        gone: Deferred[Any] = shield(factory.goAway())
        try:
            await gone.addTimeout(CLOSE_TIMEOUT, self._clock)
        except TimeoutError:
            _log.info("Streams were still in use.")
        factory.leave()

    def _abort(self) -> None:
        for link in list(self._links):
            link.abortConnection()


class ListeningService(PunchService):
    """
    Waits for dialers, and runs a protocol on the link with each of them.
    """

    def __init__(
        self,
        peer: Peer,
        rendezvous: Rendezvous,
        meetingPoint: MeetingPoint | None,
        factory: IProtocolFactory,
        once: bool = False,
    ) -> None:
        """
        @param peer: our side of the links.
        @param rendezvous: the endpoint of the rendezvous.
        @param meetingPoint: the standing name to wait under; with C{None} a code is
            made.
        @param factory: builds a protocol for each link.
        @param once: make one link only.
        """
        PunchService.__init__(self, peer.clock, factory, peer.tell, once)
        self._where = (peer, rendezvous, meetingPoint)

    async def _run(self) -> None:
        if self._once:
            link = await listenOnce(*self._where)
            self._done.succeed(await self._runOn(link))
        else:
            listener = Listener(*self._where, self._linked, self._tellFailed)
            await listener.run()

    def _linked(self, link: Link) -> None:
        self._runOn(link)


class DialingService(PunchService):
    """
    Dials one peer, runs a protocol on the link, and dials again when that has ended.
    """

    def __init__(
        self,
        peer: Peer,
        meet: Callable[[], Awaitable[AnyLink]],
        factory: IProtocolFactory,
        once: bool = False,
        lasting: bool = False,
    ) -> None:
        """
        @param peer: our side of the links.
        @param meet: dials, and answers with the link.
        @param factory: builds a protocol for each link.
        @param once: make one link only.
        @param lasting: the other side has a standing name, not a code, so it may come,
            and come back, at any time.
        """
        PunchService.__init__(self, peer.clock, factory, peer.tell, once)
        self._meet = meet
        self._lasting = lasting
        self._met = False
        self._absentSince: float | None = None

    async def _run(self) -> None:
        pause = _SHORTEST_PAUSE
        while True:
            try:
                ended = await self._runOn(await self._meet())
            except errors.PunchError as error:
                if self._once or self._isFinal(error):
                    raise
                self._tellFailed(error)
            else:
                if self._once:
                    self._done.succeed(ended)
                    return
                self._met = True
                self._absentSince = None
                if not isinstance(ended, errors.ProtocolViolation):
                    pause = _SHORTEST_PAUSE
            _log.info("Trying again in {pause} s.", pause=pause)
            await deferLater(self._clock, pause, lambda: None)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _isFinal(self, error: errors.PunchError) -> bool:
        """
        Whether it makes no sense to dial again after an error.
        """
        if isinstance(error, errors.NoSuchName):
            return not self._lasting and self._isGone()
        self._absentSince = None
        if isinstance(error, errors.Unproven):
            # This was a wrong guess, and the code is used up.
            return not self._lasting
        if isinstance(error, errors.AuthenticationError):
            return True
        return (
            isinstance(error, (errors.Misuse, errors.RendezvousError)) and not self._met
        )

    def _isGone(self) -> bool:
        """
        Whether the listener, which now does not wait under the code, will not come
        back.
        """
        now = self._clock.seconds()
        if self._absentSince is None:
            self._absentSince = now
        return not self._met or now - self._absentSince >= ABSENCE_TIMEOUT

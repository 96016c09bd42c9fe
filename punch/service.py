"""
Services: a peer that runs as part of an application.

A L{ListeningService} waits for dialers and lets a protocol of its factory run on
each link; a L{DialingService} dials (or meets a peer directly), and again when a
link has ended.  Both end by themselves only when there is no sense in going on,
or, if they are to make but one link, after it: C{whenDone} tells.
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

from punch.errors import (
    AuthenticationError,
    Bug,
    LinkError,
    Misuse,
    NoSuchName,
    ProtocolViolation,
    PunchError,
    RendezvousError,
    Unproven,
)
from punch.events import Failed, Tell
from punch.interfaces import IFarewell
from punch.link.plaintext import PlainLink
from punch.link.transport import Link
from punch.peer.listener import Listener, listenOnce
from punch.peer.peer import Peer, Rendezvous
from punch.signaling.meetingpoint import MeetingPoint
from punch.util.deferreds import SharedResult, shield

AnyLink = Link | PlainLink

CLOSE_TIMEOUT = 2.0
"""
Seconds that a link has to end cleanly when its service stops.
"""

ABSENCE = 120.0
"""
Seconds for which nobody need wait under a code that was good: after the rendezvous
was restarted a listener takes a while to come back.
"""

_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


class PunchService(Service):
    """
    What the two services have in common: links, and an end.
    """

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, factory: IProtocolFactory, tell: Tell, once: bool
    ) -> None:
        """
        @param factory: builds a protocol for each link.
        @param once: end after one link.
        """
        self._clock = clock
        self._factory = factory
        self._tell = tell
        self._once = once
        self._links: set[AnyLink] = set()
        self._running: Deferred[None] | None = None
        self._done: SharedResult[PunchError | None] = SharedResult()

    def whenDone(self) -> Deferred[PunchError | None]:
        """
        Fires if the service has nothing more to do: with C{None} after one clean
        link, else with the reason.
        """
        return self._done.wait()

    def startService(self) -> None:
        Service.startService(self)
        self._factory.doStart()
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._stopped)

    async def _run(self) -> None:
        raise NotImplementedError()

    def _tellFailed(self, error: PunchError) -> None:
        self._tell(Failed(error.reason.value, str(error)))

    def _stopped(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, PunchError):
            self._tellFailed(error)
            self._finish(error)
        elif not isinstance(error, CancelledError):
            self._log.failure("A mistake of ours.", failure)
            self._finish(Bug())

    def _finish(self, error: PunchError | None) -> None:
        self._done.succeed(error)

    def _carry(self, link: AnyLink) -> Deferred[LinkError | None]:
        """
        Let a protocol run on C{link}.

        @return: fires with what its end was.
        """
        protocol = self._factory.buildProtocol(link.getPeer())
        if protocol is None:
            link.abortConnection()
            return self._whenOver(link)
        self._links.add(link)
        over = self._whenOver(link).addCallback(self._dropped, link)
        link.start(protocol)
        return over

    @staticmethod
    def _whenOver(link: AnyLink) -> Deferred[LinkError | None]:
        """
        What its end was, when its last words are said.
        """
        return link.whenReleased().addCallback(lambda _: link.whenEnded())

    def _dropped(self, error: LinkError | None, link: AnyLink) -> LinkError | None:
        self._links.discard(link)
        if error is not None and not self._once:
            # The event of its end has but the reason.
            self._log.warn("{error}", error=error)
        return error

    def stopService(self) -> Deferred[None]:
        """
        End all, cleanly if the other sides agree soon.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        Service.stopService(self)
        if self._running is not None:
            self._running.cancel()
            await DeferredList([self._running])
        if IFarewell.providedBy(self._factory):
            await self._sayFarewell(IFarewell(self._factory))
        links = list(self._links)
        ended = DeferredList([link.whenReleased() for link in links])
        for link in links:
            link.loseConnection()
        patience = self._clock.callLater(CLOSE_TIMEOUT, self._abort)
        await ended
        if patience.active():
            patience.cancel()
        self._factory.doStop()

    async def _sayFarewell(self, factory: Any) -> None:
        gone: Deferred[Any] = shield(factory.goAway())
        try:
            await gone.addTimeout(CLOSE_TIMEOUT, self._clock)
        except TimeoutError:
            self._log.info("Streams were still in use.")
        factory.leave()

    def _abort(self) -> None:
        for link in list(self._links):
            link.abortConnection()


class ListeningService(PunchService):
    """
    Waits for dialers.
    """

    def __init__(
        self,
        peer: Peer,
        rendezvous: Rendezvous,
        place: MeetingPoint | None,
        factory: IProtocolFactory,
        once: bool = False,
    ) -> None:
        """
        @param place: where to wait; C{None}: under a code that is made then.
        """
        PunchService.__init__(self, peer.clock, factory, peer.tell, once)
        self._where = (peer, rendezvous, place)

    async def _run(self) -> None:
        if self._once:
            link = await listenOnce(*self._where)
            self._finish(await self._carry(link))
        else:
            listener = Listener(*self._where, self._linked, self._tellFailed)
            await listener.run()

    def _linked(self, link: Link) -> None:
        self._carry(link)


class DialingService(PunchService):
    """
    Meets one peer, and again when the link has ended.
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
        @param meet: begins one meeting.
        @param lasting: the other side has a lasting name, so it may come, and come
            back, at any time.
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
                ended = await self._carry(await self._meet())
            except PunchError as error:
                if self._once or self._isFinal(error):
                    raise
                self._tellFailed(error)
            else:
                if self._once:
                    self._finish(ended)
                    return
                self._met = True
                self._absentSince = None
                if not isinstance(ended, ProtocolViolation):
                    pause = _SHORTEST_PAUSE
            self._log.info("Trying again in {pause} s.", pause=pause)
            await deferLater(self._clock, pause, lambda: None)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _isFinal(self, error: PunchError) -> bool:
        """
        Whether to try again would be of no use, or was never of any.
        """
        if isinstance(error, NoSuchName):
            return not self._lasting and self._isGone()
        self._absentSince = None
        if isinstance(error, Unproven):
            # With a code it was a guess, which has used that up.
            return not self._lasting
        if isinstance(error, AuthenticationError):
            return True
        return isinstance(error, (Misuse, RendezvousError)) and not self._met

    def _isGone(self) -> bool:
        """
        Nobody waits under the code.  Does somebody still come back to it?
        """
        now = self._clock.seconds()
        if self._absentSince is None:
            self._absentSince = now
        return not self._met or now - self._absentSince >= ABSENCE

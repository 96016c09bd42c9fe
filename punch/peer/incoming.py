"""
The reception: where a listener meets those who want a link, or a link's other path.

The lobby: strangers whose TLS is done, until it is known whose they are.

A dialer's connection may come in before its introduction does, or from a port
that nobody told us of, while others are being met too.  Its pin says to which
introduction it belongs; that pin may still be on its way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch.errors import NoSuchName, PunchError, RendezvousError
from punch.events import Failed, Introduced
from punch.ice.gate import Gate
from punch.ice.race import Race
from punch.ice.selected import SelectedPath
from punch.link.errors import PeerRestarted
from punch.link.interfaces import Want
from punch.link.path import Path
from punch.link.transport import Link
from punch.net.address import Address, formatAddress
from punch.net.connection import Connection
from punch.net.tls import PeerAuthenticator, TLSConnection
from punch.peer.introduction import (
    PROOF_TIMEOUT,
    AnsweredIntroduction,
    Introduction,
    IntroductionTerms,
)
from punch.peer.peer import Peer, Rendezvous
from punch.reasons import Reason
from punch.rendezvous.client import RendezvousClient
from punch.role import Role
from punch.signaling.greeting import ListenersGreeting
from punch.signaling.meetingpoint import MeetingPoint
from punch.signaling.rejoin import Rejoin, splitPreface
from punch.traceevents import AddressObserved, IntroductionReceived, Tracer
from punch.util.deferreds import SharedResult
from punch.util.timers import RestartableTimer

MOST_WAITING = 16
"""
How many may wait for an introduction's details at once.
"""


class Strangers:
    """
    Brings strangers to the listener's introductions.
    """

    def __init__(
        self,
        clock: IReactorTime,
        security: PeerAuthenticator,
        introductions: Callable[[], Iterable[Introduction]],
    ) -> None:
        """
        @param introductions: asks for those that go on.
        """
        self._clock = clock
        self._security = security
        self._introductions = introductions
        self._handshakes: dict[Deferred[None], None] = {}
        self._waiting: dict[TLSConnection, IDelayedCall] = {}

    def receive(self, connection: Connection) -> Deferred[None]:
        """
        Speak TLS with a stranger.

        @return: fires when that is done, well or not.
        """
        greeting = Deferred.fromCoroutine(self._receive(connection))
        self._handshakes[greeting] = None
        return greeting.addBoth(self._handshakeOver, greeting)

    def _handshakeOver(self, result: object, greeting: Deferred[None]) -> None:
        """
        A handshake is over; why one failed is of no interest.
        """
        self._handshakes.pop(greeting, None)

    async def _receive(self, connection: Connection) -> None:
        secured = await self._security.handshake(connection, Role.LISTENER)
        if len(self._waiting) >= MOST_WAITING:
            secured.abort()
            return
        patience = self._clock.callLater(PROOF_TIMEOUT, secured.abort)
        self._waiting[secured] = patience
        secured.whenLost.addCallback(lambda _: self._forget(secured))
        self.matchPins()

    def matchPins(self) -> None:
        """
        An introduction's details have come: is somebody here for it?
        """
        pins = {each.pin: each for each in self._introductions() if each.pin}
        for secured in list(self._waiting):
            introduction = pins.get(secured.pin)
            if introduction is not None:
                self._forget(secured)
                introduction.acceptSecured(secured)

    def close(self) -> None:
        """
        Nobody is met any more.
        """
        for greeting in list(self._handshakes):
            greeting.cancel()
        for secured in list(self._waiting):
            self._forget(secured)
            secured.abort()

    def _forget(self, secured: TLSConnection) -> None:
        patience = self._waiting.pop(secured, None)
        if patience is not None and patience.active():
            patience.cancel()


MOST_INTRODUCTIONS = 64
"""
Introductions that may go on at once.
"""


class IncomingIntroductions:
    """
    All that a listener is in the middle of.  (To the rendezvous it is a
    L{punch.rendezvous.client.Guest}, to its links a
    L{punch.link.interfaces.PathFinder}.)

    C{client}: our connection to the rendezvous, C{None} while there is none.
    C{observed}: our address as the rendezvous sees it.  C{meetingPoint}: where we wait;
    C{None} while we have no name.  C{rejoinName}: the name for those who come back;
    empty if nobody can.  C{rendezvousGone}: arrives when C{client} is lost.
    C{isRetired}: no new links are made.  C{gate}: for connections that come in.
    """

    _log = Logger()

    observed: Address

    def __init__(
        self,
        peer: Peer,
        rendezvous: Rendezvous,
        linked: Callable[[Link], None],
        failed: Callable[[PunchError], None],
        codeSpent: Callable[[str], None],
    ) -> None:
        """
        @param linked: is given each link.
        @param failed: see L{punch.peer.listener.Listener}.
        @param spent: is told of a name whose code a guess has used up.
        """
        self.client: RendezvousClient | None = None
        self.meetingPoint: MeetingPoint | None = None
        self.rejoinName = ""
        self.isRetired = False
        self.rendezvousGone: SharedResult[RendezvousError] = SharedResult()
        self._peer = peer
        self._rendezvous = rendezvous
        self._linked = linked
        self._failed = failed
        self._codeSpent = codeSpent
        self._introductions: dict[bytes, AnsweredIntroduction] = {}
        self._links: dict[bytes, Link] = {}
        self._instances: dict[str, Link] = {}
        self._rejoins: set[bytes] = set()
        self._empty: SharedResult[None] = SharedResult()
        # Those who wait for their guess, and those who had it.
        self._unanswered: deque[tuple[bytes, AnsweredIntroduction]] = deque()
        self._guessing: dict[bytes, MeetingPoint] = {}
        self._nextGuess = RestartableTimer(peer.clock)
        self._strangers = Strangers(
            peer.clock, peer.security, self._introductions.values
        )
        self.gate = Gate(peer.clock, self._races, self._strangers.receive)

    @property
    def isBusy(self) -> bool:
        """
        Whether somebody is just being met.
        """
        return bool(self._introductions)

    @property
    def hasLinks(self) -> bool:
        """
        Whether there are links that may want another path.
        """
        return bool(self._links)

    def whenEmpty(self) -> Deferred[None]:
        """
        Fires when no link is left that may want another path.
        """
        self._checkEmpty()
        return self._empty.wait()

    def _checkEmpty(self) -> None:
        if self.isRetired and not self._links:
            self._empty.succeed(None)

    def close(self) -> None:
        """
        Meet nobody any more; links live on.
        """
        self._nextGuess.clear()
        self._strangers.close()
        for met in list(self._introductions.values()):
            met.selected.cancel()
            met.race.stop()

    def rendezvousLost(self, why: RendezvousError) -> None:
        """
        Meetings whose details have been exchanged go on without it.
        """
        self.client = None
        for met in list(self._introductions.values()):
            if not met.proven:
                met.race.fail(why)
        self.rendezvousGone.succeed(why)

    def _races(self) -> list[Race[Path]]:
        met = self._introductions.values()
        return [each.race for each in met if each.expectsDirect]

    # Somebody comes.

    def introduced(
        self,
        introduction: bytes,
        peer: Address,
        wait: float,
        message: bytes,
        ticket: bytes | None,
    ) -> None:
        """
        Somebody dialed us.
        """
        client = self.client
        if client is None:
            return
        linkId, pake = splitPreface(message)
        refusal = self._refusal(linkId)
        if refusal is not None:
            client.leave(introduction, refusal)
            return
        self._peer.tell(Introduced(formatAddress(peer)))
        terms = IntroductionTerms(
            self.observed,
            peer,
            wait,
            client.overLoopback,
            lambda m: client.relay(introduction, m),
            ticket,
            self._openTracer(introduction, peer, wait, linkId is not None),
        )
        if linkId is not None:
            self._startRejoin(introduction, terms, self._links[linkId], pake)
        elif self.meetingPoint is not None:
            self._meet(introduction, terms, self.meetingPoint, pake)

    def _openTracer(
        self, introduction: bytes, peer: Address, wait: float, isReunion: bool
    ) -> Tracer:
        tracer = self._peer.settings.trace(AnsweredIntroduction.role.value, isReunion)
        tracer(AddressObserved(formatAddress(self.observed)))
        tracer(IntroductionReceived(introduction.hex(), formatAddress(peer), wait))
        return tracer

    def _refusal(self, linkId: bytes | None) -> Reason | None:
        """
        Why we won't meet them.
        """
        if len(self._introductions) >= MOST_INTRODUCTIONS:
            return Reason.TOO_MANY
        if linkId is not None and linkId not in self._links:
            return Reason.UNKNOWN_LINK
        if linkId is None and (self.isRetired or self.meetingPoint is None):
            return Reason.NO_SUCH_NAME
        return None

    def _meet(
        self,
        introduction: bytes,
        terms: IntroductionTerms,
        meetingPoint: MeetingPoint,
        pake: bytes,
    ) -> None:
        """
        A dialer who wants a new link.
        """
        context = self._peer.context(self._rendezvous)
        met = AnsweredIntroduction(context, terms, meetingPoint.greeting(), pake)
        self._introductions[introduction] = met
        self._unanswered.append((introduction, met))
        met.whenProven().addCallback(self._proven, introduction)
        started = self._peer.clock.seconds()
        met.selected.addCallback(self._newLink, introduction, met, started)
        met.selected.addErrback(self._newLinkFailed, introduction, met)
        # The first SYN goes out before the arithmetic of the PAKE.
        self._scheduleGuess(0.0)

    def _startRejoin(
        self, introduction: bytes, terms: IntroductionTerms, link: Link, pake: bytes
    ) -> None:
        """
        A dialer who wants another path for a link.
        """
        context = self._peer.context(self._rendezvous)
        rejoin = Rejoin(link.id, link.secret)
        greeting = ListenersGreeting(rejoin.name, rejoin.secret)
        met = AnsweredIntroduction(context, terms, greeting, pake)
        self._introductions[introduction] = met
        self._rejoins.add(introduction)
        met.whenProven().addCallback(self._proven, introduction)
        met.selected.addCallback(self._pathForLink, introduction, link)
        met.selected.addErrback(self._introductionFailed, introduction)
        self._peer.clock.callLater(0, self._answerRejoin, introduction)

    def _answerRejoin(self, introduction: bytes) -> None:
        met = self._introductions.get(introduction)
        if met is not None:
            met.answer(self._peer.details(self.observed, self.rejoinName))

    def _scheduleGuess(self, pause: float) -> None:
        if not self._nextGuess.isSet:
            self._nextGuess.set(pause, self._answerWaiting)

    def _answerWaiting(self) -> None:
        """
        Let those who wait have their guess, as far as guesses go.
        """
        meetingPoint, now = self.meetingPoint, self._peer.clock.seconds()
        while self._unanswered and meetingPoint is not None:
            introduction, met = self._unanswered[0]
            if introduction not in self._introductions:
                self._unanswered.popleft()
            elif meetingPoint.guesses.take(now):
                self._unanswered.popleft()
                self._guessing[introduction] = meetingPoint
                met.answer(self._peer.details(self.observed, self.rejoinName))
                meetingPoint.prepare()
            else:
                next = meetingPoint.guesses.nextAt(now)
                if next is not None:
                    self._scheduleGuess(next - now)
                return

    def relayed(self, introduction: bytes, message: bytes) -> None:
        """
        A dialer sent its sealed details.
        """
        met = self._introductions.get(introduction)
        if met is not None:
            met.received(message)

    def _proven(self, result: None, introduction: bytes) -> None:
        """
        A dialer knows our secret: that was no guess, and its connection may be here
        already.
        """
        guessed = self._guessing.pop(introduction, None)
        if guessed is not None:
            guessed.guesses.right()
            self._scheduleGuess(0.0)
        self._strangers.matchPins()

    def left(self, introduction: bytes, reason: str) -> None:
        """
        A dialer left.
        """
        met = self._introductions.get(introduction)
        if met is not None:
            met.left(reason)

    # What came of it.

    def _newLink(
        self,
        selected: SelectedPath[Path],
        introduction: bytes,
        met: AnsweredIntroduction,
        started: float,
    ) -> None:
        link = self._peer.link(selected, AnsweredIntroduction.role, started)
        self._links[link.id] = link
        link.whenEnded().addCallback(self._linkEnded, link, met.instanceToken)
        self._replaceInstance(met.instanceToken, link)
        self._awaitBetter(introduction, link)
        link.seekBy(self)
        self._linked(link)

    def _replaceInstance(self, token: str, link: Link) -> None:
        """
        Who had the dialer's seat before it is no more.
        """
        if not token:
            return
        before, self._instances[token] = self._instances.get(token), link
        if before is not None:
            before.refused(PeerRestarted())

    def _linkEnded(self, error: object, link: Link, token: str) -> None:
        self._links.pop(link.id, None)
        if self._instances.get(token) is link:
            del self._instances[token]
        self._checkEmpty()

    def _pathForLink(
        self, selected: SelectedPath[Path], introduction: bytes, link: Link
    ) -> None:
        link.adopt(selected)
        self._awaitBetter(introduction, link)

    def _awaitBetter(self, introduction: bytes, link: Link) -> None:
        """
        An introduction is over, if not a better path may still come of it.
        """
        met = self._introductions[introduction]
        if not met.race.isRunning:
            self._forget(introduction, Reason.DONE)
            return
        better = met.better.wait()
        better.addCallback(link.adopt)
        better.addErrback(lambda failure: failure.trap(PunchError, CancelledError))
        better.addBoth(lambda _: self._forget(introduction, Reason.DONE))
        link.whenEnded().addCallback(lambda _: met.race.stop())

    def _newLinkFailed(
        self, failure: Failure, introduction: bytes, met: AnsweredIntroduction
    ) -> None:
        """
        A dialer was not met.
        """
        error = self._introductionFailed(failure, introduction)
        if error is None:
            return
        guessed = self._guessing.pop(introduction, None)
        if guessed is not None:
            guesses = guessed.guesses
            # Who knows the secret may have no way that does for both.
            guesses.right() if met.proven else guesses.wrong()
            self._scheduleGuess(0.0)
        if guessed is not None and guessed.guesses.exhausted:
            self._retireCode(guessed.name)
            self._failed(error)
        elif met.proven:
            self._failed(error)
        else:
            self._peer.tell(Failed(error.reason.value, str(error)))

    def _introductionFailed(
        self, failure: Failure, introduction: bytes
    ) -> PunchError | None:
        """
        One introduction came to nothing.

        @return: why, if it counts.
        """
        error = failure.value
        if isinstance(error, PunchError):
            self._forget(introduction, error.reason)
            return error
        self._forget(introduction, Reason.CANCELLED)
        if not isinstance(error, CancelledError):
            self._log.failure("in an introduction", failure)
        return None

    def _retireCode(self, name: str) -> None:
        """
        A guess has used up the code: who waits for one of his own waits in vain.
        """
        self.meetingPoint = None
        for introduction, met in list(self._introductions.items()):
            if not met.proven and introduction not in self._rejoins:
                met.race.fail(NoSuchName(name))
        self._codeSpent(name)

    def _forget(self, introduction: bytes, reason: Reason) -> None:
        """
        An introduction is over, and with the last one strangers have no business.
        """
        self._introductions.pop(introduction, None)
        self._rejoins.discard(introduction)
        if not self._introductions:
            self._strangers.close()
        if self.client is not None:
            self.client.leave(introduction, reason)

    def probeLinks(self) -> None:
        """
        See at once whether our links' paths still answer.
        """
        ours = self._peer.addresses()
        for link in list(self._links.values()):
            link.probe(link.getHost().host not in ours)

    def wanted(self) -> None:
        """
        A link lacks a path: its dialer finds one, if the rendezvous still has us.
        """
        lacking = any(each.want is Want.ANOTHER for each in self._links.values())
        if lacking and self.client is not None:
            self.client.probe()

"""
What comes in at a listener: introductions, and connections from unknown addresses.

A dialer's connection may come in before its introduction does, or from a port that
nobody told us of, while other dialers are being met too.  The pin that it shows in TLS
says to which introduction it belongs; and that pin may still be on its way to us.
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
)
from punch.peer.peer import Peer, Rendezvous
from punch.reasons import Reason
from punch.rendezvous.client import CommandReceiver, IntroductionTerms, RendezvousClient
from punch.role import Role
from punch.signaling.greeting import ListenerGreeting
from punch.signaling.meetingpoint import MeetingPoint
from punch.signaling.rejoin import Rejoin, splitPreface
from punch.traceevents import AddressObserved, IntroductionReceived, Tracer
from punch.util.deferreds import SharedResult
from punch.util.timers import RestartableTimer

MOST_WAITING = 16
"""
Strangers that may wait, after TLS, for the details of an introduction.
"""


class Strangers:
    """
    Finds the introduction of each connection that comes from an unknown address.

    The listener's L{IncomingIntroductions} make it and own it.  The gate hands it each
    stranger; it speaks TLS with that, waits for an introduction with the pin that it
    has seen, and hands the connection to that introduction.  One that nobody claims
    in L{PROOF_TIMEOUT} seconds is closed; L{close} closes all.
    """

    def __init__(
        self,
        clock: IReactorTime,
        authenticator: PeerAuthenticator,
        introductions: Callable[[], Iterable[Introduction]],
    ) -> None:
        """
        @param introductions: answers with the introductions in progress.
        """
        self._clock = clock
        self._authenticator = authenticator
        self._introductions = introductions
        self._handshakes: dict[Deferred[None], None] = {}
        self._waiting: dict[TLSConnection, IDelayedCall] = {}

    def receive(self, connection: Connection) -> Deferred[None]:
        """
        Speak TLS with a stranger, and see whose it is.

        @return: fires when the handshake is over, well or not.
        """
        handshake = Deferred.fromCoroutine(self._receive(connection))
        self._handshakes[handshake] = None
        return handshake.addBoth(self._handshakeOver, handshake)

    def _handshakeOver(self, result: object, handshake: Deferred[None]) -> None:
        """
        Why a stranger's handshake failed is of no interest.
        """
        self._handshakes.pop(handshake, None)

    async def _receive(self, connection: Connection) -> None:
        secured = await self._authenticator.handshake(connection, Role.LISTENER)
        if len(self._waiting) >= MOST_WAITING:
            secured.abort()
            return
        self._waiting[secured] = self._clock.callLater(PROOF_TIMEOUT, secured.abort)
        secured.whenLost.addCallback(lambda _: self._forget(secured))
        self.matchPins()

    def matchPins(self) -> None:
        """
        Hand each stranger whose pin is known by now to its introduction.
        """
        pins = {each.pin: each for each in self._introductions() if each.pin}
        for secured in list(self._waiting):
            introduction = pins.get(secured.pin)
            if introduction is not None:
                self._forget(secured)
                introduction.acceptSecured(secured)

    def close(self) -> None:
        """
        Close all strangers' connections: no introduction is in progress.
        """
        for handshake in list(self._handshakes):
            handshake.cancel()
        for secured in list(self._waiting):
            self._forget(secured)
            secured.abort()

    def _forget(self, secured: TLSConnection) -> None:
        timeout = self._waiting.pop(secured, None)
        if timeout is not None and timeout.active():
            timeout.cancel()


MOST_INTRODUCTIONS = 64
"""
Introductions that may go on at once.
"""


class IncomingIntroductions(CommandReceiver):
    """
    Runs a listener's introductions, and gives out the links that come of them.

    The listener makes it and owns it; it outlives the connections to the rendezvous,
    and L{close} ends it.  It answers each dialer as far as guesses at the secret are
    left, makes a link of the path that wins, and gives further paths to the links that
    want them.  The rendezvous' client calls it as its
    L{punch.rendezvous.client.CommandReceiver}, its links as their
    L{punch.link.interfaces.PathFinder}.

    @ivar client: our connection to the rendezvous; C{None} while there is none.
    @ivar observed: our address as the rendezvous sees it.
    @ivar meetingPoint: the name and the secret that we wait under; C{None} while we
        have no name.
    @ivar rejoinName: the name under which the dialers of our links find us again; empty
        if they cannot.
    @ivar rendezvousGone: arrives when C{client} is lost.
    @ivar isRetired: whether no new links are made.
    @ivar gate: takes the connections that come in.
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
        @param codeSpent: is told the name whose code a wrong guess has used up.
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
        # Dialers that wait for an answer, and those that have had one and not yet
        # shown that they know the secret: an answer is a guess granted.
        self._unanswered: deque[tuple[bytes, AnsweredIntroduction]] = deque()
        self._guessing: dict[bytes, MeetingPoint] = {}
        self._nextGuess = RestartableTimer(peer.clock)
        self._strangers = Strangers(
            peer.clock, peer.authenticator, self._introductions.values
        )
        self.gate = Gate(peer.clock, self._races, self._strangers.receive)

    @property
    def isBusy(self) -> bool:
        """
        Whether an introduction is in progress.
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
        End all introductions; links live on.
        """
        self._nextGuess.clear()
        self._strangers.close()
        for met in list(self._introductions.values()):
            met.selected.cancel()
            met.race.stop()

    def rendezvousLost(self, why: RendezvousError) -> None:
        """
        Introductions whose details have been exchanged go on without the rendezvous;
        the others fail.
        """
        self.client = None
        for met in list(self._introductions.values()):
            if not met.proven:
                met.race.fail(why)
        self.rendezvousGone.succeed(why)

    def _races(self) -> list[Race[Path]]:
        met = self._introductions.values()
        return [each.race for each in met if each.expectsDirect]

    # What the rendezvous says (L{punch.rendezvous.client.CommandReceiver}).

    def introduced(self, terms: IntroductionTerms) -> None:
        """
        Somebody dialed our name, or the name for rejoining.
        """
        if self.client is None:
            return
        linkId, pake = splitPreface(terms.message)
        refusal = self._refusal(linkId)
        if refusal is not None:
            self.client.leave(terms.id, refusal)
            return
        self._peer.tell(Introduced(formatAddress(terms.peer)))
        tracer = self._openTracer(terms, linkId is not None)
        context = self._peer.context(self._rendezvous, tracer)
        met = AnsweredIntroduction(context, terms, self._greetingFor(linkId), pake)
        self._introductions[terms.id] = met
        met.whenProven().addCallback(self._proven, terms.id)
        if linkId is None:
            self._meet(met, terms.id)
        else:
            self._rejoin(met, terms.id, self._links[linkId])

    def _greetingFor(self, linkId: bytes | None) -> ListenerGreeting:
        if linkId is None:
            assert self.meetingPoint is not None
            return self.meetingPoint.greeting()
        rejoin = Rejoin(linkId, self._links[linkId].secret)
        return ListenerGreeting(rejoin.name, rejoin.secret)

    def _openTracer(self, terms: IntroductionTerms, isRejoin: bool) -> Tracer:
        tracer = self._peer.settings.trace(AnsweredIntroduction.role.value, isRejoin)
        tracer(AddressObserved(formatAddress(self.observed)))
        peer = formatAddress(terms.peer)
        tracer(IntroductionReceived(terms.id.hex(), peer, terms.wait))
        return tracer

    def _refusal(self, linkId: bytes | None) -> Reason | None:
        """
        Why we do not meet this dialer; C{None} if we do.
        """
        if len(self._introductions) >= MOST_INTRODUCTIONS:
            return Reason.TOO_MANY
        if linkId is not None and linkId not in self._links:
            return Reason.UNKNOWN_LINK
        if linkId is None and (self.isRetired or self.meetingPoint is None):
            return Reason.NO_SUCH_NAME
        return None

    def _meet(self, met: AnsweredIntroduction, id: bytes) -> None:
        """
        Begin an introduction with a dialer that wants a new link.
        """
        self._unanswered.append((id, met))
        started = self._peer.clock.seconds()
        met.selected.addCallback(self._newLink, id, met, started)
        met.selected.addErrback(self._newLinkFailed, id, met)
        # Not at once: the first SYN goes out before the arithmetic of the PAKE.
        self._scheduleGuess(0.0)

    def _rejoin(self, met: AnsweredIntroduction, id: bytes, link: Link) -> None:
        """
        Begin an introduction with the dialer of one of our links, which wants another
        path for it.
        """
        self._rejoins.add(id)
        met.selected.addCallback(self._pathForLink, id, link)
        met.selected.addErrback(self._introductionFailed, id)
        self._peer.clock.callLater(0, self._answerRejoin, id)

    def _answerRejoin(self, introduction: bytes) -> None:
        met = self._introductions.get(introduction)
        if met is not None:
            met.answer(self._peer.details(self.observed, self.rejoinName))

    def _scheduleGuess(self, pause: float) -> None:
        if not self._nextGuess.isSet:
            self._nextGuess.set(pause, self._answerWaiting)

    def _answerWaiting(self) -> None:
        """
        Answer the dialers that wait, as far as guesses at our secret are left.
        """
        meetingPoint, now = self.meetingPoint, self._peer.clock.seconds()
        while self._unanswered and meetingPoint is not None:
            introduction, met = self._unanswered[0]
            if introduction not in self._introductions:
                self._unanswered.popleft()
            elif meetingPoint.guessLimit.takeToken(now):
                self._unanswered.popleft()
                self._guessing[introduction] = meetingPoint
                met.answer(self._peer.details(self.observed, self.rejoinName))
                meetingPoint.prepareGreeting()
            else:
                next = meetingPoint.guessLimit.nextAt(now)
                if next is not None:
                    self._scheduleGuess(next - now)
                return

    def relayed(self, introduction: bytes, message: bytes) -> None:
        """
        A dialer sent a message through the rendezvous.
        """
        met = self._introductions.get(introduction)
        if met is not None:
            met.received(message)

    def _proven(self, result: None, introduction: bytes) -> None:
        """
        A dialer has shown that it knows our secret: its guess is given back, and its
        connection may be among the strangers.
        """
        guessed = self._guessing.pop(introduction, None)
        if guessed is not None:
            guessed.guessLimit.returnToken()
            self._scheduleGuess(0.0)
        self._strangers.matchPins()

    def left(self, introduction: bytes, reason: str) -> None:
        """
        A dialer left its introduction.
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
        link.setPathFinder(self)
        self._linked(link)

    def _replaceInstance(self, token: str, link: Link) -> None:
        """
        End the link of the dialer's program before it was restarted: the new program
        holds the same instance lock, so the old one is dead.
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
        link.addPath(selected)
        self._awaitBetter(introduction, link)

    def _awaitBetter(self, introduction: bytes, link: Link) -> None:
        """
        End the introduction, unless a direct path may yet come of it; then wait for
        that, and give it to the link.
        """
        met = self._introductions[introduction]
        if not met.race.isRunning:
            self._forget(introduction, Reason.DONE)
            return
        better = met.better.wait()
        better.addCallback(link.addPath)
        better.addErrback(lambda failure: failure.trap(PunchError, CancelledError))
        better.addBoth(lambda _: self._forget(introduction, Reason.DONE))
        link.whenEnded().addCallback(lambda _: met.race.stop())

    def _newLinkFailed(
        self, failure: Failure, introduction: bytes, met: AnsweredIntroduction
    ) -> None:
        """
        No link came of an introduction: account for the guess, and tell.
        """
        error = self._introductionFailed(failure, introduction)
        if error is None:
            return
        guessed = self._guessing.pop(introduction, None)
        if guessed is not None:
            guessLimit = guessed.guessLimit
            # A dialer that knows the secret fails, too, if no way will do for both.
            guessLimit.returnToken() if met.proven else guessLimit.spendToken()
            self._scheduleGuess(0.0)
        if guessed is not None and guessed.guessLimit.exhausted:
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
        An introduction came to nothing.

        @return: why; C{None} if it was cancelled.
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
        A wrong guess has used up the code: the other dialers of it get no answer.
        """
        self.meetingPoint = None
        for introduction, met in list(self._introductions.items()):
            if not met.proven and introduction not in self._rejoins:
                met.race.fail(NoSuchName(name))
        self._codeSpent(name)

    def _forget(self, introduction: bytes, reason: Reason) -> None:
        """
        An introduction is over.  After the last one no stranger has a claim.
        """
        self._introductions.pop(introduction, None)
        self._rejoins.discard(introduction)
        if not self._introductions:
            self._strangers.close()
        if self.client is not None:
            self.client.leave(introduction, reason)

    def probeLinks(self) -> None:
        """
        Ask at once whether our links' paths still answer.
        """
        ours = self._peer.addresses()
        for link in list(self._links.values()):
            link.probe(link.getHost().host not in ours)

    def wantChanged(self) -> None:
        """
        What a link lacks has changed.  Its dialer finds it another path, and finds us
        through the rendezvous: ask whether that still has us.
        """
        lacking = any(each.want is Want.ANOTHER for each in self._links.values())
        if lacking and self.client is not None:
            self.client.checkNow()

"""
An introduction: one dialer meeting one listener, from the rendezvous' word to the
path that wins.

Three things go on at once: the race (L{punch.ice.race}), the greeting through the
rendezvous (L{punch.signaling.greeting}), and on each connection TLS.  A connection is a
path when its TLS is done, its pin is the one in the other side's details, and,
on the listener, the dialer has attached it.

The meeting: what an introduction is given, of whom to meet and of what to work with.

A verification that is drawn: when TLS was done, and when the pin was known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from punch.errors import (
    NoSuchName,
    PeerLeft,
    PeerSilent,
    PunchError,
    Unproven,
    WrongCode,
)
from punch.events import Judged, Rehearsed, Tell
from punch.ice.candidate import Candidate, Kind, isUsable, usable
from punch.ice.checklist import Checklist
from punch.ice.race import Connect, Race
from punch.ice.selected import SelectedPath
from punch.link.errors import UnknownLink
from punch.link.path import Path, verify, verifySecured
from punch.nat.behavior import ObservedBehavior
from punch.nat.errors import VERDICTS, NoCommonWay, NoDirectPath
from punch.net.address import Address, formatAddress, ipOf
from punch.net.connection import Connection
from punch.net.tls import PeerAuthenticator, PeerPin, TLSConnection
from punch.peer.lanpreference import LANPreference
from punch.peer.porttraversal import PortTraversal, TraversalContext
from punch.peer.relaypolicy import RelayPolicy
from punch.reasons import Reason
from punch.rendezvous.relayclient import Relayed
from punch.role import Role
from punch.signaling.greeting import DialersGreeting, Greeting, ListenersGreeting
from punch.signaling.messages import REHEARSAL, BadNote, Details, Note
from punch.traceevents import (
    RELAY,
    DetailsReceived,
    DetailsSent,
    PeerWithdrew,
    PinVerified,
    TLSEstablished,
    Tracer,
    noTracer,
)
from punch.util.deferreds import SharedResult


@dataclass(frozen=True)
class IntroductionContext:
    """
    What an introduction works with.

    C{timeout}: seconds from the introduction to giving up.  C{relay}: connects to
    the relay with a ticket.  C{ways}: for NATs that do not keep ports.
    """

    clock: IReactorTime
    security: PeerAuthenticator
    connect: Connect
    random: Random
    tell: Tell
    timeout: float
    policy: RelayPolicy
    relay: Callable[[bytes], Deferred[Any]]
    ways: TraversalContext


@dataclass(frozen=True)
class IntroductionTerms:
    """
    What the rendezvous said: whom we meet, when to start, and the way to send
    the other side a message.

    C{own}: our own address as the rendezvous sees it.  C{local}: the rendezvous is on
    our own host, as we see it ourselves.  C{ticket}: for its relay, if it is one.
    C{tracer}: is called with each trace event.
    """

    own: Address
    peer: Address
    wait: float
    local: bool
    relay: Callable[[bytes], None]
    ticket: bytes | None = field(default=None, repr=False)
    tracer: Tracer = noTracer

    @property
    def overLoopback(self) -> bool:
        """
        Whether both of us are on one host with the rendezvous.
        """
        return self.local and ipOf(self.peer).is_loopback


def tracedVerify(
    security: PeerAuthenticator,
    connection: Connection,
    role: Role,
    pin: PeerPin,
    tracer: Tracer,
) -> Deferred[Path]:
    """
    L{verify}, and trace when TLS was done and when the pin was known.
    """
    traced = _tracedPin(connection, pin, tracer, earlier=False)
    return Deferred.fromCoroutine(verify(security, connection, role, traced))


def _tracedPin(
    connection: Connection, pin: PeerPin, tracer: Tracer, earlier: bool
) -> PeerPin:
    """
    The pin is asked for as soon as TLS is done.
    """
    isRelayed = isinstance(connection, Relayed)
    remote = RELAY if isRelayed else formatAddress(connection.remote)
    local = formatAddress(connection.local)

    def asked() -> Deferred[bytes]:
        tracer(TLSEstablished(remote, local, earlier))
        return pin().addCallback(recognized)

    def recognized(expected: bytes) -> bytes:
        tracer(PinVerified(remote, local))
        return expected

    return asked


_log = Logger()

PROOF_TIMEOUT = 10.0
"""
Seconds that the other side has to send its sealed details.
"""

REPORT = 0.9
"""
The part of the time to the dialer's giving up after which each side tells what it has
seen.
"""

LAST_WORDS = 0.5
"""
Seconds by which the dialer gives up before the listener does, at most: the choice
of a path that it makes at the last moment must still arrive.
"""

_TIME_IS_UP = VERDICTS.keys() | {
    Reason.NO_ANSWER.value,
    Reason.REFUSED.value,
    Reason.UNREACHABLE.value,
    Reason.NOT_ATTACHED.value,
}
"""
What the other side says when it has given up; without a verdict each side knows its own
part of why.
"""

_FAREWELLS: dict[str, type[PunchError]] = {
    Reason.WRONG_CODE.value: WrongCode,
    Reason.NO_SUCH_NAME.value: NoSuchName,
    Reason.UNKNOWN_LINK.value: UnknownLink,
}
"""
What the other side's reason to leave means for us, if not that it gave up.
"""


def _dialersTimeout(context: IntroductionContext) -> float:
    return context.timeout - min(LAST_WORDS, context.timeout / 4)


class Introduction:
    """
    One introduction, seen from either side.

    C{selected}: fires with the path, or with one of L{punch.errors}.  Cancelling it
    ends everything.  C{better}: see L{Race}.  C{pin}, C{rejoinName}, C{instanceToken}:
    see L{Details}, once the other side's are here.
    """

    role: Role
    silence: type[PunchError]

    _greeting: Greeting
    _ownDetails: Details

    def __init__(self, context: IntroductionContext, terms: IntroductionTerms) -> None:
        self._context = context
        self._terms = terms
        self._details: SharedResult[Details] = SharedResult()
        self._proof: SharedResult[None] = SharedResult()
        self.pin: bytes | None = None
        self.rejoinName = self.instanceToken = ""
        self.race: Race[Path] = Race(
            context.clock,
            Checklist(context.random),
            context.connect,
            self._verify,
            context.tell,
            context.policy.mayMeet,
            terms.tracer,
        )
        self._policy = context.policy
        self._lanPreference = LANPreference(context.clock, terms.own, terms.peer)
        self._traversal = PortTraversal(
            context.ways, self.race, terms.peer, self.role, self._note, terms.tracer
        )
        self._timers = [
            context.clock.callLater(terms.wait, self._start),
            context.clock.callLater(self._timeout(), self._timeOut),
            context.clock.callLater(_dialersTimeout(context) * REPORT, self._report),
            context.clock.callLater(PROOF_TIMEOUT, self._unproven),
        ]
        self.selected: Deferred[SelectedPath[Path]] = self.race.selected
        self.selected.addBoth(self._settled)
        self.better = self.race.better
        if terms.ticket is not None and context.policy.mayRelay:
            self.race.addRelayed(context.relay(terms.ticket))

    def _timeout(self) -> float:
        """
        Seconds from the introduction to giving up.
        """
        return self._context.timeout

    def _verify(self, connection: Connection) -> Deferred[Path]:
        security, tracer = self._context.security, self._terms.tracer
        path = tracedVerify(security, connection, self.role, self.whenPin, tracer)
        return path.addCallback(self._lanPreference.over)

    def acceptSecured(self, secured: TLSConnection) -> None:
        """
        A stranger, whose TLS is done, has shown the other side's pin: its connection
        races with the others.
        """
        pin = _tracedPin(secured, self.whenPin, self._terms.tracer, earlier=True)
        self.race.accept(
            secured,
            lambda _: Deferred.fromCoroutine(verifySecured(secured, self.role, pin)),
        )

    @property
    def proven(self) -> bool:
        """
        Whether the other side has shown that it knows our secret.
        """
        return self._details.settled

    @property
    def theirBehavior(self) -> ObservedBehavior | None:
        """
        What the other side's NATs do, as far as it has told.
        """
        return self._traversal.theirBehavior

    def whenProven(self) -> Deferred[None]:
        """
        Fires when the other side has shown that it knows our secret, and what it told
        of itself has been taken in.  It never fires if that does not happen.
        """
        return self._proof.wait()

    def whenPin(self) -> Deferred[bytes]:
        """
        The other side's pin, when its details have come.
        """
        return self._details.wait().addCallback(lambda details: details.pin)

    def received(self, message: bytes) -> None:
        """
        The other side sent a message through the rendezvous: its details, or once
        they are here a note.
        """
        if not self.proven:
            self._greeted(message)
            return
        try:
            note = self._greeting.readNote(message)
        except BadNote as bad:
            _log.debug("{bad}", bad=bad)
            return
        if self._mayDial:
            self._traversal.noteReceived(note)

    def _greeted(self, message: bytes) -> None:
        raise NotImplementedError()

    def _note(self, note: Note) -> None:
        self._terms.relay(self._greeting.writeNote(note))

    def left(self, reason: str) -> None:
        """
        The other side left.  When it has attached a path that may overtake the
        path; and when only its connection to the rendezvous broke, we can do
        without, once its details are here.
        """
        self._terms.tracer(PeerWithdrew(reason))
        settled = reason == Reason.PEER_LEFT.value and self.proven
        if reason in _TIME_IS_UP:
            # Whoever gives up first has judged, for both.
            self._conclude(VERDICTS.get(reason))
        elif reason != Reason.DONE.value and not settled:
            self.race.fail(_FAREWELLS.get(reason, PeerLeft)())

    @property
    def expectsDirect(self) -> bool:
        """
        Whether connections that come in may be the other side's.
        """
        return self._policy.mayMeet

    @property
    def _mayDial(self) -> bool:
        """
        Whether we connect to where the rendezvous sees the other side.
        """
        where = self._terms
        return self.expectsDirect and isUsable(where.peer, where.overLoopback)

    def _start(self) -> None:
        if self._mayDial:
            self.race.add(Candidate(Kind.SERVER_REFLEXIVE, self._terms.peer))

    def _learn(self, details: Details) -> None:
        """
        The other side's details are here, and it knows the words.
        """
        self._terms.tracer(DetailsReceived(len(details.candidates)))
        self.pin = details.pin
        self.rejoinName, self.instanceToken = details.again, details.seat
        if self.role is Role.DIALER:
            self._lanPreference.begin(self._ownDetails.candidates, details.candidates)
        self._details.succeed(details)
        self._agree(details.features)
        if self.expectsDirect:
            for candidate in usable(details.candidates, self._terms.overLoopback):
                self.race.add(candidate)
        if self._mayDial:
            self._traversal.start(self._ownDetails.behavior, details.behavior)
        self._proof.succeed(None)

    def _agree(self, features: frozenset[str]) -> None:
        """
        What will do is what will do for both.
        """
        policy = self._policy.beside(features)
        if policy is None:
            self._judge(NoCommonWay)
        elif not policy.mayMeet:
            self._policy = policy
            self.race.stopDirect()

    def _say(self, message: bytes) -> None:
        self._terms.relay(message)
        self._terms.tracer(DetailsSent())

    def _report(self) -> None:
        if self.proven and self.expectsDirect:
            self._traversal.report()

    def _timeOut(self) -> None:
        """
        Time is up: come to a verdict.
        """
        self._conclude(self._traversal.verdict(self._lanPreference.isBehindOne))

    def _conclude(self, verdict: type[NoDirectPath] | None) -> None:
        if verdict is not None and self.proven and self.expectsDirect:
            self._judge(verdict)
        else:
            self.race.timeOut()

    def _judge(self, verdict: type[NoDirectPath]) -> None:
        if self.race.isRunning:
            reason, message = verdict.reason.value, str(verdict())
            self._context.tell(Judged(reason, message, verdict.advice))
            self.race.timeOut(verdict)

    def _unproven(self) -> None:
        if not self.proven:
            self.race.fail(self.silence())

    def _settled(self, result: object) -> object:
        if isinstance(result, SelectedPath) and self.race.isRunning:
            self.better.wait().addBoth(self._stopTimers).addErrback(lambda _: None)
        else:
            self._stopTimers(result)
        return result

    def _stopTimers(self, result: object) -> object:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        return result


class DialedIntroduction(Introduction):
    """
    An introduction that we asked for.
    """

    role = Role.DIALER
    silence = PeerSilent

    def __init__(
        self,
        context: IntroductionContext,
        terms: IntroductionTerms,
        greeting: DialersGreeting,
        own: Callable[[], Details],
    ) -> None:
        """
        @param own: asks for what we tell the other side; not before it is sent, as
            more may be known by then.
        """
        self._greeting: DialersGreeting = greeting
        self._own = own
        Introduction.__init__(self, context, terms)

    def _timeout(self) -> float:
        return _dialersTimeout(self._context)

    def _greeted(self, message: bytes) -> None:
        try:
            self._ownDetails = self._own()
            details, answer = self._greeting.answer(message, self._ownDetails)
        except WrongCode as wrong:
            self.race.fail(wrong)
            return
        self._say(answer)
        self._learn(details)


class AnsweredIntroduction(Introduction):
    """
    An introduction that somebody else asked for.

    C{proven} comes to be with the message that opens; until then the other side
    may be guessing.
    """

    role = Role.LISTENER
    silence = Unproven

    def __init__(
        self,
        context: IntroductionContext,
        terms: IntroductionTerms,
        greeting: ListenersGreeting,
        dialed: bytes,
    ) -> None:
        """
        @param dialed: the dialer's PAKE message.
        """
        self._greeting: ListenersGreeting = greeting
        self._dialed = dialed
        self._isRehearsal = False
        Introduction.__init__(self, context, terms)

    def answer(self, own: Details) -> None:
        """
        Let the other side have its guess.
        """
        self._ownDetails = own
        self._attempt(lambda: self._say(self._greeting.answer(self._dialed, own)))

    def _greeted(self, message: bytes) -> None:
        self._attempt(lambda: self._learn(self._greeting.finish(message)))

    def _learn(self, details: Details) -> None:
        self._isRehearsal = REHEARSAL in details.features
        Introduction._learn(self, details)

    def left(self, reason: str) -> None:
        if self._isRehearsal:
            self._rehearsed()
        else:
            Introduction.left(self, reason)

    def _timeOut(self) -> None:
        if self._isRehearsal:
            self._rehearsed()
        else:
            Introduction._timeOut(self)

    def _rehearsed(self) -> None:
        """
        Nothing has failed, as nothing was wanted.
        """
        if self.race.isRunning:
            self._context.tell(Rehearsed(formatAddress(self._terms.peer)))
            self.race.stop()

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except PunchError as wrong:
            self.race.fail(wrong)

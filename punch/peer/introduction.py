"""
An introduction: one dialer meeting one listener, until a path wins or none does.

Three things go on at once: the race (L{punch.ice.race}), the greeting through the
rendezvous (L{punch.signaling.greeting}), and on each connection TLS.  A connection is a
path when its TLS is done, its pin is the one in the other side's details, and,
on the listener, the dialer has attached it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from punch import errors, traceevents
from punch.events import Judged, Rehearsed, Tell
from punch.ice.candidate import Candidate, Kind, isUsableAddress, usableCandidates
from punch.ice.checklist import Checklist
from punch.ice.race import Connect, Race
from punch.ice.selected import SelectedPath
from punch.link.errors import UnknownLink
from punch.link.path import Path, verify, verifySecured
from punch.nat.behavior import ObservedBehavior
from punch.nat.errors import VERDICTS, NoCommonWay, NoDirectPath
from punch.net.address import formatAddress
from punch.net.connection import Connection
from punch.net.tls import PeerAuthenticator, PeerPin, TLSConnection
from punch.peer.lanpreference import LANPreference
from punch.peer.porttraversal import PortTraversal, TraversalContext
from punch.peer.relaypolicy import RelayPolicy
from punch.reasons import Reason
from punch.rendezvous.client import IntroductionTerms
from punch.rendezvous.relayclient import RelayedConnection
from punch.role import Role
from punch.signaling.greeting import DialerGreeting, Greeting, ListenerGreeting
from punch.signaling.messages import TRIAL_DIAL, BadNote, Details, Note
from punch.util.deferreds import SharedResult


@dataclass(frozen=True)
class IntroductionContext:
    """
    What this side gives to an introduction: clock, keys, connects and limits.

    @ivar connect: connects from the shared port.
    @ivar timeout: seconds from the introduction to giving up.
    @ivar policy: what the relay may be used for.
    @ivar relay: connects to the rendezvous' relay with a ticket.
    @ivar traversal: what is needed against NATs that do not keep the shared port.
    @ivar tracer: is called with each trace event.
    """

    clock: IReactorTime
    authenticator: PeerAuthenticator
    connect: Connect
    random: Random
    tell: Tell
    timeout: float
    policy: RelayPolicy
    relay: Callable[[bytes], Deferred[Any]]
    traversal: TraversalContext
    tracer: traceevents.Tracer = traceevents.noTracer


def tracedVerify(
    authenticator: PeerAuthenticator,
    connection: Connection,
    role: Role,
    pin: PeerPin,
    tracer: traceevents.Tracer,
) -> Deferred[Path]:
    """
    L{verify} a connection, and trace when its TLS was done and its pin known.
    """
    traced = _tracedPin(connection, pin, tracer, earlier=False)
    return Deferred.fromCoroutine(verify(authenticator, connection, role, traced))


def _tracedPin(
    connection: Connection, pin: PeerPin, tracer: traceevents.Tracer, earlier: bool
) -> PeerPin:
    """
    L{verify} asks for the pin as soon as TLS is done: so that is when it is traced.
    """
    isRelayed = isinstance(connection, RelayedConnection)
    remote = traceevents.RELAY if isRelayed else formatAddress(connection.remote)
    local = formatAddress(connection.local)

    def asked() -> Deferred[bytes]:
        tracer(traceevents.TLSEstablished(remote, local, earlier))
        return pin().addCallback(recognized)

    def recognized(expected: bytes) -> bytes:
        tracer(traceevents.PinVerified(remote, local))
        return expected

    return asked


_log = Logger()

PROOF_TIMEOUT = 10.0
"""
Seconds that the other side has to send its sealed details.
"""

REPORT = 0.9
"""
The share of the dialer's timeout after which each side tells the other what it has
seen.
"""

LAST_WORDS = 0.5
"""
Seconds by which the dialer gives up before the listener does, at most: a path that the
dialer attaches at the last moment must still be attached at the listener.
"""

_TIME_IS_UP = VERDICTS.keys() | {
    Reason.NO_ANSWER.value,
    Reason.REFUSED.value,
    Reason.UNREACHABLE.value,
    Reason.NOT_ATTACHED.value,
}
"""
The reasons with which the other side leaves when its time is up.  If that is not a
verdict, each side reports what it has seen itself.
"""

_ERRORS_OF_LEAVERS: dict[str, type[errors.PunchError]] = {
    Reason.WRONG_CODE.value: errors.WrongCode,
    Reason.NO_SUCH_NAME.value: errors.NoSuchName,
    Reason.UNKNOWN_LINK.value: UnknownLink,
}
"""
The error that another reason of the other side's means for us; L{errors.PeerLeft} for
all that are not here.
"""


def _dialersTimeout(context: IntroductionContext) -> float:
    return context.timeout - min(LAST_WORDS, context.timeout / 4)


class Introduction:
    """
    One side's part in an introduction; the two roles are its subclasses.

    The dialer, or the listener's L{punch.peer.incoming.IncomingIntroductions}, makes it
    when the rendezvous introduces somebody, and hands it what the rendezvous relays.
    It is over when C{selected} has fired and, behind a relayed path, C{better} too; the
    owner then leaves the introduction at the rendezvous.

    @ivar selected: fires with the path that wins, or with one of L{punch.errors}.
        Cancelling it ends everything.
    @ivar better: after a relayed path has won: arrives with a direct one, or fails.
    @ivar race: the race for the path.
    @ivar pin: the other side's pin, once its details are here; C{None} before.
    @ivar rejoinName: see L{Details}; likewise.
    @ivar instanceToken: see L{Details}; likewise.
    """

    role: Role
    silence: type[errors.PunchError]

    _greeting: Greeting
    _ownDetails: Details

    def __init__(self, context: IntroductionContext, terms: IntroductionTerms) -> None:
        self._tracer = tracer = context.tracer
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
            tracer,
        )
        self._policy = context.policy
        self._lanPreference = LANPreference(context.clock, terms.own, terms.peer)
        self._traversal = PortTraversal(
            context.traversal,
            self.race,
            terms.peer,
            self.role,
            self._note,
            tracer,
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
        path = tracedVerify(
            self._context.authenticator,
            connection,
            self.role,
            self.whenPin,
            self._tracer,
        )
        return path.addCallback(self._lanPreference.delay)

    def acceptSecured(self, secured: TLSConnection) -> None:
        """
        Take a connection from an unknown address, whose TLS is done, and which has
        shown the other side's pin: it races with the others.
        """
        pin = _tracedPin(secured, self.whenPin, self._tracer, earlier=True)
        self.race.accept(
            secured,
            lambda _: Deferred.fromCoroutine(
                verifySecured(self._context.clock, secured, self.role, pin)
            ),
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
        What the other side's NATs do, as far as the other side has told.
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
        Fires with the other side's pin, when its details have come.
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
        The other side left the introduction.

        If it left because it has attached a path, the path may be slower than this
        message: go on.  If only its connection to the rendezvous broke, and its
        details are here, go on too.  If its time was up, it has judged for both.

        @param reason: a L{Reason}'s value, unsealed: the rendezvous may have invented
            it.
        """
        self._tracer(traceevents.PeerWithdrew(reason))
        settled = reason == Reason.PEER_LEFT.value and self.proven
        if reason in _TIME_IS_UP:
            self._conclude(VERDICTS.get(reason))
        elif reason != Reason.DONE.value and not settled:
            self.race.fail(_ERRORS_OF_LEAVERS.get(reason, errors.PeerLeft)())

    @property
    def expectsDirect(self) -> bool:
        """
        Whether a direct path will do: connections that come in may be the other
        side's.
        """
        return self._policy.mayMeet

    @property
    def _mayDial(self) -> bool:
        """
        Whether we connect to where the rendezvous sees the other side.
        """
        where = self._terms
        return self.expectsDirect and isUsableAddress(where.peer, where.overLoopback)

    def _start(self) -> None:
        if self._mayDial:
            self.race.add(Candidate(Kind.SERVER_REFLEXIVE, self._terms.peer))

    def _learn(self, details: Details) -> None:
        """
        Take in the other side's details: it has shown that it knows the secret.
        """
        self._tracer(traceevents.DetailsReceived(len(details.candidates)))
        self.pin = details.pin
        self.rejoinName, self.instanceToken = details.rejoinName, details.instanceToken
        if self.role is Role.DIALER:
            self._lanPreference.candidatesKnown(
                self._ownDetails.candidates, details.candidates
            )
        self._details.succeed(details)
        self._agree(details.features)
        if self.expectsDirect:
            for candidate in usableCandidates(
                details.candidates, self._terms.overLoopback
            ):
                self.race.add(candidate)
        if self._mayDial:
            self._traversal.start(self._ownDetails.behavior, details.behavior)
        self._proof.succeed(None)

    def _agree(self, features: frozenset[str]) -> None:
        """
        Apply the relay policies of both sides: only what both accept will do.
        """
        policy = self._policy.beside(features)
        if policy is None:
            self._judge(NoCommonWay)
        elif not policy.mayMeet:
            self._policy = policy
            self.race.stopDirect()

    def _say(self, message: bytes) -> None:
        self._terms.relay(message)
        self._tracer(traceevents.DetailsSent())

    def _report(self) -> None:
        if self.proven and self.expectsDirect:
            self._traversal.report()

    def _timeOut(self) -> None:
        """
        Time is up: judge why there is no path.
        """
        self._conclude(self._traversal.verdict(self._lanPreference.isBehindSameNAT))

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
    The dialer's side of an introduction, which it asked for.

    It has sent its PAKE message with the dial.  The listener's first message holds the
    listener's PAKE message and sealed details, and is answered with our details.
    """

    role = Role.DIALER
    silence = errors.PeerSilent

    def __init__(
        self,
        context: IntroductionContext,
        terms: IntroductionTerms,
        greeting: DialerGreeting,
        own: Callable[[], Details],
    ) -> None:
        """
        @param own: answers with our details.  It is called when they are sent, since
            more may be known by then.
        """
        self._greeting: DialerGreeting = greeting
        self._own = own
        Introduction.__init__(self, context, terms)

    def _timeout(self) -> float:
        return _dialersTimeout(self._context)

    def _greeted(self, message: bytes) -> None:
        try:
            self._ownDetails = self._own()
            details, answer = self._greeting.answer(message, self._ownDetails)
        except errors.WrongCode as wrong:
            self.race.fail(wrong)
            return
        self._say(answer)
        self._learn(details)


class AnsweredIntroduction(Introduction):
    """
    The listener's side of an introduction, which somebody else asked for.

    Until the dialer's sealed details open, and it is C{proven}, the dialer may be
    guessing at our secret.  So L{answer}, which lets it test one guess, is the owner's
    to call.
    """

    role = Role.LISTENER
    silence = errors.Unproven

    def __init__(
        self,
        context: IntroductionContext,
        terms: IntroductionTerms,
        greeting: ListenerGreeting,
        dialed: bytes,
    ) -> None:
        """
        @param dialed: the dialer's PAKE message.
        """
        self._greeting: ListenerGreeting = greeting
        self._dialed = dialed
        self._isRehearsal = False
        Introduction.__init__(self, context, terms)

    def answer(self, own: Details) -> None:
        """
        Answer the dialer's PAKE message.  This lets it test one guess at our secret.
        """
        self._ownDetails = own
        self._attempt(lambda: self._say(self._greeting.answer(self._dialed, own)))

    def _greeted(self, message: bytes) -> None:
        self._attempt(lambda: self._learn(self._greeting.finish(message)))

    def _learn(self, details: Details) -> None:
        self._isRehearsal = TRIAL_DIAL in details.features
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
        The dialer only tried how it would meet us: end without a failure.
        """
        if self.race.isRunning:
            self._context.tell(Rehearsed(formatAddress(self._terms.peer)))
            self.race.stop()

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except errors.PunchError as wrong:
            self.race.fail(wrong)

"""
The race: every address of the peer at once, and the first valid path wins.

What a valid path is, the race is told (C{verify}); when to try what, the
checklist says.  However the race ends, it ends in one place, which cancels all
that is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch.errors import PunchError, WrongPin
from punch.events import Attempted, Searched, Tell
from punch.ice.candidate import Candidate, Kind
from punch.ice.checklist import Checklist
from punch.ice.selected import SelectedPath
from punch.net.address import Address, formatAddress
from punch.net.connection import Connection
from punch.net.connector import attemptTimeout, outcomeOf
from punch.net.outcome import Outcome
from punch.reasons import Reason
from punch.traceevents import (
    RELAY,
    CandidateAdded,
    ConnectEnded,
    ConnectionMade,
    ConnectionRejected,
    ConnectStarted,
    PathSelected,
    RaceEnded,
    RaceFailed,
    SearchConnectFailed,
    SearchConnectStarted,
    Tracer,
    noTracer,
)
from punch.util.deferreds import SharedResult
from punch.util.timers import RestartableTimer

P = TypeVar("P")

Connect = Callable[[Address], Deferred[Connection]]
"""
Connects from the shared port.
"""

Verify = Callable[[Connection], Deferred[P]]
"""
Makes a path of a connection, or fails; it owns the connection from then on.
"""


class Race(Generic[P]):
    """
    Tries all candidates of one peer at once until a verified connection is selected.

    An introduction or a direct dial makes it, feeds it candidates and incoming
    connections, and stops it.  When it ends it cancels every attempt and verification
    that is left.

    @ivar selected: fires with the first valid path, or fails with the reason why there
        is none.  Cancelling it ends the race.
    @ivar better: if the first path is relayed, the race goes on, and this fires with a
        direct path, or fails.
    @ivar finished: fires when the race has ended, in whatever way.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        checklist: Checklist,
        connect: Connect,
        verify: Verify[P],
        tell: Tell,
        isDirect: bool = True,
        tracer: Tracer = noTracer,
    ) -> None:
        """
        @param isDirect: direct paths are wanted; else the first relayed one ends it.
        @param tracer: called with each trace event of the race.
        """
        self._isDirect = isDirect
        self._clock = clock
        self._checklist = checklist
        self._connect = connect
        self._verify = verify
        self._tell = tell
        self._tracer = tracer
        # In order, so that what is cancelled is cancelled in the same order always.
        self._running: dict[Deferred[Connection] | Deferred[P], None] = {}
        self._next = RestartableTimer(clock)
        self._isOver = False
        self._isRelayed = False
        self._searched = 0
        self.better: SharedResult[SelectedPath[P]] = SharedResult()
        self.finished: SharedResult[None] = SharedResult()
        self.selected: Deferred[SelectedPath[P]] = Deferred(lambda _: self._finish())

    @property
    def isRunning(self) -> bool:
        """
        Whether a (better) path may still be found.
        """
        return not self._isOver

    def add(self, candidate: Candidate) -> None:
        """
        Try this candidate too, from now on.
        """
        if self._isOver or not self._checklist.add(candidate, self._clock.seconds()):
            return
        self._tracer(
            CandidateAdded(formatAddress(candidate.address), candidate.kind.value)
        )
        self._report(candidate.address, "started")
        self._startDue()

    def accept(
        self, connection: Connection, verify: Verify[P] | None = None
    ) -> Deferred[None]:
        """
        A connection came in: it races with the others.

        @param verify: C{None}: as any other connection is verified.
        @return: fires when it has won or is out.
        """
        if not self._isOver:
            return self._enter(connection, verify=verify)
        connection.abort()
        return succeed(None)

    def addSearched(
        self, connecting: Deferred[Any], kind: Kind | None = None, among: str = ""
    ) -> None:
        """
        A connection that a search makes races with the others.  Of those that are not
        made there are hundreds: all are traced, but only how many is told.

        @param connecting: fires with it; owned by us from now on.
        @param kind: C{None}: that of the candidate it leads to.
        @param among: what is searched, as people are told.
        """
        if self._isOver:
            connecting.addCallbacks(lambda made: made.abort(), lambda failure: None)
            connecting.cancel()
            return
        self._searched += 1
        self._tracer(SearchConnectStarted(among))
        self._await(connecting, kind, self._searchFailed, self._clock.seconds())

    def addRelayed(self, connecting: Deferred[Any]) -> None:
        """
        A connection through the relay races with the others.

        @param connecting: fires with it; owned by us from now on.
        """
        self._tell(Attempted(RELAY, Kind.RELAYED.value, "started"))
        self._tracer(CandidateAdded(RELAY, Kind.RELAYED.value))
        self._tracer(ConnectStarted(RELAY))
        self._await(connecting, Kind.RELAYED, self._relayFailed)

    def _await(
        self,
        connecting: Deferred[Any],
        kind: Kind | None,
        unmade: Callable[[Failure], None],
        began: float | None = None,
    ) -> None:
        """
        @param began: when, if a search began it.
        """
        self._running[connecting] = None

        def connected(connection: Connection) -> None:
            self._running.pop(connecting, None)
            took = None if began is None else self._clock.seconds() - began
            self._enter(connection, kind, took)

        def failed(failure: Failure) -> None:
            self._running.pop(connecting, None)
            if not self._isOver:
                unmade(failure)

        connecting.addCallbacks(connected, failed).addErrback(self._failedUnexpectedly)

    def _searchFailed(self, failure: Failure) -> None:
        self._tracer(SearchConnectFailed(outcomeOf(failure).value))

    def _relayFailed(self, failure: Failure, local: str = "") -> None:
        self._log.debug("no path by the relay: {why}", why=failure.value)
        outcome = Outcome.REJECTED.value
        if isinstance(failure.value, PunchError):
            outcome = failure.value.reason.value
        self._tell(Attempted(RELAY, Kind.RELAYED.value, outcome))
        self._tracer(ConnectionRejected(RELAY, local, outcome))

    def fail(self, reason: PunchError) -> None:
        """
        Nobody wins any more.
        """
        self._fail(Failure(reason))

    def _fail(self, failure: Failure) -> None:
        if self._isOver:
            return
        error = failure.value
        if isinstance(error, PunchError):
            self._tracer(RaceFailed(error.reason.value, error.text, error.detail))
        self._finish()
        if self._isRelayed:
            self.better.fail(failure)
        else:
            self.selected.errback(failure)

    def stop(self) -> None:
        """
        A better path is not wanted any more.
        """
        self._fail(Failure(CancelledError()))

    def timeOut(self, verdict: type[PunchError] | None = None) -> None:
        """
        Time is up: say why there is no path.

        @param verdict: why, if somebody knows better than we.
        """
        seen = self._checklist.failure(self._searched)
        self.fail(seen if verdict is None else verdict(seen.detail))

    def stopTrying(self, kind: Kind) -> None:
        """
        See L{Checklist.stopTrying}.
        """
        self._checklist.stopTrying(kind)

    def stopDirect(self) -> None:
        """
        No direct path is wanted after all: nothing more is tried.
        """
        self._isDirect = False
        for kind in Kind:
            self.stopTrying(kind)

    def outcomes(self) -> frozenset[str]:
        """
        See L{Checklist.outcomes}.
        """
        return self._checklist.outcomes()

    def expects(self, address: Address) -> bool:
        """
        Whether C{address} is a candidate's.
        """
        return address in self._checklist

    def expectsHost(self, address: Address) -> bool:
        """
        Whether a candidate has C{address}' IP address, at whatever port.
        """
        return self._checklist.knowsHost(address.host)

    def _startDue(self) -> None:
        """
        Start what is due, and come back when more will be.
        """
        self._next.clear()
        for candidate in self._checklist.due(self._clock.seconds()):
            if not self._isOver:
                self._attempt(candidate.address)
        due = self._checklist.nextDue()
        if due is not None and not self._isOver:
            pause = max(0.0, due - self._clock.seconds())
            self._next.set(pause, self._startDue)

    def _attempt(self, address: Address) -> None:
        self._tracer(ConnectStarted(formatAddress(address)))
        attempt = self._connect(address)
        attempt.addTimeout(self._checklist.patience(), self._clock, attemptTimeout)
        self._running[attempt] = None

        def connected(connection: Connection) -> None:
            self._running.pop(attempt, None)
            self._conclude(address, Outcome.CONNECTED)
            self._enter(connection)

        def failed(failure: Failure) -> None:
            self._running.pop(attempt, None)
            if not self._isOver:
                self._conclude(address, outcomeOf(failure))
                self._startDue()

        attempt.addCallbacks(connected, failed)
        attempt.addErrback(self._failedUnexpectedly)

    def _enter(
        self,
        connection: Connection,
        kind: Kind | None = None,
        took: float | None = None,
        verify: Verify[P] | None = None,
    ) -> Deferred[None]:
        """
        Verify a connection; it holds its four-tuple while it lives.

        @param kind: C{None}: that of the candidate it comes from.
        @param took: see L{ConnectionMade}.
        @param verify: C{None}: as any connection is.
        """
        remote, local = connection.remote, connection.local
        self._checklist.hold(remote)
        self._traceMade(connection, kind or self._checklist.kindOf(remote), took)
        verification = (verify or self._verify)(connection)
        self._running[verification] = None

        def valid(path: P) -> None:
            self._running.pop(verification, None)
            self._select(
                SelectedPath(
                    path,
                    kind or self._checklist.kindOf(remote),
                    connection.how,
                    local,
                    remote,
                )
            )

        def invalid(failure: Failure) -> None:
            self._running.pop(verification, None)
            if kind is Kind.RELAYED and not self._isOver:
                self._relayFailed(failure, formatAddress(local))
            elif not self._isOver:
                self._log.debug(
                    "no path to {remote}: {why}", remote=remote, why=failure.value
                )
                wrong = failure.check(WrongPin) is not None
                outcome = Outcome.WRONG_PIN if wrong else Outcome.REJECTED
                self._checklist.release(remote, outcome, self._clock.seconds())
                self._report(remote, outcome.value)
                addresses = formatAddress(remote), formatAddress(local)
                self._tracer(ConnectionRejected(*addresses, outcome.value))
                self._startDue()

        return verification.addCallbacks(valid, invalid).addErrback(
            self._failedUnexpectedly
        )

    def _traceMade(
        self, connection: Connection, kind: Kind, took: float | None
    ) -> None:
        remote = RELAY if kind is Kind.RELAYED else formatAddress(connection.remote)
        local, how = formatAddress(connection.local), connection.how.value
        self._tracer(ConnectionMade(remote, kind.value, local, how, took))

    def _select(self, selected: SelectedPath[P]) -> None:
        goesOn = selected.isRelayed and self._isDirect
        if goesOn:
            selected = replace(selected, why=self._checklist.failure().reason.value)
        elif selected.isRelayed:
            selected = replace(selected, why=Reason.RELAY_ONLY.value)
        remote = RELAY if selected.isRelayed else formatAddress(selected.remote)
        self._tracer(
            PathSelected(
                remote, formatAddress(selected.local), selected.way, selected.why
            )
        )
        isBetter, self._isRelayed = self._isRelayed, self._isRelayed or goesOn
        if not goesOn:
            self._finish()
        if isBetter:
            self.better.succeed(selected)
        else:
            self.selected.callback(selected)

    def _failedUnexpectedly(self, failure: Failure) -> None:
        """
        Our own mistake: it must not pass for an outcome of the network.
        """
        if not self._isOver:
            self._fail(failure)
        elif not failure.check(CancelledError):
            self._log.failure("after the race", failure)

    def _finish(self) -> None:
        """
        The one end: by a win, by cancelling, or by a surprise.
        """
        if not self._isOver:
            self._tracer(RaceEnded())
            if self._searched:
                self._tell(Searched(self._searched))
        self._isOver = True
        self._next.clear()
        running, self._running = self._running, {}
        for each in running:
            each.cancel()
        self.finished.succeed(None)

    def _conclude(self, address: Address, outcome: Outcome) -> None:
        self._checklist.conclude(address, outcome, self._clock.seconds())
        self._tracer(ConnectEnded(formatAddress(address), outcome.value))
        self._report(address, outcome.value)

    def _report(self, address: Address, outcome: str) -> None:
        if self._checklist.isNewOutcome(address, outcome):
            kind = self._checklist.kindOf(address).value
            self._tell(Attempted(formatAddress(address), kind, outcome))

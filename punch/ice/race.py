"""
The race: connects to every address of the peer at once, and selects the first
connection that proves to be the peer's.

The caller says what proves it (C{verify}); the checklist says when to try which
address.  However the race ends, L{Race._finish} runs and cancels all that is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch import traceevents
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
from punch.util.deferreds import SharedResult
from punch.util.timers import RestartableTimer

P = TypeVar("P")
T = TypeVar("T")

Connect = Callable[[Address], Deferred[Connection]]
"""
Connects from the shared port.
"""

Verify = Callable[[Connection], Deferred[P]]
"""
Makes a path of a connection, or fails; either way it owns the connection.
"""


class Race(Generic[P]):
    """
    Tries all candidates of one peer at once until a verified connection is selected.

    An introduction or a direct dial makes it, feeds it candidates and incoming
    connections, and stops it.  When it ends it cancels every attempt and verification
    that is left.

    @ivar checklist: the candidates, of which the race tries what is due.
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
        tracer: traceevents.Tracer = traceevents.noTracer,
    ) -> None:
        """
        @param checklist: says when to try which address.
        @param connect: connects from the shared port.
        @param verify: makes a path of a connection, if that is the peer's.
        @param tell: called with each event of the race.
        @param isDirect: whether direct paths are wanted.  If not, the first relayed
            path ends the race.
        @param tracer: called with each trace event of the race.
        """
        self._isDirect = isDirect
        self._clock = clock
        self.checklist = checklist
        self._connect = connect
        self._verify = verify
        self._tell = tell
        self._tracer = tracer
        # A dict keeps the order, so that cancelling always happens in the same one.
        self._running: dict[Deferred[Any], None] = {}
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
        Whether a path, or a better one, may still be found.
        """
        return not self._isOver

    def add(self, candidate: Candidate) -> None:
        """
        Try this candidate at once, unless the race is over or its address is known.
        """
        if self._isOver or not self.checklist.add(candidate, self._clock.seconds()):
            return
        self._tracer(
            traceevents.CandidateAdded(
                formatAddress(candidate.address), candidate.kind.value
            )
        )
        self._report(candidate.address, "started")
        self._startDue()

    def accept(
        self, connection: Connection, verify: Verify[P] | None = None
    ) -> Deferred[None]:
        """
        Verify a connection that came in.  If the race is over, close it.

        @param verify: how to verify it; C{None}: as every other connection.
        @return: fires when the connection has been selected or rejected.
        """
        if not self._isOver:
            return self._startVerify(connection, verify=verify)
        connection.abort()
        return succeed(None)

    def addSearched(
        self, connecting: Deferred[Any], kind: Kind | None = None, among: str = ""
    ) -> None:
        """
        Verify a connection that a port search is making.  Most of a search's hundreds
        of connects fail: each is traced, but only their number is told as an event.

        @param connecting: fires with the connection; the race owns it from now on.
        @param kind: the kind of candidate that it leads to; C{None}: look it up.
        @param among: what is searched, in words for people.
        """
        if self._isOver:
            connecting.addCallbacks(lambda made: made.abort(), lambda failure: None)
            connecting.cancel()
            return
        self._searched += 1
        self._tracer(traceevents.SearchConnectStarted(among))
        started = self._clock.seconds()

        def connected(connection: Connection) -> None:
            self._startVerify(connection, kind, self._clock.seconds() - started)

        self._track(connecting, connected, self._searchFailed)

    def addRelayed(self, connecting: Deferred[Any]) -> None:
        """
        Verify a connection that is being made through the relay.

        @param connecting: fires with the connection; the race owns it from now on.
        """
        self._tell(Attempted(traceevents.RELAY, Kind.RELAYED.value, "started"))
        self._tracer(traceevents.CandidateAdded(traceevents.RELAY, Kind.RELAYED.value))
        self._tracer(traceevents.ConnectStarted(traceevents.RELAY))
        self._track(
            connecting,
            lambda connection: self._startVerify(connection, Kind.RELAYED),
            self._relayFailed,
        )

    def _track(
        self,
        awaited: Deferred[T],
        succeeded: Callable[[T], object],
        failed: Callable[[Failure], None],
    ) -> Deferred[None]:
        """
        Wait for something that is cancelled when the race ends.

        @param failed: called only while the race goes on.
        """
        self._running[awaited] = None

        def done(result: T) -> None:
            self._running.pop(awaited, None)
            succeeded(result)

        def notDone(failure: Failure) -> None:
            self._running.pop(awaited, None)
            if not self._isOver:
                failed(failure)

        tracked = awaited.addCallbacks(done, notDone)
        return tracked.addErrback(self._failedUnexpectedly)

    def _searchFailed(self, failure: Failure) -> None:
        self._tracer(traceevents.SearchConnectFailed(outcomeOf(failure).value))

    def _relayFailed(self, failure: Failure, local: str = "") -> None:
        self._log.debug("no path by the relay: {why}", why=failure.value)
        outcome = Outcome.REJECTED.value
        if isinstance(failure.value, PunchError):
            outcome = failure.value.reason.value
        self._tell(Attempted(traceevents.RELAY, Kind.RELAYED.value, outcome))
        self._tracer(traceevents.ConnectionRejected(traceevents.RELAY, local, outcome))

    def fail(self, reason: PunchError) -> None:
        """
        End the race without a path.
        """
        self._fail(Failure(reason))

    def _fail(self, failure: Failure) -> None:
        if self._isOver:
            return
        error = failure.value
        if isinstance(error, PunchError):
            self._tracer(
                traceevents.RaceFailed(error.reason.value, error.text, error.detail)
            )
        self._finish()
        if self._isRelayed:
            self.better.fail(failure)
        else:
            self.selected.errback(failure)

    def stop(self) -> None:
        """
        End the race, since a path or a better one is not wanted any more.
        """
        self._fail(Failure(CancelledError()))

    def timeOut(self, verdict: type[PunchError] | None = None) -> None:
        """
        End the race because its time is up.

        @param verdict: the reason to give; C{None}: the one that the checklist sees.
        """
        seen = self.checklist.failure(self._searched)
        self.fail(seen if verdict is None else verdict(seen.detail))

    def stopDirect(self) -> None:
        """
        Try no more addresses: no direct path is wanted after all.
        """
        self._isDirect = False
        for kind in Kind:
            self.checklist.stopTrying(kind)

    def _startDue(self) -> None:
        """
        Start the attempts that are due, and set a timer for the next.
        """
        self._next.clear()
        for candidate in self.checklist.due(self._clock.seconds()):
            if not self._isOver:
                self._attempt(candidate.address)
        due = self.checklist.nextDue()
        if due is not None and not self._isOver:
            pause = max(0.0, due - self._clock.seconds())
            self._next.set(pause, self._startDue)

    def _attempt(self, address: Address) -> None:
        self._tracer(traceevents.ConnectStarted(formatAddress(address)))
        attempt = self._connect(address)
        attempt.addTimeout(self.checklist.patience(), self._clock, attemptTimeout)

        def connected(connection: Connection) -> None:
            self._conclude(address, Outcome.CONNECTED)
            self._startVerify(connection)

        def failed(failure: Failure) -> None:
            self._conclude(address, outcomeOf(failure))
            self._startDue()

        self._track(attempt, connected, failed)

    def _startVerify(
        self,
        connection: Connection,
        kind: Kind | None = None,
        took: float | None = None,
        verify: Verify[P] | None = None,
    ) -> Deferred[None]:
        """
        Verify a connection.  While it lives it holds its four-tuple, so its address is
        not tried again.

        @param kind: the kind of candidate that it comes from; C{None}: look it up.
        @param took: see L{traceevents.ConnectionMade}.
        @param verify: how; C{None}: as every other connection.
        @return: fires when the connection has been selected or rejected.
        """
        remote, local, how = connection.remote, connection.local, connection.how
        self.checklist.hold(remote)
        self._tracer(
            traceevents.ConnectionMade(
                traceevents.RELAY if kind is Kind.RELAYED else formatAddress(remote),
                (kind or self.checklist.kindOf(remote)).value,
                formatAddress(local),
                how.value,
                took,
            )
        )

        def valid(path: P) -> None:
            found = kind or self.checklist.kindOf(remote)
            self._select(SelectedPath(path, found, how, local, remote))

        def invalid(failure: Failure) -> None:
            if kind is Kind.RELAYED:
                self._relayFailed(failure, formatAddress(local))
            else:
                self._log.debug(
                    "no path to {remote}: {why}", remote=remote, why=failure.value
                )
                wrong = failure.check(WrongPin) is not None
                outcome = Outcome.WRONG_PIN if wrong else Outcome.REJECTED
                self.checklist.release(remote, outcome, self._clock.seconds())
                self._report(remote, outcome.value)
                addresses = formatAddress(remote), formatAddress(local)
                self._tracer(traceevents.ConnectionRejected(*addresses, outcome.value))
                self._startDue()

        return self._track((verify or self._verify)(connection), valid, invalid)

    def _select(self, selected: SelectedPath[P]) -> None:
        goesOn = selected.isRelayed and self._isDirect
        if goesOn:
            selected = replace(selected, why=self.checklist.failure().reason.value)
        elif selected.isRelayed:
            selected = replace(selected, why=Reason.RELAY_ONLY.value)
        remote = (
            traceevents.RELAY if selected.isRelayed else formatAddress(selected.remote)
        )
        self._tracer(
            traceevents.PathSelected(
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
        End the race over a mistake of our own, which must not pass for an outcome of
        the network.
        """
        if not self._isOver:
            self._fail(failure)
        elif not failure.check(CancelledError):
            self._log.failure("after the race", failure)

    def _finish(self) -> None:
        """
        Cancel all that is left.  Every race ends here: with a selected path, by being
        cancelled or stopped, and by a failure.
        """
        if not self._isOver:
            self._tracer(traceevents.RaceEnded())
            if self._searched:
                self._tell(Searched(self._searched))
        self._isOver = True
        self._next.clear()
        running, self._running = self._running, {}
        for each in running:
            each.cancel()
        self.finished.succeed(None)

    def _conclude(self, address: Address, outcome: Outcome) -> None:
        self.checklist.conclude(address, outcome, self._clock.seconds())
        self._tracer(traceevents.ConnectEnded(formatAddress(address), outcome.value))
        self._report(address, outcome.value)

    def _report(self, address: Address, outcome: str) -> None:
        if self.checklist.isNewOutcome(address, outcome):
            kind = self.checklist.kindOf(address).value
            self._tell(Attempted(formatAddress(address), kind, outcome))

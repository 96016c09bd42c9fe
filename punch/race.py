"""
The race: every address of the peer at once, and the first valid path wins.

What a valid path is, the race is told (C{verify}); when to try what, the
checklist says.  However the race ends, it ends in one place, which cancels all
that is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch.address import Address, formatAddress
from punch.attempt import outcomeOf
from punch.candidate import Candidate, Kind
from punch.checklist import Checklist, Outcome
from punch.connection import Connection, How
from punch.errors import PunchError, WrongPin
from punch.events import Attempted, Tell

P = TypeVar("P")

Connect = Callable[[Address], Deferred[Connection]]
"""
Connects from the shared port.
"""

Verify = Callable[[Connection], Deferred[P]]
"""
Makes a path of a connection, or fails; it owns the connection from then on.
"""


def _tooLong(attempt: object, seconds: float) -> Failure:
    """
    An attempt was cancelled because it took this long.
    """
    return Failure(TimeoutError(string=f"nothing in {seconds:.1f} s"))


@dataclass(frozen=True)
class Win(Generic[P]):
    """
    The path that won, and how it came about.
    """

    path: P
    kind: Kind
    how: How
    local: Address
    remote: Address


class Race(Generic[P]):
    """
    One race for one introduction.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        checklist: Checklist,
        connect: Connect,
        verify: Verify[P],
        tell: Tell,
    ) -> None:
        self._clock = clock
        self._checklist = checklist
        self._connect = connect
        self._verify = verify
        self._tell = tell
        # In order, so that what is cancelled is cancelled in the same order always.
        self._running: dict[Deferred[Connection] | Deferred[P], None] = {}
        self._next: IDelayedCall | None = None
        self._over = False
        self.won: Deferred[Win[P]] = Deferred(lambda _: self._finish())

    def add(self, candidate: Candidate) -> None:
        """
        Try this candidate too, from now on.
        """
        if self._over or not self._checklist.add(candidate, self._clock.seconds()):
            return
        self._report(candidate.address, "started")
        self._go()

    def accept(self, connection: Connection) -> Deferred[None]:
        """
        A connection came in: it races with the others.

        @return: fires when it has won or is out.
        """
        if not self._over:
            return self._enter(connection)
        connection.abort()
        return succeed(None)

    def fail(self, reason: PunchError) -> None:
        """
        Nobody wins any more.
        """
        if not self._over:
            self._finish()
            self.won.errback(reason)

    def timeOut(self) -> None:
        """
        Time is up: say why there is no path.
        """
        self.fail(self._checklist.verdict())

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

    def _go(self) -> None:
        """
        Start what is due, and come back when more will be.
        """
        if self._next is not None and self._next.active():
            self._next.cancel()
        for candidate in self._checklist.due(self._clock.seconds()):
            if not self._over:
                self._attempt(candidate.address)
        due = self._checklist.nextDue()
        if due is not None and not self._over:
            pause = max(0.0, due - self._clock.seconds())
            self._next = self._clock.callLater(pause, self._go)

    def _attempt(self, address: Address) -> None:
        attempt = self._connect(address)
        attempt.addTimeout(self._checklist.patience(), self._clock, _tooLong)
        self._running[attempt] = None

        def connected(connection: Connection) -> None:
            self._running.pop(attempt, None)
            self._conclude(address, Outcome.CONNECTED)
            self._enter(connection)

        def failed(failure: Failure) -> None:
            self._running.pop(attempt, None)
            if not self._over:
                self._conclude(address, outcomeOf(failure))
                self._go()

        attempt.addCallbacks(connected, failed)
        attempt.addErrback(self._surprised)

    def _enter(self, connection: Connection) -> Deferred[None]:
        """
        Verify a connection; it holds its four-tuple while it lives.
        """
        remote, local = connection.remote, connection.local
        self._checklist.hold(remote)
        verification = self._verify(connection)
        self._running[verification] = None

        def valid(path: P) -> None:
            self._running.pop(verification, None)
            kind = self._checklist.kindOf(remote)
            self._finish()
            self.won.callback(Win(path, kind, connection.how, local, remote))

        def invalid(failure: Failure) -> None:
            self._running.pop(verification, None)
            if not self._over:
                self._log.debug(
                    "no path to {remote}: {why}", remote=remote, why=failure.value
                )
                wrong = failure.check(WrongPin) is not None
                outcome = Outcome.WRONG_PIN if wrong else Outcome.REJECTED
                self._checklist.release(remote, outcome, self._clock.seconds())
                self._report(remote, outcome.value)
                self._go()

        return verification.addCallbacks(valid, invalid).addErrback(self._surprised)

    def _surprised(self, failure: Failure) -> None:
        """
        Our own mistake: it must not pass for an outcome of the network.
        """
        if not self._over:
            self._finish()
            self.won.errback(failure)
        elif not failure.check(CancelledError):
            self._log.failure("after the race", failure)

    def _finish(self) -> None:
        """
        The one end: by a win, by cancelling, or by a surprise.
        """
        self._over = True
        if self._next is not None and self._next.active():
            self._next.cancel()
        running, self._running = self._running, {}
        for each in running:
            each.cancel()

    def _conclude(self, address: Address, outcome: Outcome) -> None:
        self._checklist.conclude(address, outcome, self._clock.seconds())
        self._report(address, outcome.value)

    def _report(self, address: Address, outcome: str) -> None:
        kind = self._checklist.kindOf(address).value
        self._tell(Attempted(formatAddress(address), kind, outcome))

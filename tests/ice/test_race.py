"""
Tests for L{punch.ice.race}.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import TypeAlias

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import (
    ConnectError,
    ConnectionRefusedError,
    NoRouteError,
    TCPTimedOutError,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from punch import errors
from punch.events import Attempted, Event, Searched
from punch.ice.candidate import Candidate, Kind
from punch.ice.checklist import Checklist
from punch.ice.race import Race
from punch.ice.selected import SelectedPath
from punch.net.address import Address, formatAddress, tcpAddress
from punch.net.connection import Connection, Origin
from punch.traceevents import (
    CandidateAdded,
    ConnectEnded,
    ConnectionMade,
    ConnectStarted,
    PathSelected,
    RaceEnded,
    SearchConnectFailed,
    SearchConnectStarted,
    TraceEvent,
)
from punch.util.deferreds import SharedResult
from tests.support.doubles import OURS, MemoryTransport, PunchTestCase, connectionWith

HOST = Candidate(Kind.HOST, tcpAddress("192.168.1.2", 4040))
PEER = Candidate(Kind.SERVER_REFLEXIVE, tcpAddress("192.0.2.1", 4040))
STRANGER = tcpAddress("203.0.113.9", 999)

FAILURES: dict[str, ConnectError] = {
    "refused": ConnectionRefusedError(errno.ECONNREFUSED),
    "timed out": TCPTimedOutError(errno.ETIMEDOUT),
    "unreachable": NoRouteError(errno.ENETUNREACH),
    "taken": ConnectError(errno.EADDRNOTAVAIL),
}

Steps: TypeAlias = list[tuple[float, str]]


@dataclass
class _Network:
    """
    What connects and verifications come to: for each address, in order, after how
    long what.  Past the end nothing comes of them.
    """

    clock: Clock
    connects: dict[Address, Steps] = field(default_factory=dict)
    verifications: dict[Address, Steps] = field(default_factory=dict)
    attempts: list[tuple[float, Address]] = field(default_factory=list)
    transports: list[MemoryTransport] = field(default_factory=list)
    pending: int = 0

    def connect(self, address: Address) -> Deferred[Connection]:
        """
        @see: L{punch.ice.race.Connect}
        """
        self.attempts.append((self.clock.seconds(), address))
        outcome: Deferred[Connection] = self._after(self.connects.get(address, []))
        return outcome.addCallback(lambda _: self.made(address, Origin.CONNECTED))

    def made(self, remote: Address, how: Origin) -> Connection:
        """
        A connection.
        """
        connection, transport = connectionWith(remote, how)
        self.transports.append(transport)
        return connection

    def verify(self, connection: Connection) -> Deferred[Address]:
        """
        @see: L{punch.ice.race.Verify}
        """
        remote = connection.remote
        outcome = self._after(self.verifications.get(remote, []))

        def invalid(failure: Failure) -> Failure:
            connection.abort()
            return failure

        return outcome.addCallbacks(lambda _: remote, invalid)

    def _after(self, steps: Steps) -> Deferred[Connection]:
        """
        A Deferred for the next step.
        """
        self.pending += 1
        call = None

        def cancel(_: object) -> None:
            if call is not None:
                call.cancel()

        outcome: Deferred[Connection] = Deferred(cancel)
        if steps:
            delay, what = steps.pop(0)
            if delay < 0:
                self._fire(outcome, what)
            else:
                call = self.clock.callLater(delay, self._fire, outcome, what)

        def settled(result: Connection | Failure) -> Connection | Failure:
            self.pending -= 1
            return result

        outcome.addBoth(settled)
        return outcome

    @staticmethod
    def _fire(outcome: Deferred[Connection], what: str) -> None:
        if what in ("connected", "valid"):
            outcome.callback(Connection(Origin.CONNECTED))
        elif what == "invalid":
            outcome.errback(errors.WrongPin())
        else:
            outcome.errback(FAILURES[what])


class _Racing:
    """
    A race on a network.
    """

    def __init__(
        self, connects: dict[Address, Steps], verifications: dict[Address, Steps]
    ) -> None:
        self.clock = Clock()
        self.network = _Network(self.clock, connects, verifications)
        self.events: list[Event] = []
        self.race: Race[Address] = Race(
            self.clock,
            Checklist(Random(1)),
            self.network.connect,
            self.network.verify,
            self.events.append,
        )
        self.wonAt: float | None = None
        self.result: list[SelectedPath[Address] | Failure] = []
        self.race.selected.addBoth(self._ended)

    def _ended(self, result: SelectedPath[Address] | Failure) -> None:
        self.wonAt = self.clock.seconds()
        self.result.append(result)

    def accept(self, remote: Address) -> Deferred[None]:
        """
        A connection comes in.
        """
        return self.race.accept(self.network.made(remote, Origin.ACCEPTED))

    def run(self, seconds: float) -> None:
        """
        Let time pass.
        """
        until = self.clock.seconds() + seconds
        while True:
            calls = [each.getTime() for each in self.clock.getDelayedCalls()]
            due = min((each for each in calls if each <= until), default=None)
            if due is None:
                self.clock.advance(max(0.0, until - self.clock.seconds()))
                return
            self.clock.advance(max(0.0, due - self.clock.seconds()))

    @property
    def selected(self) -> SelectedPath[Address]:
        """
        What has won.
        """
        [result] = self.result
        assert isinstance(result, SelectedPath)
        return result

    @property
    def error(self) -> BaseException | None:
        """
        Why nothing has.
        """
        [result] = self.result
        assert isinstance(result, Failure)
        return result.value

    def assertNothingLeft(self) -> None:
        """
        See that nothing goes on: no call, no attempt, no verification, and no
        connection but the winner's.
        """
        assert self.clock.getDelayedCalls() == []
        assert self.network.pending == 0
        open_ = [each for each in self.network.transports if not each.aborted]
        selected = bool(self.result) and isinstance(self.result[0], SelectedPath)
        assert len(open_) == selected


def steps(*each: tuple[Candidate, Iterable[tuple[float, str]]]) -> dict[Address, Steps]:
    """
    What comes of each candidate.
    """
    return {candidate.address: list(what) for candidate, what in each}


@dataclass
class Scenario:
    """
    Two candidates: what connecting to them and verifying comes to, and when which
    wins by then.
    """

    name: str
    host: Steps
    peer: Steps
    hostValid: Steps
    peerValid: Steps
    winner: Candidate | None
    earliest: float = 0.0
    latest: float = 0.0


NEVER: Steps = []
SCENARIOS = [
    Scenario(
        "the only one",
        NEVER,
        [(0.1, "connected")],
        NEVER,
        [(0.1, "valid")],
        PEER,
        0.2,
        0.2,
    ),
    Scenario(
        "the same network wins in milliseconds",
        [(0.001, "connected")],
        [(0.1, "connected")],
        [(0.002, "valid")],
        [(0.1, "valid")],
        HOST,
        0.003,
        0.003,
    ),
    Scenario(
        "a slow verification holds up nobody",
        [(0.001, "connected")],
        [(0.1, "connected")],
        [(5.0, "valid")],
        [(0.1, "valid")],
        PEER,
        0.2,
        0.2,
    ),
    Scenario(
        "a stranger at a private address is no winner",
        [(0.001, "connected")],
        [(0.3, "connected")],
        [(0.01, "invalid")],
        [(0.1, "valid")],
        PEER,
        0.4,
        0.4,
    ),
    Scenario(
        "refused twice, then there",
        [(0.0, "unreachable")],
        [(0.1, "refused"), (0.1, "refused"), (0.1, "connected")],
        NEVER,
        [(0.1, "valid")],
        PEER,
        0.4,
        0.45,
    ),
    Scenario(
        "refused at once keeps a distance",
        NEVER,
        [(0.0, "refused")] * 99 + [(0.0, "connected")],
        NEVER,
        [(0.0, "valid")],
        PEER,
        0.7,
        1.1,
    ),
    Scenario(
        "timed out, then there",
        NEVER,
        [(5.0, "timed out"), (0.1, "connected")],
        NEVER,
        [(0.1, "valid")],
        PEER,
        5.2,
        5.3,
    ),
    Scenario(
        "unreachable is tried again slowly",
        NEVER,
        [(0.0, "unreachable"), (0.1, "connected")],
        NEVER,
        [(0.1, "valid")],
        PEER,
        1.0,
        1.4,
    ),
    Scenario(
        "a rejected connection is followed by another attempt",
        NEVER,
        [(0.1, "connected"), (0.1, "connected")],
        NEVER,
        [(0.1, "invalid"), (0.1, "valid")],
        PEER,
        0.45,
        0.5,
    ),
    Scenario(
        "nobody",
        [(0.0, "unreachable")] * 99,
        NEVER,
        NEVER,
        NEVER,
        None,
    ),
    Scenario(
        "connected, never valid",
        [(0.1, "connected")],
        [(0.1, "connected")],
        NEVER,
        NEVER,
        None,
    ),
    Scenario(
        "everything at once",
        [(-1.0, "connected")],
        [(-1.0, "connected")],
        [(-1.0, "valid")],
        [(-1.0, "valid")],
        HOST,
    ),
    Scenario(
        "refused within the call",
        [(-1.0, "refused")] * 20,
        [(-1.0, "refused")] * 3 + [(0.1, "connected")],
        NEVER,
        [(0.1, "valid")],
        PEER,
        0.2,
        0.3,
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_scenario(scenario: Scenario) -> None:
    """
    The first valid path wins, at its time, and nothing is left after it; when
    nothing wins, nothing is left after time is up.
    """
    racing = _Racing(
        steps((HOST, scenario.host), (PEER, scenario.peer)),
        steps((HOST, scenario.hostValid), (PEER, scenario.peerValid)),
    )
    racing.race.add(HOST)
    racing.race.add(PEER)
    racing.run(200.0)
    if scenario.winner is None:
        assert racing.result == []
        racing.race.timeOut()
        assert isinstance(racing.error, errors.ConnectError)
    else:
        selected = racing.selected
        assert selected.path == selected.remote == scenario.winner.address
        assert (selected.kind, selected.how, selected.local) == (
            scenario.winner.kind,
            Origin.CONNECTED,
            OURS,
        )
        assert racing.wonAt is not None
        assert scenario.earliest - 1e-9 <= racing.wonAt <= scenario.latest + 1e-9
    racing.assertNothingLeft()
    made = len(racing.network.attempts)
    racing.run(10.0)
    assert len(racing.network.attempts) == made


class RaceTests(PunchTestCase):
    """
    One race.
    """

    def racing(self, connects: Steps = NEVER, verifications: Steps = NEVER) -> _Racing:
        """
        A race to the peer.
        """
        racing = _Racing(
            steps((PEER, connects)),
            {**steps((PEER, verifications)), STRANGER: list(verifications)},
        )
        racing.race.add(PEER)
        return racing

    def test_accepted(self) -> None:
        """
        A connection that came in races with the others.
        """
        racing = self.racing(verifications=[(0.1, "valid")])
        racing.run(0.5)
        concluded = racing.accept(PEER.address)
        self.waiting(concluded)
        racing.run(0.2)
        self.successResultOf(concluded)
        assert racing.selected.how is Origin.ACCEPTED
        assert racing.selected.kind is Kind.SERVER_REFLEXIVE
        racing.assertNothingLeft()

    def test_acceptedFromElsewhere(self) -> None:
        """
        Even from an address that nobody told us of.
        """
        racing = self.racing(verifications=[(0.1, "valid")])
        racing.accept(STRANGER)
        racing.run(0.2)
        assert racing.selected.remote == STRANGER
        assert racing.selected.kind is Kind.PEER_REFLEXIVE
        racing.assertNothingLeft()

    def test_rejected(self) -> None:
        """
        One that is not the peer's is out, and its end is told.
        """
        racing = self.racing(verifications=[(0.1, "invalid")])
        concluded = racing.accept(STRANGER)
        racing.run(0.2)
        self.successResultOf(concluded)
        assert racing.result == []
        assert racing.network.transports[0].aborted
        assert racing.events[-1] == Attempted(
            formatAddress(STRANGER), "peer-reflexive", "wrong pin"
        )

    def test_heldWhileVerified(self) -> None:
        """
        While a connection with a candidate is being verified, no attempt is made on
        it: its four-tuple is taken.
        """
        racing = self.racing(connects=[(0.1, "taken")])
        racing.accept(PEER.address)
        racing.run(30.0)
        assert len(racing.network.attempts) == 1

    def test_acceptedTooLate(self) -> None:
        """
        After the race, connections are closed at once.
        """
        racing = self.racing([(0.1, "connected")], [(0.1, "valid")])
        racing.run(1.0)
        assert racing.selected
        self.successResultOf(racing.accept(PEER.address))
        assert racing.network.transports[-1].aborted
        racing.assertNothingLeft()

    def test_addedTooLate(self) -> None:
        """
        And candidates are not tried.
        """
        racing = self.racing([(0.1, "connected")], [(0.1, "valid")])
        racing.run(1.0)
        racing.race.add(HOST)
        assert len(racing.network.attempts) == 1
        racing.assertNothingLeft()

    def test_addedLater(self) -> None:
        """
        A candidate that comes during the race is tried at once, and an address
        once.
        """
        racing = self.racing()
        racing.run(3.0)
        racing.race.add(HOST)
        racing.race.add(Candidate(Kind.SERVER_REFLEXIVE, HOST.address))
        assert racing.network.attempts == [(0.0, PEER.address), (3.0, HOST.address)]

    def test_pendingIsRenewed(self) -> None:
        """
        A pending connect is left alone for as long as the kernel takes for three
        SYNs and their answers; then a fresh one replaces it with no gap.
        """
        racing = self.racing()
        racing.run(1000.0)
        starts = [at for at, _ in racing.network.attempts]
        assert starts[0] == 0.0
        assert all(6.0 <= b - a <= 6.9 for a, b in pairwise(starts))
        assert racing.network.pending == 1

    def test_cancelled(self) -> None:
        """
        Cancelled at whatever moment, nothing is left.
        """
        for moment in (0.0, 0.05, 0.15, 0.25, 0.35, 1.0):
            racing = self.racing(
                [(0.1, "refused"), (0.1, "connected")], [(0.1, "invalid")]
            )
            racing.accept(STRANGER)
            racing.run(moment)
            racing.race.selected.cancel()
            assert isinstance(racing.error, CancelledError)
            racing.assertNothingLeft()

    def test_failed(self) -> None:
        """
        Others may end it, with a reason, once.
        """
        racing = self.racing([(0.1, "connected")])
        racing.run(0.2)
        racing.race.fail(errors.PeerLeft())
        racing.race.fail(errors.WrongCode())
        racing.race.timeOut()
        assert isinstance(racing.error, errors.PeerLeft)
        racing.assertNothingLeft()

    def test_failedAfterWin(self) -> None:
        """
        But not once it is won.
        """
        racing = self.racing([(0.1, "connected")], [(0.1, "valid")])
        racing.run(1.0)
        racing.race.fail(errors.PeerLeft())
        assert racing.selected
        racing.assertNothingLeft()

    def test_timeOut(self) -> None:
        """
        When time is up the checklist's verdict is the reason.
        """
        cases: list[tuple[Steps, type[errors.ConnectError]]] = [
            ([], errors.NoAnswer),
            ([(0.1, "refused")] * 500, errors.Refused),
            ([(0.1, "unreachable")] * 500, errors.Unreachable),
            ([(0.1, "connected")], errors.NotAttached),
        ]
        for connects, kind in cases:
            racing = self.racing(connects)
            racing.run(30.0)
            racing.race.timeOut()
            assert type(racing.error) is kind
            racing.assertNothingLeft()

    def test_expects(self) -> None:
        """
        It knows whom it expects.
        """
        race = self.racing().race
        assert race.expects(PEER.address)
        assert not race.expects(tcpAddress("192.0.2.1", 4041))
        assert race.expectsHost(tcpAddress("192.0.2.1", 4041))
        assert not race.expectsHost(STRANGER)

    def test_told(self) -> None:
        """
        Each candidate's start and each outcome is told.
        """
        racing = self.racing([(0.1, "refused"), (0.1, "connected")], [(0.1, "valid")])
        racing.run(1.0)
        remote = formatAddress(PEER.address)
        assert racing.events == [
            Attempted(remote, "server-reflexive", outcome)
            for outcome in ("started", "refused", "connected")
        ]

    def test_wonTogether(self) -> None:
        """
        When what two connections wait for arrives (the other side's pin), one wins
        and the other is out.
        """
        racing = _Racing(steps((PEER, [(0.1, "connected")])), {})
        pin: SharedResult[Address] = SharedResult()
        racing.race = Race(
            racing.clock,
            Checklist(Random(1)),
            racing.network.connect,
            lambda connection: pin.wait(),
            racing.events.append,
        )
        racing.race.selected.addBoth(racing._ended)
        concluded = racing.accept(STRANGER)
        racing.race.add(PEER)
        racing.run(1.0)
        assert racing.result == []
        pin.succeed(STRANGER)
        assert racing.selected.remote == STRANGER
        self.successResultOf(concluded)

    def test_drawn(self) -> None:
        """
        Who draws hears of each connect, and not only of each sort of outcome; the end
        is the last it hears.
        """
        refused = [(0.1, "refused"), (0.1, "refused"), (0.1, "connected")]
        racing = _Racing(steps((PEER, refused)), {PEER.address: [(0.1, "valid")]})
        noted: list[TraceEvent] = []
        racing.race._tracer = noted.append
        racing.race.add(PEER)
        racing.run(1.0)
        remote, kind = formatAddress(PEER.address), PEER.kind.value
        assert noted == [
            CandidateAdded(remote, kind),
            ConnectStarted(remote),
            ConnectEnded(remote, "refused"),
            ConnectStarted(remote),
            ConnectEnded(remote, "refused"),
            ConnectStarted(remote),
            ConnectEnded(remote, "connected"),
            ConnectionMade(remote, kind, formatAddress(OURS), "connected"),
            PathSelected(remote, formatAddress(OURS), "direct", ""),
            RaceEnded(),
        ]

    def test_drawnUntilCancelled(self) -> None:
        """
        Cancelled, failed or ended twice, a race is over once.
        """
        ends: list[Callable[[Race[Address]], object]] = [
            lambda race: race.selected.cancel(),
            lambda race: race.fail(errors.PeerLeft()),
        ]
        for end in ends:
            racing = self.racing()
            noted: list[TraceEvent] = []
            racing.race._tracer = noted.append
            end(racing.race)
            racing.race.stop()
            assert noted[-1] == RaceEnded()
            assert noted.count(RaceEnded()) == 1

    def test_surprised(self) -> None:
        """
        A mistake of ours is the end of the race, and no outcome of the network.
        """
        racing = _Racing(steps((PEER, [(0.1, "connected")])), {})

        def verify(connection: Connection) -> Deferred[Address]:
            raise RuntimeError("a mistake")

        racing.race = Race(
            racing.clock,
            Checklist(Random(1)),
            racing.network.connect,
            verify,
            racing.events.append,
        )
        racing.race.selected.addBoth(racing._ended)
        racing.race.add(HOST)
        racing.race.add(PEER)
        racing.run(1.0)
        assert isinstance(racing.error, RuntimeError)
        assert racing.clock.getDelayedCalls() == []
        assert racing.network.pending == 0

    def test_verifiedWithinTheCall(self) -> None:
        """
        What is valid at once wins at once.
        """
        racing = self.racing()
        racing.race._verify = lambda connection: succeed(connection.remote)
        racing.accept(PEER.address)
        assert racing.selected.remote == PEER.address
        racing.assertNothingLeft()

    def test_invalidWithinTheCall(self) -> None:
        """
        What is invalid at once is out at once.
        """
        racing = self.racing()
        racing.race._verify = lambda connection: fail(errors.WrongPin())
        self.successResultOf(racing.accept(STRANGER))
        assert racing.result == []


class JoiningTests(PunchTestCase):
    """
    Connections that are made otherwise.
    """

    def test_wins(self) -> None:
        """
        One races as the others do, and is of the kind that it is said to be.
        """
        racing = _Racing({}, {STRANGER: [(0.1, "valid")]})
        connecting: Deferred[Connection] = Deferred()
        racing.race.addSearched(connecting, Kind.PREDICTED)
        connecting.callback(racing.network.made(STRANGER, Origin.CONNECTED))
        racing.run(1.0)
        assert (racing.selected.kind, racing.selected.remote) == (
            Kind.PREDICTED,
            STRANGER,
        )
        assert racing.events == [Searched(1)]

    def test_unmade(self) -> None:
        """
        Of one that is not made nothing is told, and the race goes on.
        """
        racing = _Racing({PEER.address: [(0.5, "connected")]}, {})
        racing.race.add(PEER)
        before = len(racing.events)
        racing.race.addSearched(fail(FAILURES["refused"]))
        assert len(racing.events) == before
        assert racing.race.isRunning
        racing.race.fail(errors.NoAnswer())

    def test_cancelled(self) -> None:
        """
        The end of the race is the end of those that are still to be made, and it is
        told once it has come.
        """
        racing = _Racing({}, {})
        over: list[None] = []
        racing.race.finished.wait().addCallback(over.append)
        connecting: Deferred[Connection] = Deferred()
        racing.race.addSearched(connecting)
        assert not over
        racing.race.fail(errors.NoAnswer())
        assert connecting.called
        assert over == [None]

    def test_accounted(self) -> None:
        """
        Each is drawn; how many there were is told once, at the end, and is in the
        reason of a failure.
        """
        racing = _Racing({}, {STRANGER: [(1.0, "valid")]})
        noted: list[TraceEvent] = []
        racing.race._tracer = noted.append
        connecting: Deferred[Connection] = Deferred()
        racing.race.addSearched(connecting, Kind.PREDICTED, "where it is")
        racing.race.addSearched(
            fail(FAILURES["refused"]), Kind.PREDICTED, "where it is"
        )
        racing.clock.advance(0.5)
        connecting.callback(racing.network.made(STRANGER, Origin.CONNECTED))
        remote, local = formatAddress(STRANGER), formatAddress(OURS)
        joined = ConnectionMade(remote, "predicted", local, "connected", 0.5)
        assert noted == [
            SearchConnectStarted("where it is"),
            SearchConnectStarted("where it is"),
            SearchConnectFailed("refused"),
            joined,
        ]
        racing.race.timeOut()
        assert racing.events == [Searched(2)]
        assert isinstance(racing.error, errors.NoAnswer)
        assert racing.error.detail == "tried 2 connects of a search"

    def test_late(self) -> None:
        """
        After the race there is nothing to join.
        """
        racing = _Racing({}, {})
        racing.race.fail(errors.NoAnswer())
        made = racing.network.made(STRANGER, Origin.CONNECTED)
        racing.race.addSearched(succeed(made))
        assert racing.network.transports[-1].aborted
        connecting: Deferred[Connection] = Deferred()
        racing.race.addSearched(connecting)
        assert connecting.called

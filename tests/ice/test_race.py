"""
Tests for L{punch.ice.race}.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
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
from punch.ice.race import Race, Verify
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

Step: TypeAlias = tuple[float, str]
Steps: TypeAlias = list[Step]


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
        self,
        connects: dict[Address, Steps],
        verifications: dict[Address, Steps],
        verify: Verify[Address] | None = None,
    ) -> None:
        self.clock = Clock()
        self.network = _Network(self.clock, connects, verifications)
        self.events: list[Event] = []
        self.noted: list[TraceEvent] = []
        self.race: Race[Address] = Race(
            self.clock,
            Checklist(Random(1)),
            self.network.connect,
            verify or self.network.verify,
            self.events.append,
            tracer=self.noted.append,
        )
        self.selectedAt: float | None = None
        self.result: list[SelectedPath[Address] | Failure] = []
        self.race.selected.addBoth(self._ended)

    def _ended(self, result: SelectedPath[Address] | Failure) -> None:
        self.selectedAt = self.clock.seconds()
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
    Two candidates: what connecting to them and verifying comes to; which of them wins,
    and when (seconds), at the earliest and at the latest.
    """

    name: str
    host: Steps = field(default_factory=list)
    peer: Steps = field(default_factory=list)
    hostValid: Steps = field(default_factory=list)
    peerValid: Steps = field(default_factory=list)
    winner: Candidate | None = PEER
    earliest: float = 0.0
    latest: float = 0.0


SCENARIOS = [
    Scenario(
        "the only one",
        peer=[(0.1, "connected")],
        peerValid=[(0.1, "valid")],
        earliest=0.2,
        latest=0.2,
    ),
    Scenario(
        "the same network wins in milliseconds",
        host=[(0.001, "connected")],
        peer=[(0.1, "connected")],
        hostValid=[(0.002, "valid")],
        peerValid=[(0.1, "valid")],
        winner=HOST,
        earliest=0.003,
        latest=0.003,
    ),
    Scenario(
        "a slow verification holds up nobody",
        host=[(0.001, "connected")],
        peer=[(0.1, "connected")],
        hostValid=[(5.0, "valid")],
        peerValid=[(0.1, "valid")],
        earliest=0.2,
        latest=0.2,
    ),
    Scenario(
        "a stranger at a private address is no winner",
        host=[(0.001, "connected")],
        peer=[(0.3, "connected")],
        hostValid=[(0.01, "invalid")],
        peerValid=[(0.1, "valid")],
        earliest=0.4,
        latest=0.4,
    ),
    Scenario(
        "refused twice, then there",
        host=[(0.0, "unreachable")],
        peer=[(0.1, "refused"), (0.1, "refused"), (0.1, "connected")],
        peerValid=[(0.1, "valid")],
        earliest=0.4,
        latest=0.45,
    ),
    Scenario(
        "refused at once keeps a distance",
        peer=[(0.0, "refused")] * 99 + [(0.0, "connected")],
        peerValid=[(0.0, "valid")],
        earliest=0.7,
        latest=1.1,
    ),
    Scenario(
        "timed out, then there",
        peer=[(5.0, "timed out"), (0.1, "connected")],
        peerValid=[(0.1, "valid")],
        earliest=5.2,
        latest=5.3,
    ),
    Scenario(
        "unreachable is tried again slowly",
        peer=[(0.0, "unreachable"), (0.1, "connected")],
        peerValid=[(0.1, "valid")],
        earliest=1.0,
        latest=1.4,
    ),
    Scenario(
        "a rejected connection is followed by another attempt",
        peer=[(0.1, "connected"), (0.1, "connected")],
        peerValid=[(0.1, "invalid"), (0.1, "valid")],
        earliest=0.45,
        latest=0.5,
    ),
    Scenario("nobody", host=[(0.0, "unreachable")] * 99, winner=None),
    Scenario(
        "connected, never valid",
        host=[(0.1, "connected")],
        peer=[(0.1, "connected")],
        winner=None,
    ),
    Scenario(
        "everything at once",
        host=[(-1.0, "connected")],
        peer=[(-1.0, "connected")],
        hostValid=[(-1.0, "valid")],
        peerValid=[(-1.0, "valid")],
        winner=HOST,
    ),
    Scenario(
        "refused within the call",
        host=[(-1.0, "refused")] * 20,
        peer=[(-1.0, "refused")] * 3 + [(0.1, "connected")],
        peerValid=[(0.1, "valid")],
        earliest=0.2,
        latest=0.3,
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
        assert racing.selectedAt is not None
        assert scenario.earliest - 1e-9 <= racing.selectedAt <= scenario.latest + 1e-9
    racing.assertNothingLeft()
    made = len(racing.network.attempts)
    racing.run(10.0)
    assert len(racing.network.attempts) == made


def racing(
    connects: Sequence[Step] = (), verifications: Sequence[Step] = ()
) -> _Racing:
    """
    A race to the peer.
    """
    raced = _Racing(
        steps((PEER, connects)),
        {**steps((PEER, verifications)), STRANGER: list(verifications)},
    )
    raced.race.add(PEER)
    return raced


@pytest.mark.parametrize(
    ("remote", "kind"),
    [(PEER.address, PEER.kind), (STRANGER, Kind.PEER_REFLEXIVE)],
    ids=["a candidate's", "an unknown one"],
)
def test_accepted(remote: Address, kind: Kind) -> None:
    """
    A connection that came in is verified and selected, whatever its address.
    """
    raced = racing(verifications=[(0.1, "valid")])
    raced.run(0.5)
    concluded: list[None] = []
    raced.accept(remote).addCallback(concluded.append)
    assert not concluded
    raced.run(0.2)
    assert concluded == [None]
    selected = raced.selected
    assert (selected.remote, selected.kind) == (remote, kind)
    assert selected.how is Origin.ACCEPTED
    raced.assertNothingLeft()


def test_tooLate() -> None:
    """
    After the race, connections are closed at once, candidates are not tried, and a
    failure changes nothing.
    """
    raced = racing([(0.1, "connected")], [(0.1, "valid")])
    raced.run(1.0)
    selected = raced.selected
    concluded: list[None] = []
    raced.accept(PEER.address).addCallback(concluded.append)
    assert concluded == [None]
    assert raced.network.transports[-1].aborted
    raced.race.add(HOST)
    assert len(raced.network.attempts) == 1
    raced.race.fail(errors.PeerLeft())
    assert raced.selected is selected
    raced.assertNothingLeft()


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.15, 0.25, 0.35, 1.0])
def test_cancelled(moment: float) -> None:
    """
    Cancelled at whatever moment, a race leaves nothing.
    """
    raced = racing([(0.1, "refused"), (0.1, "connected")], [(0.1, "invalid")])
    raced.accept(STRANGER)
    raced.run(moment)
    raced.race.selected.cancel()
    assert isinstance(raced.error, CancelledError)
    raced.assertNothingLeft()


def test_failed() -> None:
    """
    The first failure ends the race; later ones change nothing.
    """
    raced = racing([(0.1, "connected")])
    raced.run(0.2)
    raced.race.fail(errors.PeerLeft())
    raced.race.fail(errors.WrongCode())
    raced.race.timeOut()
    assert isinstance(raced.error, errors.PeerLeft)
    raced.assertNothingLeft()


@pytest.mark.parametrize(
    ("connects", "kind"),
    [
        ([], errors.NoAnswer),
        ([(0.1, "refused")] * 500, errors.Refused),
        ([(0.1, "unreachable")] * 500, errors.Unreachable),
        ([(0.1, "connected")], errors.NotAttached),
    ],
    ids=["silence", "refused", "unreachable", "connected"],
)
def test_timeOut(connects: Steps, kind: type[errors.ConnectError]) -> None:
    """
    When time is up, the reason is the checklist's.
    """
    raced = racing(connects)
    raced.run(30.0)
    raced.race.timeOut()
    assert type(raced.error) is kind
    raced.assertNothingLeft()


class RaceTests(PunchTestCase):
    """
    One race.
    """

    def test_rejected(self) -> None:
        """
        A connection that is not the peer's is rejected, and that is told.
        """
        raced = racing(verifications=[(0.1, "invalid")])
        concluded = raced.accept(STRANGER)
        raced.run(0.2)
        self.successResultOf(concluded)
        assert raced.result == []
        assert raced.network.transports[0].aborted
        assert raced.events[-1] == Attempted(
            formatAddress(STRANGER), "peer-reflexive", "wrong pin"
        )

    def test_heldWhileVerified(self) -> None:
        """
        While a connection with a candidate is being verified, no attempt is made on
        it: its four-tuple is taken.
        """
        raced = racing(connects=[(0.1, "taken")])
        raced.accept(PEER.address)
        raced.run(30.0)
        assert len(raced.network.attempts) == 1

    def test_addedLater(self) -> None:
        """
        A candidate that comes during the race is tried at once, and an address
        once.
        """
        raced = racing()
        raced.run(3.0)
        raced.race.add(HOST)
        raced.race.add(Candidate(Kind.SERVER_REFLEXIVE, HOST.address))
        assert raced.network.attempts == [(0.0, PEER.address), (3.0, HOST.address)]

    def test_pendingIsRenewed(self) -> None:
        """
        A pending connect is left alone for as long as the kernel takes for three
        SYNs and their answers; then a fresh one replaces it with no gap.
        """
        raced = racing()
        raced.run(1000.0)
        starts = [at for at, _ in raced.network.attempts]
        assert starts[0] == 0.0
        assert all(6.0 <= b - a <= 6.9 for a, b in pairwise(starts))
        assert raced.network.pending == 1

    def test_expects(self) -> None:
        """
        It knows whom it expects.
        """
        race = racing().race
        assert PEER.address in race.checklist
        assert tcpAddress("192.0.2.1", 4041) not in race.checklist
        assert race.checklist.knowsHost("192.0.2.1")
        assert not race.checklist.knowsHost(STRANGER.host)

    def test_told(self) -> None:
        """
        Each candidate's start and each outcome is told.
        """
        raced = racing([(0.1, "refused"), (0.1, "connected")], [(0.1, "valid")])
        raced.run(1.0)
        remote = formatAddress(PEER.address)
        assert raced.events == [
            Attempted(remote, "server-reflexive", outcome)
            for outcome in ("started", "refused", "connected")
        ]

    def test_selectedTogether(self) -> None:
        """
        When the peer's pin arrives, for which two connections wait, one is selected
        and the other is closed.
        """
        pin: SharedResult[Address] = SharedResult()
        raced = _Racing(
            steps((PEER, [(0.1, "connected")])), {}, lambda connection: pin.wait()
        )
        concluded = raced.accept(STRANGER)
        raced.race.add(PEER)
        raced.run(1.0)
        assert raced.result == []
        pin.succeed(STRANGER)
        assert raced.selected.remote == STRANGER
        self.successResultOf(concluded)

    def test_traced(self) -> None:
        """
        A tracer hears of each connect, and not only of each new outcome; the race's end
        is the last that it hears.
        """
        refused = [(0.1, "refused"), (0.1, "refused"), (0.1, "connected")]
        raced = _Racing(steps((PEER, refused)), {PEER.address: [(0.1, "valid")]})
        raced.race.add(PEER)
        raced.run(1.0)
        remote, kind = formatAddress(PEER.address), PEER.kind.value
        assert raced.noted == [
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

    def test_tracedOnce(self) -> None:
        """
        Cancelled, failed or ended twice, a race is over once.
        """
        ends: list[Callable[[Race[Address]], object]] = [
            lambda race: race.selected.cancel(),
            lambda race: race.fail(errors.PeerLeft()),
        ]
        for end in ends:
            raced = racing()
            end(raced.race)
            raced.race.stop()
            assert raced.noted[-1] == RaceEnded()
            assert raced.noted.count(RaceEnded()) == 1

    def test_ourMistake(self) -> None:
        """
        A mistake of ours ends the race, and is no outcome of the network.
        """

        def verify(connection: Connection) -> Deferred[Address]:
            raise RuntimeError("a mistake")

        raced = _Racing(steps((PEER, [(0.1, "connected")])), {}, verify)
        raced.race.add(HOST)
        raced.race.add(PEER)
        raced.run(1.0)
        assert isinstance(raced.error, RuntimeError)
        assert raced.clock.getDelayedCalls() == []
        assert raced.network.pending == 0

    def test_verifiedWithinTheCall(self) -> None:
        """
        A connection that is valid at once is selected at once.
        """
        raced = racing()
        raced.race._verify = lambda connection: succeed(connection.remote)
        raced.accept(PEER.address)
        assert raced.selected.remote == PEER.address
        raced.assertNothingLeft()

    def test_invalidWithinTheCall(self) -> None:
        """
        A connection that is invalid at once is rejected at once.
        """
        raced = racing()
        raced.race._verify = lambda connection: fail(errors.WrongPin())
        self.successResultOf(raced.accept(STRANGER))
        assert raced.result == []


class SearchTests(PunchTestCase):
    """
    Connections that a port search makes.
    """

    def test_selected(self) -> None:
        """
        It can be selected like any other, and is of the kind that it is said to be.
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

    def test_connectFailed(self) -> None:
        """
        A failed connect is not told, and the race goes on.
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
        The end of the race cancels pending connects; C{finished} fires then.
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

    def test_counted(self) -> None:
        """
        Each is traced.  Their number is told once, at the end, and is in the detail of
        a failure.
        """
        racing = _Racing({}, {STRANGER: [(1.0, "valid")]})
        connecting: Deferred[Connection] = Deferred()
        racing.race.addSearched(connecting, Kind.PREDICTED, "where it is")
        racing.race.addSearched(
            fail(FAILURES["refused"]), Kind.PREDICTED, "where it is"
        )
        racing.clock.advance(0.5)
        connecting.callback(racing.network.made(STRANGER, Origin.CONNECTED))
        remote, local = formatAddress(STRANGER), formatAddress(OURS)
        joined = ConnectionMade(remote, "predicted", local, "connected", 0.5)
        assert racing.noted == [
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
        After the race, a connection is closed and a pending connect is cancelled.
        """
        racing = _Racing({}, {})
        racing.race.fail(errors.NoAnswer())
        made = racing.network.made(STRANGER, Origin.CONNECTED)
        racing.race.addSearched(succeed(made))
        assert racing.network.transports[-1].aborted
        connecting: Deferred[Connection] = Deferred()
        racing.race.addSearched(connecting)
        assert connecting.called

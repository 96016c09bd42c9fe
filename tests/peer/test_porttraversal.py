"""
Tests for L{punch.peer.porttraversal}: what it makes of notes.  (What whole peers make
of it is in C{tests/whole/test_hard.py}.)
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from punch.errors import NoAnswer
from punch.ice.candidate import Candidate, Kind
from punch.ice.checklist import Checklist
from punch.ice.race import Race
from punch.nat.behavior import Allocation, Mapping, ObservedBehavior
from punch.nat.discovery import ANSWER_TIMEOUT, OWN_CONNECTIONS, BehaviorDiscovery
from punch.nat.errors import STUNSilent
from punch.nat.portsearch import SocketBudget
from punch.nat.verdict import AttemptReport
from punch.net.address import Address, tcpAddress
from punch.net.connection import Connection
from punch.peer.porttraversal import MOST_PREDICTED, PortTraversal, TraversalContext
from punch.role import Role
from punch.signaling.messages import MAX_NOTES, Note
from punch.traceevents import TraceEvent, TraversalStarted

PEER = tcpAddress("198.51.100.1", 5000)
RENDEZVOUS = tcpAddress("192.0.2.1", 4040)
OBSERVER = tcpAddress("192.0.2.1", 4041)

KEEPS = ObservedBehavior(Mapping.ENDPOINT_INDEPENDENT)
NEXT = ObservedBehavior(Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.SEQUENTIAL, 1)
ANY = ObservedBehavior(Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.RANDOM)


def offered(port: int, host: str = PEER.host) -> Note:
    """
    A note with one port to try.
    """
    return Note(candidates=(Candidate(Kind.PREDICTED, tcpAddress(host, port)),))


class _Meeting:
    """
    One side of an introduction; nothing comes of its connects.

    @ivar seen: the addresses that the observer answers, one request after another.
    @ivar answers: what further requests are answered with, if there are any.
    """

    def __init__(
        self, *seen: int, searches: bool = True, role: Role = Role.DIALER
    ) -> None:
        self.answers: list[Deferred[Address]] = []
        self.clock = Clock()
        self.seen = [tcpAddress("203.0.113.1", port) for port in seen]
        self.connects: list[Address] = []
        self.others: list[Address] = []
        self.notes: list[Note] = []
        self.steps: list[TraceEvent] = []
        self.discovery = BehaviorDiscovery(self.clock, self._requestMapped)
        self.race: Race[Any] = Race(
            self.clock,
            Checklist(Random(1)),
            self._noting(self.connects),
            lambda connection: Deferred(),
            lambda event: None,
        )
        self.race.selected.addErrback(lambda failure: None)
        context = TraversalContext(
            clock=self.clock,
            random=Random(1),
            discovery=self.discovery,
            sockets=SocketBudget(40),
            connect=self._noting(self.connects),
            connectFromOther=self._noting(self.others),
            maySearch=searches,
        )
        self.traversal = PortTraversal(
            context, self.race, PEER, role, self.notes.append, self.steps.append
        )

    def _requestMapped(self, observer: Address, isShared: bool) -> Deferred[Address]:
        return succeed(self.seen.pop(0)) if self.seen else self.answers.pop(0)

    @staticmethod
    def _noting(made: list[Address]) -> Callable[[Address], Deferred[Connection]]:
        def connect(address: Address) -> Deferred[Connection]:
            made.append(address)
            return Deferred()

        return connect

    def start(self, theirBehavior: ObservedBehavior | None) -> _Meeting:
        """
        Discover our NAT's behavior, and know the other side's.
        """
        self.discovery.start(RENDEZVOUS, tcpAddress("203.0.113.1", 7000), [OBSERVER])
        self.traversal.start(None, theirBehavior)
        return self

    def end(self) -> None:
        """
        The race ends; nothing is left of it.
        """
        self.race.fail(NoAnswer())
        assert not self.clock.getDelayedCalls()


def test_told() -> None:
    """
    The other side is told what was found, once.
    """
    meeting = _Meeting(7000).start(KEEPS)
    assert meeting.notes == [Note(KEEPS)]
    assert not meeting.connects
    meeting.end()


@pytest.mark.parametrize(
    ("own", "theirBehavior"),
    [([7000], ANY), (list(range(20_000, 60_000, 4000)), KEEPS)],
)
def test_noSearch(own: list[int], theirBehavior: ObservedBehavior) -> None:
    """
    A peer that is to make no search starts none, and says once why.
    """
    for searches in (True, False):
        meeting = _Meeting(*own, searches=searches).start(theirBehavior)
        meeting.traversal.noteReceived(Note(theirBehavior))
        meeting.clock.pump([0.1] * 20)
        assert bool(meeting.connects + meeting.others) is searches
        assert bool(meeting.clock.getDelayedCalls()) is searches
        [started] = meeting.steps
        assert isinstance(started, TraversalStarted)
        assert started.part.startswith("connect" if searches else "nothing")
        meeting.end()


def test_elsewhere() -> None:
    """
    Ports of another host are not tried, whoever offers them.
    """
    meeting = _Meeting(7000).start(NEXT)
    meeting.traversal.noteReceived(offered(80, "192.0.2.80"))
    meeting.traversal.noteReceived(offered(5001))
    assert meeting.connects == [tcpAddress(PEER.host, 5001)]
    meeting.end()


def test_endless() -> None:
    """
    Only so many notes are read.
    """
    meeting = _Meeting(7000).start(NEXT)
    for port in range(5001, 5001 + 2 * MAX_NOTES):
        meeting.traversal.noteReceived(offered(port))
    assert len(meeting.connects) == MAX_NOTES
    meeting.end()


def test_guess() -> None:
    """
    If their ports are random we try as many as we may, from the shared port.
    """
    meeting = _Meeting(7000).start(None)
    meeting.traversal.noteReceived(Note(ANY))
    meeting.clock.pump([0.02] * 50)
    assert len(set(meeting.connects)) == 40
    assert {each.host for each in meeting.connects} == {PEER.host}
    meeting.end()


def test_spread() -> None:
    """
    If our ports are random we connect from other ports, to their one.
    """
    meeting = _Meeting(*range(20_000, 60_000, 4000)).start(KEEPS)
    meeting.clock.pump([0.02] * 50)
    assert meeting.others == [PEER] * 40
    meeting.end()


def test_together() -> None:
    """
    If neither NAT keeps ports, their ports are tried as soon as our note can have
    arrived, and the address that the rendezvous observed is given up.
    """
    meeting = _Meeting(*range(7001, 7010))
    meeting.race.add(Candidate(Kind.SERVER_REFLEXIVE, PEER))
    answer: Deferred[Address] = Deferred()
    meeting.answers = [answer]
    meeting.start(NEXT)
    meeting.clock.advance(0.16)
    meeting.traversal.noteReceived(offered(5001))
    assert tcpAddress(PEER.host, 5001) not in meeting.connects
    answer.callback(tcpAddress("203.0.113.1", 7010))
    assert len(meeting.notes[-1].candidates) == 16
    meeting.clock.advance(0.07)
    assert tcpAddress(PEER.host, 5001) not in meeting.connects
    meeting.clock.advance(0.02)
    assert tcpAddress(PEER.host, 5001) in meeting.connects
    meeting.end()


def test_unreadable() -> None:
    """
    Notes that come when the race has ended do no harm.
    """
    meeting = _Meeting(7000).start(ANY)
    meeting.end()
    meeting.traversal.noteReceived(offered(5001))
    meeting.traversal.report()
    assert tcpAddress(PEER.host, 5001) not in meeting.connects


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("between", [1, 4, 9, 200])
def test_crossTraffic(role: Role, between: int) -> None:
    """
    The more ports other traffic takes during discovery, the more of ours are offered,
    in notes of limited size.  If neither NAT keeps ports, one side leaves some out.
    """
    first = 7000 + between
    meeting = _Meeting(*range(first, first + 10), role=role).start(NEXT)
    offers = [note.candidates for note in meeting.notes if note.candidates]
    assert all(len(each) <= 16 for each in offers)
    ports = [each.address.port for offer in offers for each in offer]
    if between == 200:
        assert not ports
    else:
        assert len(ports) == 16 + max(0, between - 1 - OWN_CONNECTIONS)
        gaps = {after - before for before, after in pairwise(ports)}
        assert gaps == ({1, 2} if role is Role.LISTENER else {1})
    meeting.end()


@pytest.mark.parametrize("role", Role)
def test_account(role: Role) -> None:
    """
    What we have seen is told once, and what both have seen is judged alike on both
    sides.
    """
    meeting = _Meeting(*range(20_000, 60_000, 4000), role=role).start(ANY)
    meeting.traversal.report()
    meeting.traversal.report()
    accounts = [note.report for note in meeting.notes if note.report is not None]
    assert len(accounts) == 1
    assert accounts[0].behavior is not None
    meeting.traversal.noteReceived(Note(report=AttemptReport(ANY)))
    verdict = meeting.traversal.verdict(False)
    assert verdict is not None
    assert verdict.reason.value == "both-random-mapping"
    meeting.end()


@pytest.mark.parametrize("answers", [0, 1])
def test_aheadLost(answers: int) -> None:
    """
    A request to the observer that is lost is repeated once.  If our next port remains
    unknown, the other side's ports are tried nevertheless.
    """
    meeting = _Meeting(*range(7001, 7010))
    meeting.answers = [fail(STUNSilent()), fail(STUNSilent())]
    if answers:
        meeting.answers[1] = succeed(tcpAddress("203.0.113.1", 7010))
    meeting.start(NEXT)
    meeting.traversal.noteReceived(offered(5001))
    meeting.clock.advance(0.1)
    assert not meeting.answers
    assert meeting.connects == [tcpAddress(PEER.host, 5001)]
    assert len(meeting.notes) == 1 + answers
    meeting.end()


def test_aheadLate() -> None:
    """
    The time that a lost request took is not taken for the delay to the other side.
    """
    meeting = _Meeting(*range(7001, 7010))
    meeting.answers = [Deferred(), succeed(tcpAddress("203.0.113.1", 7010))]
    meeting.start(NEXT)
    meeting.traversal.noteReceived(offered(5001))
    meeting.clock.advance(ANSWER_TIMEOUT)
    meeting.clock.advance(0.1)
    assert meeting.connects == [tcpAddress(PEER.host, 5001)]
    meeting.end()


def test_mostPredicted() -> None:
    """
    However many ports the other side offers, only so many are tried.
    """
    meeting = _Meeting(7000).start(NEXT)
    for first in range(5000, 5000 + 16 * MAX_NOTES, 16):
        ports = range(first, first + 16)
        meeting.traversal.noteReceived(
            Note(candidates=tuple(offered(port).candidates[0] for port in ports))
        )
    assert len(meeting.connects) == MOST_PREDICTED < 16 * MAX_NOTES
    meeting.end()

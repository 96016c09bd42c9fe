"""
Tests for L{punch.peer.lanpreference}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from punch.ice.candidate import Candidate, Kind
from punch.link.path import Path
from punch.net.address import Address, tcpAddress
from punch.peer.lanpreference import HEAD_START, LANPreference
from punch.util.deferreds import SharedResult

SHARED = "203.0.113.1"
OWN, PEER = tcpAddress(SHARED, 4000), tcpAddress(SHARED, 5000)
ELSEWHERE = tcpAddress("203.0.113.2", 5000)
OURS = (Candidate(Kind.HOST, tcpAddress("192.168.1.2", 4000)),)
THEIRS = (Candidate(Kind.HOST, tcpAddress("192.168.1.3", 5000)),)


class _Path:
    """
    A path that may be lost.
    """

    def __init__(self, remote: Address = PEER) -> None:
        self.remote = remote
        self.attached: SharedResult[Path] = SharedResult()
        self.aborted = False
        self.whenAttached = self.attached.wait

    def abort(self) -> None:
        """
        End it.
        """
        self.aborted = True


class _Start:
    """
    A head start, and what came of a path.
    """

    def __init__(self, own: Address = OWN, peer: Address = PEER) -> None:
        self.clock = Clock()
        self.headStart = LANPreference(self.clock, own, peer)
        self.path = _Path()

    def candidatesKnown(
        self, ours: Sequence[Candidate] = OURS, theirs: Sequence[Candidate] = THEIRS
    ) -> _Start:
        """
        Both know each other's candidates.
        """
        self.headStart.candidatesKnown(ours, theirs)
        return self

    def delay(self) -> Any:
        """
        The path, or what waits for it.
        """
        return self.headStart.delay(cast(Path, self.path))


def test_held() -> None:
    """
    A path that leads through the NAT before both waits until the head start is over,
    and not a moment longer.
    """
    start = _Start().candidatesKnown()
    start.clock.advance(0.03)
    waiting: Deferred[Path] = start.delay()
    won: list[Any] = []
    waiting.addCallback(won.append)
    start.clock.advance(HEAD_START - 0.031)
    assert not won
    start.clock.advance(0.0011)
    assert won == [start.path]
    assert not start.path.aborted
    assert start.delay() is start.path
    assert not start.clock.getDelayedCalls()


@pytest.mark.parametrize(
    "start",
    [
        _Start(),
        _Start(peer=ELSEWHERE).candidatesKnown(),
        _Start().candidatesKnown(theirs=()),
        _Start().candidatesKnown(theirs=[Candidate(Kind.SERVER_REFLEXIVE, ELSEWHERE)]),
        _Start().candidatesKnown(ours=[Candidate(Kind.HOST, OWN)]),
    ],
    ids=["unknown", "two NATs", "no address", "none of its own", "no NAT"],
)
def test_nobodyToWaitFor(start: _Start) -> None:
    """
    If no other path could overtake it, it wins at once.
    """
    assert start.delay() is start.path


def test_otherPath() -> None:
    """
    So does a path that leads anywhere else, the other side's own address above all.
    """
    start = _Start().candidatesKnown()
    start.path.remote = THEIRS[0].address
    assert start.delay() is start.path


@pytest.mark.parametrize("isLost", [True, False], ids=["lost", "overtaken"])
def test_ended(isLost: bool) -> None:
    """
    A path that is lost during the head start does not win; one that is overtaken is
    aborted.  Nothing is left of either.
    """
    start = _Start().candidatesKnown()
    waiting: Deferred[Path] = start.delay()
    failed: list[Failure] = []
    waiting.addErrback(failed.append)
    if isLost:
        start.path.attached.fail(ConnectionLost())
    else:
        waiting.cancel()
        assert start.path.aborted
    [failure] = failed
    assert failure.check(ConnectionLost if isLost else CancelledError)
    assert not start.clock.getDelayedCalls()


def test_behindOne() -> None:
    """
    Two peers that are observed at one address are behind one NAT.
    """
    assert _Start().headStart.isBehindSameNAT
    assert not _Start(peer=ELSEWHERE).headStart.isBehindSameNAT

"""
Tests for L{punch.check.idletimeout}.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.internet.tcp import makeBinding

from punch.check.assessment import Idle
from punch.check.idletimeout import LONGEST, idleOf, silence, silences
from punch.net.address import tcpAddress
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.stunserver import STUNFactory
from punch.testing import MemoryNetwork, NATBehavior

VANTAGE = tcpAddress("192.0.2.1", 4041)


class MeetingPoint:
    """
    A host behind a NAT, and somebody who answers STUN.
    """

    def __init__(
        self,
        lifetime: float = 7440.0,
        limits: Limits | None = None,
        longest: int = LONGEST,
    ) -> None:
        self.network = MemoryNetwork(Clock(), 1)
        server = self.network.host("192.0.2.1")
        self.port = server.listenTCP(4041, STUNFactory(server, limits))
        nat = self.network.nat("198.51.100.1", NATBehavior(lifetime=lifetime))
        host = self.network.host("192.168.1.2", behind=nat)
        asked = silence(host, VANTAGE, makeBinding("", 0), longest)
        self.running = Deferred.fromCoroutine(asked)

    def idle(self, patience: float = 90.0) -> Idle:
        """
        What it comes to; nothing is left of it.
        """
        found: list[Idle] = []
        self.running.addCallback(found.append)
        assert self.network.runUntil(lambda: found, patience)
        self.end()
        return found[0]

    def end(self) -> None:
        """
        See that nothing is left.
        """
        self.port.stopListening()
        self.network.run(1.0)
        assert not self.network.openSockets()
        assert not list(self.network.delayedCalls())


@pytest.mark.parametrize(
    ("lifetime", "held", "lost"),
    [(7440.0, 50, None), (25.0, 20, 30), (5.0, None, 10)],
)
def test_lifetime(lifetime: float, held: float | None, lost: float | None) -> None:
    """
    The NAT's lifetime is between two silences, if it is short.
    """
    assert MeetingPoint(lifetime).idle() == Idle(held, lost)


@pytest.mark.parametrize(
    ("lifetime", "held", "lost", "seconds"),
    [(9999.0, 7440, None, 7450), (1000.0, 900, 1200, 1215), (305.0, 300, 450, 465)],
)
def test_long(lifetime: float, held: int, lost: int | None, seconds: float) -> None:
    """
    Hours can be told, too, if the other side is asked to bear them; what is longer than
    a silence that was not borne is not waited for.
    """
    place = MeetingPoint(lifetime, longest=7440)
    assert place.idle(seconds) == Idle(held, lost)


def test_notBorne() -> None:
    """
    Nor is what the other side would not bear; then nothing is known of it.
    """
    place = MeetingPoint(limits=Limits(silenceSeconds=120), longest=3600)
    assert place.idle(135.0) == Idle(120, None)


def test_silences() -> None:
    """
    The longest is what was asked for, and tried last; those that take an effort of the
    other side are no more than it makes for one address.
    """
    assert silences(LONGEST) == (10, 20, 30, 40, 50)
    assert silences(7) == (7,)
    assert silences(100)[-2:] == (90, 100)
    long = [each for each in silences(86_400) if each > LONGEST]
    assert len(long) <= Limits().silencesPerAddress / 2


def test_hungUp() -> None:
    """
    A server that hangs up tells nothing of the NAT.
    """
    assert MeetingPoint(limits=Limits(idleSeconds=15)).idle() == Idle(10, None)


def test_cancelled() -> None:
    """
    Cancelled, nothing is left.
    """
    place = MeetingPoint()
    place.network.run(12.0)
    ended: list[object] = []
    place.running.addErrback(lambda why: ended.append(why.trap(CancelledError)))
    place.running.cancel()
    assert ended == [CancelledError]
    place.end()


@pytest.mark.parametrize(
    ("borne", "idle"),
    [
        ({10: True, 20: True, 30: False}, Idle(20, 30)),
        ({10: True, 20: None, 30: False}, Idle(10, 30)),
        ({10: False, 20: True}, Idle(None, 10)),
        ({10: None}, Idle(None, None)),
    ],
)
def test_idleOf(borne: dict[int, bool | None], idle: Idle) -> None:
    """
    What was not borne counts against what is longer.
    """
    assert idleOf(borne) == idle

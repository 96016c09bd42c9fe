"""
Tests for L{punch.silence}.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.internet.tcp import makeBinding

from punch.address import tcpAddress
from punch.assessment import Idle
from punch.rendezvous.limits import Limits
from punch.rendezvous.stunserver import STUNFactory
from punch.silence import SILENCES, idleOf, silence
from punch.testing import MemoryNetwork, NATBehavior

VANTAGE = tcpAddress("192.0.2.1", 4041)


class Place:
    """
    A host behind a NAT, and somebody who answers STUN.
    """

    def __init__(self, lifetime: float = 7440.0, limits: Limits | None = None) -> None:
        self.network = MemoryNetwork(Clock(), 1)
        server = self.network.host("192.0.2.1")
        self.port = server.listenTCP(4041, STUNFactory(server, limits))
        nat = self.network.nat("198.51.100.1", NATBehavior(lifetime=lifetime))
        host = self.network.host("192.168.1.2", behind=nat)
        asked = silence(host, VANTAGE, makeBinding("", 0))
        self.running = Deferred.fromCoroutine(asked)

    def idle(self) -> Idle:
        """
        What it comes to; nothing is left of it.
        """
        found: list[Idle] = []
        self.running.addCallback(found.append)
        assert self.network.runUntil(lambda: found, 90.0)
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
    [(7440.0, SILENCES[-1], None), (25.0, 20.0, 30.0), (5.0, None, 10.0)],
)
def test_lifetime(lifetime: float, held: float | None, lost: float | None) -> None:
    """
    The NAT's lifetime is between two silences, if it is short.
    """
    assert Place(lifetime).idle() == Idle(held, lost)


def test_hungUp() -> None:
    """
    A server that hangs up tells nothing of the NAT.
    """
    assert Place(limits=Limits(idleSeconds=15)).idle() == Idle(10.0, None)


def test_cancelled() -> None:
    """
    Cancelled, nothing is left.
    """
    place = Place()
    place.network.run(12.0)
    place.running.addErrback(lambda why: why.trap(CancelledError) and None)
    place.running.cancel()
    place.end()


@pytest.mark.parametrize(
    ("borne", "idle"),
    [
        ({10.0: True, 20.0: True, 30.0: False}, Idle(20.0, 30.0)),
        ({10.0: True, 20.0: None, 30.0: False}, Idle(10.0, 30.0)),
        ({10.0: False, 20.0: True}, Idle(None, 10.0)),
        ({10.0: None}, Idle(None, None)),
    ],
)
def test_idleOf(borne: dict[float, bool | None], idle: Idle) -> None:
    """
    What was not borne counts against what is longer.
    """
    assert idleOf(borne) == idle

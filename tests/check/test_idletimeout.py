"""
Tests for L{punch.check.idletimeout}.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.internet.tcp import makeBinding

from punch.check.assessment import IdleTimeout
from punch.check.idletimeout import (
    DEFAULT_LONGEST,
    idlePeriods,
    idleTimeoutOf,
    measureIdleTimeout,
)
from punch.net.address import tcpAddress
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.stunserver import STUNFactory
from punch.testing import MemoryNetwork, NATBehavior

SERVER = tcpAddress("192.0.2.1", 4041)


class Measurement:
    """
    A host behind a NAT that measures the idle timeout with a STUN server.
    """

    def __init__(
        self,
        lifetime: float = 7440.0,
        limits: Limits | None = None,
        longest: int = DEFAULT_LONGEST,
    ) -> None:
        self.network = MemoryNetwork(Clock(), 1)
        server = self.network.host("192.0.2.1")
        self.port = server.listenTCP(4041, STUNFactory(server, limits))
        nat = self.network.nat("198.51.100.1", NATBehavior(lifetime=lifetime))
        host = self.network.host("192.168.1.2", behind=nat)
        asked = measureIdleTimeout(host, SERVER, makeBinding("", 0), longest)
        self.running = Deferred.fromCoroutine(asked)

    def result(self, seconds: float = 90.0) -> IdleTimeout:
        """
        The result, which comes within C{seconds}; nothing is left of the measurement.
        """
        found: list[IdleTimeout] = []
        self.running.addCallback(found.append)
        assert self.network.runUntil(lambda: found, seconds)
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
    If the NAT's timeout is short, it is between two periods of silence.
    """
    assert Measurement(lifetime).result() == IdleTimeout(held, lost)


@pytest.mark.parametrize(
    ("lifetime", "held", "lost", "seconds"),
    [(9999.0, 7440, None, 7450), (1000.0, 900, 1200, 1215), (305.0, 300, 450, 465)],
)
def test_long(lifetime: float, held: int, lost: int | None, seconds: float) -> None:
    """
    Hours can be measured, too, if the server is asked to tolerate them.  After one
    silence was too long, longer ones are not waited for.
    """
    measurement = Measurement(lifetime, longest=7440)
    assert measurement.result(seconds) == IdleTimeout(held, lost)


def test_notTolerated() -> None:
    """
    A silence that the server does not tolerate is not tried, and tells nothing.
    """
    measurement = Measurement(limits=Limits(silenceSeconds=120), longest=3600)
    assert measurement.result(135.0) == IdleTimeout(120, None)


def test_periods() -> None:
    """
    The longest period is what was asked for, and the last.  Periods that the server has
    to be asked for are not more than it grants one address.
    """
    assert idlePeriods(DEFAULT_LONGEST) == (10, 20, 30, 40, 50)
    assert idlePeriods(7) == (7,)
    assert idlePeriods(100)[-2:] == (90, 100)
    long = [each for each in idlePeriods(86_400) if each > DEFAULT_LONGEST]
    assert len(long) <= Limits().silencesPerAddress / 2


def test_hungUp() -> None:
    """
    A server that hangs up tells nothing of the NAT.
    """
    assert Measurement(limits=Limits(idleSeconds=15)).result() == IdleTimeout(10, None)


def test_cancelled() -> None:
    """
    After it is cancelled, nothing is left.
    """
    measurement = Measurement()
    measurement.network.run(12.0)
    ended: list[object] = []
    measurement.running.addErrback(lambda why: ended.append(why.trap(CancelledError)))
    measurement.running.cancel()
    assert ended == [CancelledError]
    measurement.end()


@pytest.mark.parametrize(
    ("survived", "idle"),
    [
        ({10: True, 20: True, 30: False}, IdleTimeout(20, 30)),
        ({10: True, 20: None, 30: False}, IdleTimeout(10, 30)),
        ({10: False, 20: True}, IdleTimeout(None, 10)),
        ({10: None}, IdleTimeout(None, None)),
    ],
)
def test_result(survived: dict[int, bool | None], idle: IdleTimeout) -> None:
    """
    A silence that was too long counts for all that are longer.
    """
    assert idleTimeoutOf(survived) == idle

"""
Tests for L{punch.net.connector}.
"""

from __future__ import annotations

import errno

import pytest
from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.tcp import makeBinding
from twisted.python.failure import Failure

from punch.net.address import tcpAddress
from punch.net.connection import Connection
from punch.net.connector import ConnectAttempt, outcomeOf
from punch.net.outcome import Outcome
from punch.testing import MemoryHost, spin
from tests.support.doubles import PunchTestCase
from tests.support.programs import network

OUTCOMES: list[tuple[BaseException, Outcome]] = [
    (error.ConnectionRefusedError(errno.ECONNREFUSED), Outcome.REFUSED),
    (error.ConnectError(errno.ECONNRESET), Outcome.REFUSED),
    (error.TCPTimedOutError(errno.ETIMEDOUT), Outcome.TIMED_OUT),
    (error.TimeoutError(), Outcome.TIMED_OUT),
    (error.ConnectError(errno.EADDRNOTAVAIL), Outcome.TAKEN),
    (error.ConnectBindError(errno.EADDRINUSE), Outcome.TAKEN),
    (error.NoRouteError(errno.ENETUNREACH), Outcome.UNREACHABLE),
    (error.ConnectError(errno.EHOSTUNREACH), Outcome.UNREACHABLE),
    (error.ConnectError(errno.EACCES), Outcome.REFUSED),
    (error.ConnectError(), Outcome.UNREACHABLE),
    (OSError(errno.ENETUNREACH, "no"), Outcome.UNREACHABLE),
]


@pytest.mark.parametrize(
    ("why", "outcome"), OUTCOMES, ids=[repr(why) for why, _ in OUTCOMES]
)
def test_outcomes(why: BaseException, outcome: Outcome) -> None:
    """
    What a failed connect failed with says what it means.
    """
    assert outcomeOf(Failure(why)) is outcome


class AttemptTests(PunchTestCase):
    """
    Tests for L{ConnectAttempt}.
    """

    def setUp(self) -> None:
        self.network = network()
        self.host = self.network.host("192.0.2.1", latency=0.05)
        self.other = self.network.host("192.0.2.2", latency=0.05)

    def attempt(self, host: MemoryHost, remote: str) -> Deferred[Connection]:
        """
        Connect from port 4040 to port 4040.
        """
        attempt = ConnectAttempt()
        binding = makeBinding("", 4040, reuseAddress=True, reusePort=True)
        attempt.start(host, tcpAddress(remote, 4040), binding)
        return attempt.whenConnected

    def test_halfOpen(self) -> None:
        """
        Cancelled while half open, it frees its four-tuple at once: the next attempt
        may be made.
        """
        first = self.attempt(self.host, "192.0.2.2")
        vain = self.attempt(self.other, "192.0.2.1")
        self.network.run(0.08)  # Both SYNs are on their way.
        self.other.cut()
        self.network.run(0.5)
        first.cancel()
        self.failed(first, CancelledError)
        vain.cancel()
        self.failed(vain, CancelledError)
        self.other.mend()
        again = self.attempt(self.host, "192.0.2.2")
        crossing = self.attempt(self.other, "192.0.2.1")
        for each in (again, crossing):
            spin(each, self.network).abort()

    def test_noSocket(self) -> None:
        """
        Cancelled when the system would not give it a socket, it is just cancelled.
        """
        made = self.attempt(self.host, "2001:db8::2")
        made.cancel()
        self.failed(made, CancelledError)
        self.network.run(1)
        assert list(self.network.delayedCalls()) == []

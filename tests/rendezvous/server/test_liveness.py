"""
Whether a client lives and is of use.

How far away a client is.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport

from punch.rendezvous.server.liveness import (
    PING_INTERVAL,
    Action,
    Liveness,
    kernelRoundTrip,
    smoothed,
    socketUnder,
)

HERE = IPv4Address("TCP", "127.0.0.1", 1)
THERE = IPv4Address("TCP", "192.0.2.1", 1)


class Carrier:
    """
    A transport with a handle, perhaps over another transport.
    """

    def __init__(self, handle: object, peer: IPv4Address, under: object = None) -> None:
        self._handle = handle
        self._peer = peer
        self.transport = under

    def getHandle(self) -> object:
        """
        What carries it.
        """
        return self._handle

    def getPeer(self) -> IPv4Address:
        """
        Whom it leads to.
        """
        return self._peer


@pytest.fixture(name="accepted")
def _accepted() -> Iterator[socket.socket]:
    """
    A TCP connection over loopback, as the server has it.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()),
        server.accept()[0] as sock,
    ):
        yield sock


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_kernel(accepted: socket.socket) -> None:
    """
    The kernel knows the round trip as soon as a connection is made; over loopback
    it is short.  The field is found where C{ss} finds it: between zero, and the
    timeout that the kernel derives from it.
    """
    measured = kernelRoundTrip(Carrier(accepted, HERE))
    assert measured is not None
    info = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    timeout = int.from_bytes(info[8:12], sys.byteorder) / 1e6
    assert 0 < measured < 0.1
    assert measured < timeout


def test_noSocket() -> None:
    """
    A transport in memory has no kernel behind it.
    """
    assert kernelRoundTrip(StringTransport()) is None
    assert kernelRoundTrip(None) is None


def test_closed(accepted: socket.socket) -> None:
    """
    A socket that is closed has no round trip.
    """
    accepted.close()
    assert kernelRoundTrip(Carrier(accepted, HERE)) is None


def test_underTLS(accepted: socket.socket) -> None:
    """
    The socket is found under a transport that wraps it.
    """
    inner = Carrier(accepted, HERE)
    assert socketUnder(Carrier("TLS", HERE, inner)) is accepted


def test_behindProxy(accepted: socket.socket) -> None:
    """
    The round trip to a proxy is not the client's.
    """
    inner = Carrier(accepted, HERE)
    assert socketUnder(Carrier("proxied", THERE, inner)) is None


times = st.floats(0, 2)


@given(times, times)
def test_smoothed(estimate: float, sample: float) -> None:
    """
    A sample moves the estimate toward itself, not past it; the first one is it.
    """
    moved: Any = smoothed(estimate, sample)
    assert min(estimate, sample) <= moved <= max(estimate, sample)
    assert smoothed(None, sample) == sample


IDLE, SILENT = 60.0, 20.0


def action(liveness: Liveness, now: float, idle: bool = False) -> Action:
    """
    What is to be done at a time.
    """
    return liveness.action(now, idle, IDLE, SILENT)


def due(liveness: Liveness, idle: bool = False) -> float:
    """
    When something is to be done.
    """
    return liveness.due(idle, IDLE, SILENT)


@pytest.mark.parametrize(
    ("reported", "measured"), [(0.1, False), (None, True), (0.1, True)]
)
def test_firstPing(reported: float | None, measured: bool) -> None:
    """
    With the round trip known, the first ping comes within the interval, but not
    before three quarters of it.
    """
    liveness = Liveness(100.0, reported, measured)
    assert 100 + 0.75 * PING_INTERVAL <= due(liveness) <= 100 + PING_INTERVAL
    assert action(liveness, due(liveness) - 0.01) is Action.WAIT
    assert action(liveness, due(liveness)) is Action.PING


def test_firstPingAtOnce() -> None:
    """
    With the round trip unknown, a ping measures it as soon as the client waits for
    dialers; before that nobody needs to know.
    """
    liveness = Liveness(100.0, None, False)
    assert action(liveness, 100.0) is not Action.PING
    liveness.needRoundTrip(100.0)
    assert action(liveness, 100.0) is Action.PING
    liveness.pinged(100.0)
    liveness.answered(100.25)
    assert liveness.estimate == 0.25
    assert due(liveness) >= 100 + 0.75 * PING_INTERVAL


def test_smoothedSlowly() -> None:
    """
    Later pings move the estimate slowly.
    """
    liveness = Liveness(0.0, 0.8, False)
    liveness.pinged(40.0)
    liveness.answered(41.6)
    assert liveness.estimate == pytest.approx(0.9)


def test_silent() -> None:
    """
    A ping that is not answered in time is the end.
    """
    liveness = Liveness(0.0, None, False)
    liveness.pinged(0.0)
    assert due(liveness) == SILENT
    assert action(liveness, SILENT - 0.01) is Action.WAIT
    assert action(liveness, SILENT) is Action.ABORT


def test_idle() -> None:
    """
    A client of no use is closed after a while; one of use never is.
    """
    liveness = Liveness(0.0, 0.1, True)
    liveness.pinged(50.0)
    liveness.answered(50.1)
    assert due(liveness, idle=True) == IDLE
    assert action(liveness, IDLE, idle=True) is Action.CLOSE
    assert action(liveness, IDLE, idle=False) is Action.WAIT


def test_rested() -> None:
    """
    It is idle from when it gave its last thing up.
    """
    liveness = Liveness(0.0, 0.1, True)
    liveness.released(30.0)
    assert action(liveness, IDLE, idle=True) is not Action.CLOSE
    assert action(liveness, 30 + IDLE, idle=True) is Action.CLOSE

"""
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

from punch.rendezvous.roundtrip import kernelRoundTrip, smoothed, socketUnder

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

"""
Tests for L{punch.net.connection}.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from punch.net.address import tcpAddress
from punch.net.connection import (
    TCP_NOTSENT_LOWAT,
    Connection,
    Origin,
    copyReason,
)
from tests.support.doubles import OURS, Pair, PunchTestCase, connectionWith
from tests.support.programs import HalfCloser, Recorder


class _Pauser(Recorder):
    """
    Pauses when it is connected, and at each piece that it gets.
    """

    def connectionMade(self) -> None:
        """
        Not now.
        """
        self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        """
        Not more.
        """
        Recorder.dataReceived(self, data)
        self.transport.pauseProducing()


class _Quitter(Recorder):
    """
    Has heard enough after one piece.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Enough.
        """
        Recorder.dataReceived(self, data)
        self.transport.abortConnection()


class ConnectionTests(PunchTestCase):
    """
    A connection between two hosts that nobody has taken.
    """

    def setUp(self) -> None:
        """
        Connect.
        """
        self.pair = Pair()
        self.here, self.there = self.pair.connections()

    def taken(self, connection: Connection, protocol: Recorder) -> Recorder:
        """
        Have a protocol take a connection.
        """
        connection.handOver(protocol)
        return protocol

    def test_ends(self) -> None:
        """
        Both know how they came about, and where they end.
        """
        assert (self.here.how, self.there.how) == (
            Origin.CONNECTED,
            Origin.ACCEPTED,
        )
        assert self.here.local == self.there.remote == tcpAddress("192.0.2.1", 4040)
        assert self.here.remote == self.there.local == tcpAddress("192.0.2.2", 4040)

    @pytest.mark.skipif(sys.platform != "linux", reason="Linux's option")
    def test_littleUnsent(self) -> None:
        """
        The kernel takes little that it can't send yet, so that a small write does
        not wait behind a large one.
        """
        for each in (self.here, self.there):
            handle: Any = each.transport.getHandle()
            option = handle.getsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT)
            assert option == 128 << 10

    def test_noDelay(self) -> None:
        """
        Small messages are not delayed.
        """
        for each in (self.here, self.there):
            assert each.transport.getTcpNoDelay()

    def test_waits(self) -> None:
        """
        Bytes wait for whoever takes the connection.
        """
        self.here.transport.write(b"early ")
        self.pair.run()
        receiver = self.taken(self.there, Recorder())
        self.pair.run()
        assert receiver.received == b"early "
        self.here.transport.write(b"late")
        self.pair.run()
        assert receiver.received == b"early late"

    def test_heldBounded(self) -> None:
        """
        What waits is left in the kernels.
        """
        self.here.transport.write(bytes(10_000_000))
        self.pair.run(10)
        assert sum(map(len, self.there._held)) < 100_000

    def test_underWay(self) -> None:
        """
        Bytes that came while we were pausing come first.
        """
        self.there.dataReceived(b"one ")
        self.there.dataReceived(b"two ")
        self.here.transport.write(b"three")
        receiver = self.taken(self.there, Recorder())
        self.pair.run()
        assert receiver.received == b"one two three"

    def test_handedOverPaused(self) -> None:
        """
        Who pauses when it takes the connection gets nothing until it resumes.
        """
        self.here.transport.write(b"later")
        self.pair.run()
        receiver = self.taken(self.there, _Pauser())
        self.pair.run()
        assert receiver.received == b""
        receiver.transport.resumeProducing()
        self.pair.run()
        assert receiver.received == b"later"

    def test_write(self) -> None:
        """
        The taker writes to the other end.
        """
        one, other = (self.taken(each, Recorder()) for each in (self.here, self.there))
        one.transport.write(b"there")
        other.transport.write(b"and back")
        self.pair.run()
        assert (one.received, other.received) == (b"and back", b"there")

    def test_lost(self) -> None:
        """
        The taker hears of the end, and so does who asked.
        """
        receiver = self.taken(self.there, Recorder())
        self.waiting(self.there.whenLost)
        self.taken(self.here, Recorder()).transport.loseConnection()
        self.pair.run()
        assert receiver.isClean
        self.successResultOf(self.there.whenLost)
        self.successResultOf(self.here.whenLost)
        assert self.pair.network.openSockets() == []

    def test_handedOverTooLate(self) -> None:
        """
        Who takes a connection that has ended hears what had arrived, and its end.
        """
        self.there.dataReceived(b"last words")
        self.there.abort()
        self.pair.run()
        self.successResultOf(self.there.whenLost)
        receiver = self.taken(self.there, Recorder())
        assert receiver.received == b"last words"
        assert not receiver.isOpen

    def test_abort(self) -> None:
        """
        What nobody takes is told nothing.
        """
        receiver = self.taken(self.there, Recorder())
        self.here.transport.write(b"secret")
        self.here.abort()
        self.pair.run()
        assert receiver.received == b""
        assert receiver.lostBy(ConnectionLost)

    def test_halfClosed(self) -> None:
        """
        A taker that knows half-closed connections has them.
        """
        one, other = HalfCloser(), HalfCloser()
        self.here.handOver(one)
        self.there.handOver(other)
        one.transport.loseWriteConnection()
        self.pair.run()
        assert (one.ended, other.ended) == (["write"], ["read"])
        other.transport.write(b"still")
        self.pair.run()
        assert one.received == b"still"
        other.transport.loseConnection()
        self.pair.run()
        assert not one.isOpen or one.ended == ["write", "read"]

    def test_noHalfCloseForOtherProtocols(self) -> None:
        """
        For others the end of one direction is the end.
        """
        receiver = self.taken(self.there, Recorder())
        half: Any = self.here.transport
        half.loseWriteConnection()
        self.pair.run()
        assert not receiver.isOpen


def test_copyReason() -> None:
    """
    Why a connection was lost is its own to raise: Twisted has one failure for all.
    """
    shared = Failure(ConnectionLost())
    kept = []
    for _ in range(2):
        connection, _ = connectionWith(OURS, Origin.ACCEPTED)
        receiver = Recorder()
        connection.handOver(receiver)
        connection.connectionLost(shared)
        assert receiver.reason is not None
        kept.append(receiver.reason.value)
    assert all(isinstance(each, ConnectionLost) for each in kept)
    assert len({id(each) for each in (*kept, shared.value)}) == 3


def test_otherReason() -> None:
    """
    What nobody shares stays as it is.
    """
    reason = Failure(ValueError("mine"))
    assert copyReason(reason) is reason

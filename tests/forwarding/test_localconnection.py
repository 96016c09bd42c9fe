"""
Tests for L{punch.forwarding.localconnection}.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface.verify import verifyObject

from punch.forwarding.localconnection import (
    LocalConnection,
    LocalConnections,
    StreamEnd,
)
from punch.net.identity import Identity
from tests.support.certified import certified
from tests.support.doubles import PunchTestCase
from tests.support.forwardedpair import ForwardedPair
from tests.support.programs import Pusher, Recorder, Recorders

MUCH = bytes(range(256)) * (1 << 14)
"""
4 MiB: more than all buffers on the way take.
"""

everyWay = pytest.mark.parametrize("way", [0, 1], ids=["to target", "to client"])
"""
The client is first, the target second.
"""


def test_interfaces() -> None:
    """
    Both ends hear of half-closed connections, and are producers to each other.
    """
    local = LocalConnection(LocalConnections(ForwardedPair().network.clock))
    for end in (local, StreamEnd(local)):
        verifyObject(IHalfCloseableProtocol, end)
        verifyObject(IPushProducer, end)


@everyWay
def test_data(way: int) -> None:
    """
    What one side sends the other gets, small or large.
    """
    forwarded = ForwardedPair().link()
    ends = forwarded.joined()
    ends[way].transport.write(b"a")
    forwarded.run()
    assert ends[1 - way].received == b"a"
    ends[way].transport.write(MUCH)
    forwarded.run(60)
    assert ends[1 - way].received == b"a" + MUCH
    assert ends[way].received == b""


@everyWay
def test_end(way: int) -> None:
    """
    The end of one direction comes after all its data, and leaves the other one open;
    the end of both leaves nothing.
    """
    forwarded = ForwardedPair().link()
    first, second = (ends := forwarded.joined())[way], ends[1 - way]
    first.transport.write(MUCH)
    first.transport.loseWriteConnection()
    forwarded.run(60)
    assert second.received == MUCH
    assert second.ended == ["read"]
    assert first.ended == ["write"]
    second.transport.write(MUCH)
    forwarded.run(60)
    assert first.received == MUCH
    second.transport.loseConnection()
    forwarded.run()
    assert first.ended == ["write", "read"]
    first.transport.loseConnection()
    forwarded.run()
    assert first.isClean
    assert second.isClean
    assert forwarded.isQuiet


def test_endsAtOnce() -> None:
    """
    Both sides may finish at the same time.
    """
    forwarded = ForwardedPair().link()
    ends = forwarded.joined()
    for each in ends:
        each.transport.write(MUCH)
        each.transport.loseWriteConnection()
    forwarded.run(60)
    assert [each.received for each in ends] == [MUCH, MUCH]
    assert [sorted(each.ended) for each in ends] == [["read", "write"]] * 2
    assert forwarded.isQuiet


@everyWay
def test_abort(way: int) -> None:
    """
    If one side aborts, the far side hears an abort: that is no clean end.
    """
    forwarded = ForwardedPair().link()
    ends = forwarded.joined()
    ends[way].transport.write(b"half of a")
    forwarded.run()
    ends[way].transport.abortConnection()
    forwarded.run()
    assert ends[1 - way].isBroken
    assert ends[1 - way].ended == []
    assert forwarded.isQuiet


@everyWay
def test_abortAfterEnd(way: int) -> None:
    """
    An abort is no clean end for a side that had finished, either.
    """
    forwarded = ForwardedPair().link()
    first, second = (ends := forwarded.joined())[way], ends[1 - way]
    first.transport.loseWriteConnection()
    forwarded.run()
    second.transport.write(b"half of a")
    forwarded.run()
    second.transport.abortConnection()
    forwarded.run()
    assert first.isBroken
    assert first.received == b"half of a"
    assert first.ended == ["write"]
    assert forwarded.isQuiet


@everyWay
def test_linkLost(way: int) -> None:
    """
    If the link is lost, both local connections are aborted.
    """
    forwarded = ForwardedPair().link()
    ends = forwarded.joined()
    ends[way].transport.write(MUCH)
    forwarded.links[way].abortConnection()
    forwarded.run()
    assert ends[0].isBroken
    assert ends[1].isBroken
    assert forwarded.isQuiet


@everyWay
def test_linkEnded(way: int) -> None:
    """
    If the link ends cleanly, both local connections are aborted, too: their streams
    had not ended.
    """
    forwarded = ForwardedPair().link()
    ends = forwarded.joined()
    [near, far] = [forwarded.near.pool, forwarded.far.pool]
    [near, far][way].leave()
    forwarded.run()
    assert ends[0].isBroken
    assert ends[1].isBroken
    assert forwarded.isQuiet


@everyWay
def test_slowReader(way: int) -> None:
    """
    A reader that stalls stalls its writer, for as long as it likes, and loses
    nothing even if the writer has long finished; other connections go on.
    """
    forwarded = ForwardedPair().link()
    first, second = (ends := forwarded.joined())[way], ends[1 - way]
    second.transport.pauseProducing()
    first.transport.write(MUCH)
    first.transport.loseWriteConnection()
    second.transport.loseWriteConnection()
    forwarded.run(100)
    assert len(second.received) < len(MUCH)
    assert first.ended == ["read"]
    others = forwarded.joined()
    others[way].transport.write(b"a")
    forwarded.run()
    assert others[1 - way].received == b"a"
    second.transport.resumeProducing()
    forwarded.run(100)
    assert second.received == MUCH
    assert sorted(second.ended) == ["read", "write"]


def test_bounded() -> None:
    """
    What a stalled reader has not taken is bounded in each program on the way.
    """
    forwarded = ForwardedPair().link()
    client, target = forwarded.joined()
    client.transport.pauseProducing()
    pusher = Pusher(forwarded.network.clock, target.transport)
    forwarded.run(60)
    assert pusher.isPaused
    # Two sockets, a window, and what was on its way.
    assert pusher.written < 1 << 20


def secured() -> tuple[ForwardedPair, Recorder, Any]:
    """
    A client that speaks TLS to the forward, and the target.
    """
    forwarded = ForwardedPair().link()
    host, [forward] = forwarded.pair.hosts[0], forwarded.near.forwards
    options = certified(Identity.make())
    host.listenTCP(2223, TLSMemoryBIOFactory(options, False, forward, host))
    made = Recorders()
    trusting = TLSMemoryBIOFactory(CertificateOptions(), True, made, forwarded.client)
    endpoint = TCP4ClientEndpoint(forwarded.client, "192.0.2.1", 2223)
    forwarded.spin(endpoint.connect(trusting))
    forwarded.run()
    return forwarded, made.made[-1], forwarded.service.accepted[-1]


def test_tls() -> None:
    """
    TLS can't end one direction alone: the connection ends when the far side has
    finished, with all that it had to say.
    """
    forwarded, client, target = secured()
    client.transport.write(b"question")
    forwarded.run()
    assert target.received == b"question"
    target.transport.write(MUCH)
    target.transport.loseWriteConnection()
    forwarded.run(60)
    assert client.received == MUCH
    assert client.isClean
    assert target.ended == ["write", "read"]
    assert forwarded.isQuiet


def test_tlsEndsFirst() -> None:
    """
    When it ends first the far side hears an end, and what that still says is
    dropped.
    """
    forwarded, client, target = secured()
    client.transport.write(MUCH)
    client.transport.loseConnection()
    forwarded.run(20)
    assert client.isClean
    assert target.received == MUCH
    assert target.ended == ["read"]
    target.transport.write(b"too late")
    target.transport.loseConnection()
    forwarded.run()
    assert target.isClean
    assert forwarded.isQuiet


def test_tlsAborts() -> None:
    """
    When it breaks off so does the far side, and the other way round.
    """
    forwarded, client, target = secured()
    client.transport.abortConnection()
    forwarded.run()
    assert target.isBroken
    forwarded, client, target = secured()
    target.transport.abortConnection()
    forwarded.run()
    assert client.isBroken
    assert forwarded.isQuiet


def test_noDelay() -> None:
    """
    Local TCP connections send at once, and notice if the other host is gone.
    """
    forwarded = ForwardedPair()
    set = []

    class Noting(LocalConnection):
        def connectionMade(self) -> None:
            self.transport.setTcpNoDelay = lambda on: set.append(("at once", on))
            self.transport.setTcpKeepAlive = lambda on: set.append(("notice", on))
            LocalConnection.connectionMade(self)

    factory: Any = Factory.forProtocol(lambda: Noting(forwarded.near.connections))
    forwarded.pair.hosts[0].listenTCP(2223, factory)
    forwarded.connect(port=2223)
    forwarded.run()
    assert set == [("at once", True), ("notice", True)]


@pytest.mark.parametrize("clean", [True, False])
def test_lostBefore(clean: bool) -> None:
    """
    A local connection that was lost before it was joined says so when it is.
    """
    forwarded = ForwardedPair().link()
    made: list[LocalConnection] = []
    factory: Any = Factory.forProtocol(
        lambda: LocalConnection(forwarded.near.connections, made.append)
    )
    forwarded.pair.hosts[0].listenTCP(2223, factory)
    forwarded.connect(port=2223)
    forwarded.run()
    [local] = made
    assert local.isOpen
    if clean:
        local.transport.loseConnection()
    else:
        local.abort()
    forwarded.run()
    assert not local.isOpen
    newest = forwarded.near.pool.newest()
    assert newest is not None
    forwarded.spin(newest.open("default")).stream.start(StreamEnd(local))
    forwarded.run()
    if clean:
        [target] = forwarded.service.accepted
        assert target.ended == ["read"]
        target.transport.loseConnection()
        forwarded.run()
    assert forwarded.isQuiet


class LocalsTests(PunchTestCase):
    """
    The set of local connections, and how it waits for their end.
    """

    def setUp(self) -> None:
        self.forwarded = ForwardedPair().link()
        self.connections = self.forwarded.near.connections
        self.client, self.target = self.forwarded.joined()

    def end(self) -> Deferred[None]:
        """
        Wait for all, ten seconds at most.
        """
        return Deferred.fromCoroutine(self.connections.whenClosed(10.0))

    def test_none(self) -> None:
        """
        Where there are none there is nothing to wait for, and no timer.
        """
        self.client.transport.abortConnection()
        self.forwarded.run()
        before = len(self.forwarded.network.clock.getDelayedCalls())
        self.successResultOf(self.end())
        after = len(self.forwarded.network.clock.getDelayedCalls())
        assert after == before

    def test_comeToTheirEnd(self) -> None:
        """
        What the other side has said is delivered, if that does not take too long.
        """
        self.client.transport.pauseProducing()
        self.target.transport.write(bytes(200_000))
        self.target.transport.loseWriteConnection()
        self.client.transport.loseWriteConnection()
        self.forwarded.run()
        ended = self.end()
        self.forwarded.run(9.0)
        self.waiting(ended)
        self.client.transport.resumeProducing()
        self.forwarded.run(0.5)
        self.successResultOf(ended)
        assert len(self.client.received) == 200_000

    def test_aborted(self) -> None:
        """
        If it does, that is no clean end.
        """
        ended = self.end()
        self.forwarded.run(9.0)
        self.waiting(ended)
        self.forwarded.run(2.0)
        self.successResultOf(ended)
        assert self.client.isBroken
        assert self.target.isBroken

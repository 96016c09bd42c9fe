"""
Tests for L{punch.forwarding.localconnection}.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone
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
from tests.support.crossing import Crossing
from tests.support.doubles import PunchTestCase
from tests.support.programs import Recorder, Recorders

MUCH = bytes(range(256)) * (1 << 14)
"""
4 MiB: more than all buffers on the way take.
"""

everyWay = pytest.mark.parametrize("way", [0, 1], ids=["to target", "to client"])
"""
The client is first, the target second.
"""


def isClean(protocol: Recorder) -> bool:
    """
    Did its connection end, and cleanly?
    """
    assert protocol.reason is not None
    return protocol.reason.check(ConnectionDone) is not None


def test_interfaces() -> None:
    """
    Both ends hear of half-closed connections, and are producers to each other.
    """
    local = LocalConnection(LocalConnections(Crossing().network.clock))
    for end in (local, StreamEnd(local)):
        verifyObject(IHalfCloseableProtocol, end)
        verifyObject(IPushProducer, end)


@everyWay
def test_data(way: int) -> None:
    """
    What one side sends the other gets, small or large.
    """
    crossing = Crossing().link()
    ends = crossing.joined()
    ends[way].transport.write(b"a")
    crossing.run()
    assert ends[1 - way].received == b"a"
    ends[way].transport.write(MUCH)
    crossing.run(60)
    assert ends[1 - way].received == b"a" + MUCH
    assert ends[way].received == b""


@everyWay
def test_end(way: int) -> None:
    """
    The end of one direction comes after all its data, and leaves the other one open;
    the end of both leaves nothing.
    """
    crossing = Crossing().link()
    first, second = (ends := crossing.joined())[way], ends[1 - way]
    first.transport.write(MUCH)
    first.transport.loseWriteConnection()
    crossing.run(60)
    assert second.received == MUCH
    assert second.ended == ["read"]
    assert first.ended == ["write"]
    second.transport.write(MUCH)
    crossing.run(60)
    assert first.received == MUCH
    second.transport.loseConnection()
    crossing.run()
    assert first.ended == ["write", "read"]
    first.transport.loseConnection()
    crossing.run()
    assert isClean(first)
    assert isClean(second)
    assert crossing.isQuiet


def test_endsAtOnce() -> None:
    """
    Both sides may finish at the same time.
    """
    crossing = Crossing().link()
    ends = crossing.joined()
    for each in ends:
        each.transport.write(MUCH)
        each.transport.loseWriteConnection()
    crossing.run(60)
    assert [each.received for each in ends] == [MUCH, MUCH]
    assert [sorted(each.ended) for each in ends] == [["read", "write"]] * 2
    assert crossing.isQuiet


@everyWay
def test_abort(way: int) -> None:
    """
    Who breaks off is broken off on the far side: that is no clean end.
    """
    crossing = Crossing().link()
    ends = crossing.joined()
    ends[way].transport.write(b"half of a")
    crossing.run()
    ends[way].transport.abortConnection()
    crossing.run()
    assert not isClean(ends[1 - way])
    assert ends[1 - way].ended == []
    assert crossing.isQuiet


@everyWay
def test_abortAfterEnd(way: int) -> None:
    """
    To have finished does not make it clean, if the answer can't be delivered.
    """
    crossing = Crossing().link()
    first, second = (ends := crossing.joined())[way], ends[1 - way]
    first.transport.loseWriteConnection()
    crossing.run()
    second.transport.write(b"half of a")
    crossing.run()
    second.transport.abortConnection()
    crossing.run()
    assert not isClean(first)
    assert first.received == b"half of a"
    assert first.ended == ["write"]
    assert crossing.isQuiet


@pytest.mark.parametrize("way", [0, 1])
def test_linkLost(way: int) -> None:
    """
    With the link both local connections break.
    """
    crossing = Crossing().link()
    ends = crossing.joined()
    ends[way].transport.write(MUCH)
    crossing.links[way].abortConnection()
    crossing.run()
    assert not isClean(ends[0])
    assert not isClean(ends[1])
    assert crossing.isQuiet


@pytest.mark.parametrize("way", [0, 1])
def test_linkEnded(way: int) -> None:
    """
    A link that ends cleanly does so for itself alone: its streams were not done.
    """
    crossing = Crossing().link()
    ends = crossing.joined()
    [near, far] = [crossing.near.pool, crossing.far.pool]
    [near, far][way].leave()
    crossing.run()
    assert not isClean(ends[0])
    assert not isClean(ends[1])
    assert crossing.isQuiet


@everyWay
def test_slowReader(way: int) -> None:
    """
    A reader that stalls stalls its writer, for as long as it likes, and loses
    nothing even if the writer has long finished; other connections go on.
    """
    crossing = Crossing().link()
    first, second = (ends := crossing.joined())[way], ends[1 - way]
    second.transport.pauseProducing()
    first.transport.write(MUCH)
    first.transport.loseWriteConnection()
    second.transport.loseWriteConnection()
    crossing.run(100)
    assert len(second.received) < len(MUCH)
    assert first.ended == ["read"]
    others = crossing.joined()
    others[way].transport.write(b"a")
    crossing.run()
    assert others[1 - way].received == b"a"
    second.transport.resumeProducing()
    crossing.run(100)
    assert second.received == MUCH
    assert sorted(second.ended) == ["read", "write"]


def test_bounded() -> None:
    """
    What a stalled reader has not taken is bounded in each program on the way.
    """
    crossing = Crossing().link()
    client, target = crossing.joined()
    client.transport.pauseProducing()
    target.transport.registerProducer(pusher := _Pusher(target.transport), True)
    pusher.resumeProducing()
    crossing.run(60)
    assert not pusher.flows
    # Two sockets, a window, and what was on its way.
    assert pusher.sent < 1 << 20


class _Pusher:
    """
    Writes whenever it may.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.sent = 0
        self.flows = False

    def pauseProducing(self) -> None:
        """
        No more.
        """
        self.flows = False

    def resumeProducing(self) -> None:
        """
        More.
        """
        self.flows = True
        while self.flows and self.sent < len(MUCH):
            self.sent += 1 << 12
            self._transport.write(bytes(1 << 12))

    def stopProducing(self) -> None:
        """
        Never again.
        """
        self.flows = False


def secured() -> tuple[Crossing, Recorder, Any]:
    """
    A client that speaks TLS to the forward, and the target.
    """
    crossing = Crossing().link()
    host, [forward] = crossing.pair.hosts[0], crossing.near.forwards
    options = certified(Identity.make())
    host.listenTCP(2223, TLSMemoryBIOFactory(options, False, forward, host))
    made = Recorders()
    trusting = TLSMemoryBIOFactory(CertificateOptions(), True, made, crossing.client)
    endpoint = TCP4ClientEndpoint(crossing.client, "192.0.2.1", 2223)
    crossing.spin(endpoint.connect(trusting))
    crossing.run()
    return crossing, made.made[-1], crossing.service.accepted[-1]


def test_tls() -> None:
    """
    TLS can't end one direction alone: the connection ends when the far side has
    finished, with all that it had to say.
    """
    crossing, client, target = secured()
    client.transport.write(b"question")
    crossing.run()
    assert target.received == b"question"
    target.transport.write(MUCH)
    target.transport.loseWriteConnection()
    crossing.run(60)
    assert client.received == MUCH
    assert isClean(client)
    assert target.ended == ["write", "read"]
    assert crossing.isQuiet


def test_tlsEndsFirst() -> None:
    """
    When it ends first the far side hears an end, and what that still says is
    dropped.
    """
    crossing, client, target = secured()
    client.transport.write(MUCH)
    client.transport.loseConnection()
    crossing.run(20)
    assert isClean(client)
    assert target.received == MUCH
    assert target.ended == ["read"]
    target.transport.write(b"too late")
    target.transport.loseConnection()
    crossing.run()
    assert isClean(target)
    assert crossing.isQuiet


def test_tlsAborts() -> None:
    """
    When it breaks off so does the far side, and the other way round.
    """
    crossing, client, target = secured()
    client.transport.abortConnection()
    crossing.run()
    assert not isClean(target)
    crossing, client, target = secured()
    target.transport.abortConnection()
    crossing.run()
    assert not isClean(client)
    assert crossing.isQuiet


def test_noDelay() -> None:
    """
    Local TCP connections send at once, and notice if the other host is gone.
    """
    crossing = Crossing()
    set = []

    class Noting(LocalConnection):
        def connectionMade(self) -> None:
            self.transport.setTcpNoDelay = lambda on: set.append(("at once", on))
            self.transport.setTcpKeepAlive = lambda on: set.append(("notice", on))
            LocalConnection.connectionMade(self)

    factory: Any = Factory.forProtocol(lambda: Noting(crossing.near.connections))
    crossing.pair.hosts[0].listenTCP(2223, factory)
    crossing.connect(port=2223)
    crossing.run()
    assert set == [("at once", True), ("notice", True)]


@pytest.mark.parametrize("clean", [True, False])
def test_lostBefore(clean: bool) -> None:
    """
    A local connection that was lost before it was joined says so when it is.
    """
    crossing = Crossing().link()
    made: list[LocalConnection] = []
    factory: Any = Factory.forProtocol(
        lambda: LocalConnection(crossing.near.connections, made.append)
    )
    crossing.pair.hosts[0].listenTCP(2223, factory)
    crossing.connect(port=2223)
    crossing.run()
    [local] = made
    assert local.isOpen
    if clean:
        local.transport.loseConnection()
    else:
        local.abort()
    crossing.run()
    assert not local.isOpen
    newest = crossing.near.pool.newest()
    assert newest is not None
    crossing.spin(newest.open("default")).stream.start(StreamEnd(local))
    crossing.run()
    if clean:
        [target] = crossing.service.accepted
        assert target.ended == ["read"]
        target.transport.loseConnection()
        crossing.run()
    assert crossing.isQuiet


class LocalsTests(PunchTestCase):
    """
    Those that live, and their end.
    """

    def setUp(self) -> None:
        self.crossing = Crossing().link()
        self.connections = self.crossing.near.connections
        self.client, self.target = self.crossing.joined()

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
        self.crossing.run()
        before = len(self.crossing.network.clock.getDelayedCalls())
        self.successResultOf(self.end())
        after = len(self.crossing.network.clock.getDelayedCalls())
        assert after == before

    def test_comeToTheirEnd(self) -> None:
        """
        What the other side has said is delivered, if that does not take too long.
        """
        self.client.transport.pauseProducing()
        self.target.transport.write(bytes(200_000))
        self.target.transport.loseWriteConnection()
        self.client.transport.loseWriteConnection()
        self.crossing.run()
        ended = self.end()
        self.crossing.run(9.0)
        self.waiting(ended)
        self.client.transport.resumeProducing()
        self.crossing.run(0.5)
        self.successResultOf(ended)
        assert len(self.client.received) == 200_000

    def test_aborted(self) -> None:
        """
        If it does, that is no clean end.
        """
        ended = self.end()
        self.crossing.run(9.0)
        self.waiting(ended)
        self.crossing.run(2.0)
        self.successResultOf(ended)
        assert not isClean(self.client)
        assert not isClean(self.target)

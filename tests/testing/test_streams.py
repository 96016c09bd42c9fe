"""
The bytes of a connection: in order, bounded, and ended one way or another.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import (
    IPullProducer,
    IPushProducer,
    ITCPTransport,
    ITransport,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from punch.testing import spin
from punch.testing.bytestream import MAXIMUM_TIMEOUT, WINDOW
from tests.support.programs import Conversation, Service, connect, network, tcp


@implementer(IPushProducer)
class Pusher:
    """
    Writes until it is told not to.
    """

    def __init__(self, consumer: Any, chunk: bytes) -> None:
        self.consumer = consumer
        self.chunk = chunk
        self.written = 0
        self.calls: list[str] = []
        self.isPaused = False
        consumer.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        """
        Write.
        """
        self.calls.append("resume")
        self.isPaused = False
        while not self.isPaused:
            self.written += len(self.chunk)
            self.consumer.write(self.chunk)

    def pauseProducing(self) -> None:
        """
        Do not.
        """
        self.calls.append("pause")
        self.isPaused = True

    def stopProducing(self) -> None:
        """
        Never again.
        """
        self.calls.append("stop")
        self.isPaused = True


@implementer(IPullProducer)
class Puller:
    """
    Writes a number of times, each when asked.
    """

    def __init__(self, consumer: Any, chunk: bytes, times: int) -> None:
        self.consumer = consumer
        self.chunk = chunk
        self.times = times
        consumer.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """
        Write once.
        """
        if self.times == 0:
            self.consumer.unregisterProducer()
            return
        self.times -= 1
        self.consumer.write(self.chunk)

    def stopProducing(self) -> None:
        """
        Never again.
        """
        self.times = 0


class BytesTests(SynchronousTestCase):
    """
    Bytes arrive, in order.
    """

    @settings(max_examples=50)
    @given(
        st.integers(0, 2**32),
        st.floats(0, 0.4),
        st.floats(0, 0.3),
        st.sampled_from([1, 7, 1000, 16384]),
        st.lists(
            st.tuples(st.booleans(), st.binary(max_size=200), st.floats(0, 1)),
            max_size=10,
        ),
    )
    def test_inOrder(
        self,
        seed: int,
        loss: float,
        jitter: float,
        segmentSize: int,
        writes: list[tuple[bool, bytes, float]],
    ) -> None:
        """
        Both ends receive exactly what the other wrote, whatever the link does and
        however the bytes are cut.
        """
        made = network(seed, segmentSize=segmentSize)
        talk = Conversation(made)
        for host in talk.hosts:
            host.loss, host.jitter = loss, jitter
        sent = {True: b"", False: b""}
        for fromClient, data, pause in writes:
            (talk.client if fromClient else talk.server).transport.write(data)
            sent[fromClient] += data
            made.run(pause)
        made.run(10)
        for host in talk.hosts:
            host.loss = 0.0
        # By then whatever was lost has been sent again.
        made.run(2 * MAXIMUM_TIMEOUT)
        assert talk.server.received == sent[True]
        assert talk.client.received == sent[False]
        talk.client.transport.loseConnection()
        made.run(1)
        assert not talk.server.isOpen
        assert not talk.client.isOpen

    def test_latency(self) -> None:
        """
        Bytes take one way.
        """
        talk = Conversation()
        before = talk.network.clock.seconds()
        talk.client.transport.write(b"now")
        talk.network.runUntil(lambda: talk.server.received, 1)
        assert talk.network.clock.seconds() - before == pytest.approx(0.04)

    def test_smallPieces(self) -> None:
        """
        With small segments a protocol gets small pieces.
        """
        talk = Conversation(network(segmentSize=1))
        talk.hosts[0].jitter = 0.01
        talk.client.transport.writeSequence([b"a" * 10, b"b" * 10])
        talk.network.run(1)
        assert talk.server.received == b"a" * 10 + b"b" * 10
        assert talk.server.chunks > 2

    def test_lost(self) -> None:
        """
        A lost segment comes 0.2 s later, and what follows it waits.
        """
        talk = Conversation()
        talk.hosts[0].cut()
        talk.client.transport.write(b"first ")
        talk.network.run(0.001)
        talk.hosts[0].mend()
        talk.client.transport.write(b"second")
        talk.network.run(0.199)
        assert talk.server.received == b""
        talk.network.run(0.041)
        assert talk.server.received == b"first second"

    def test_bulk(self) -> None:
        """
        A window in each round trip is what passes.
        """
        talk = Conversation()
        talk.client.transport.write(bytes(20 * WINDOW))
        before = talk.network.clock.seconds()
        talk.network.runUntil(lambda: len(talk.server.received) == 20 * WINDOW, 10)
        taken = talk.network.clock.seconds() - before
        assert 19 * 0.08 < taken < 21 * 0.08, taken

    def test_loopback(self) -> None:
        """
        On loopback any amount passes in no time.
        """
        made = network()
        host = made.host("192.0.2.1")
        service = Service(host)
        protocol = spin(connect(host, "127.0.0.1"), made)
        protocol.transport.write(bytes(10 * WINDOW))
        made.run(0)
        assert len(service.accepted[0].received) == 10 * WINDOW

    def test_transport(self) -> None:
        """
        What protocols get is a TCP transport.
        """
        talk = Conversation()
        verifyObject(ITCPTransport, talk.client.transport)
        verifyObject(ITransport, talk.server.transport)


class BackPressureTests(SynchronousTestCase):
    """
    A reader that does not read stops the writer.
    """

    def setUp(self) -> None:
        """
        Connect.
        """
        self.talk = Conversation()
        self.network = self.talk.network

    def test_bounded(self) -> None:
        """
        A push producer is paused when a window and a write buffer are full, goes
        on when the reader does, and loses nothing.
        """
        reader = tcp(self.talk.server)
        reader.pauseProducing()  # type: ignore[attr-defined]
        pusher = Pusher(self.talk.client.transport, bytes(1000))
        self.network.run(10)
        assert pusher.isPaused
        assert pusher.written < 2 * WINDOW + 2000
        assert self.talk.server.received == b""
        stalled = pusher.written
        reader.resumeProducing()  # type: ignore[attr-defined]
        self.network.run(10)
        assert pusher.written > stalled
        assert len(self.talk.server.received) > 100 * WINDOW
        reader.pauseProducing()  # type: ignore[attr-defined]
        self.network.run(1)
        arrived = len(self.talk.server.received)
        self.network.run(10)
        assert len(self.talk.server.received) == arrived

    def test_pull(self) -> None:
        """
        A pull producer is asked as there is room.
        """
        Puller(self.talk.client.transport, b"x" * 5000, 100)
        self.network.run(60)
        assert self.talk.server.received == b"x" * 500_000

    def test_stopped(self) -> None:
        """
        A producer hears when its consumer is gone.
        """
        pusher = Pusher(self.talk.client.transport, bytes(1000))
        self.network.run(1)
        tcp(self.talk.server).abortConnection()
        self.network.run(1)
        assert pusher.calls[-1] == "stop"

    def test_lostWindow(self) -> None:
        """
        That there is room again is told again, if it is lost.
        """
        reader = tcp(self.talk.server)
        reader.pauseProducing()  # type: ignore[attr-defined]
        self.talk.client.transport.write(bytes(3 * WINDOW))
        self.network.run(1)
        reader.resumeProducing()  # type: ignore[attr-defined]
        self.talk.hosts[1].cut()
        self.network.run(0.1)
        self.talk.hosts[1].mend()
        self.network.run(3)
        assert len(self.talk.server.received) == 3 * WINDOW

    def test_loseConnectionFlushes(self) -> None:
        """
        C{loseConnection} waits until everything is written, and for a producer.
        """
        transport: Any = self.talk.client.transport
        puller = Puller(transport, b"x" * 5000, 30)
        transport.loseConnection()
        self.network.run(20)
        assert puller.times == 0
        assert self.talk.server.received == b"x" * 150_000
        assert self.talk.server.isClean

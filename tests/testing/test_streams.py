"""
The bytes of a connection: in order, bounded, and ended one way or another.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IPullProducer,
    IPushProducer,
    ITCPTransport,
    ITransport,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from punch.testing import MemoryHost, MemoryNetwork, spin
from punch.testing.stream import WINDOW

from .programs import HalfCloser, Recorder, Service, connect, network, tcp


class Conversation:
    """
    A connection between two public hosts.
    """

    def __init__(
        self,
        made: MemoryNetwork | None = None,
        kind: type[Recorder] = Recorder,
        **link: float,
    ) -> None:
        self.network = network() if made is None else made
        self.hosts: list[MemoryHost] = [
            self.network.host(f"192.0.2.{n}", **link) for n in (1, 2)
        ]
        service = Service(self.hosts[1], kind=kind)
        self.client = spin(
            connect(self.hosts[0], "192.0.2.2", kind=kind, timeout=300),
            self.network,
            400,
        )
        self.network.runUntil(lambda: service.accepted, 400)
        [self.server] = service.accepted
        service.listening.stopListening()
        self.network.run(0)

    def close(self) -> None:
        """
        End what is left of it.
        """
        for each in (self.client, self.server):
            if each.isOpen:
                tcp(each).abortConnection()
        self.network.run(0)


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

    @settings(deadline=None, max_examples=50)
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
        talk = Conversation(made, loss=loss, jitter=jitter)
        sent = {True: b"", False: b""}
        for fromClient, data, pause in writes:
            (talk.client if fromClient else talk.server).transport.write(data)
            sent[fromClient] += data
            made.run(pause)
        talk.client.transport.loseConnection()
        made.run(600)
        self.assertEqual(talk.server.received, sent[True])
        self.assertFalse(talk.server.isOpen or talk.client.isOpen)
        if not loss and not jitter:
            self.assertEqual(talk.client.received, sent[False])

    def test_latency(self) -> None:
        """
        Bytes take one way.
        """
        talk = Conversation()
        before = talk.network.clock.seconds()
        talk.client.transport.write(b"now")
        talk.network.runUntil(lambda: talk.server.received, 1)
        self.assertAlmostEqual(talk.network.clock.seconds() - before, 0.04)

    def test_smallPieces(self) -> None:
        """
        With small segments a protocol gets small pieces.
        """
        talk = Conversation(network(segmentSize=1), jitter=0.01)
        talk.client.transport.writeSequence([b"a" * 10, b"b" * 10])
        talk.network.run(1)
        self.assertEqual(talk.server.received, b"a" * 10 + b"b" * 10)
        self.assertGreater(talk.server.chunks, 4)

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
        self.assertEqual(talk.server.received, b"")
        talk.network.run(0.041)
        self.assertEqual(talk.server.received, b"first second")

    def test_bulk(self) -> None:
        """
        A window in each round trip is what passes.
        """
        talk = Conversation()
        talk.client.transport.write(bytes(20 * WINDOW))
        before = talk.network.clock.seconds()
        talk.network.runUntil(lambda: len(talk.server.received) == 20 * WINDOW, 10)
        taken = talk.network.clock.seconds() - before
        self.assertTrue(19 * 0.08 < taken < 21 * 0.08, taken)

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
        self.assertEqual(len(service.accepted[0].received), 10 * WINDOW)

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
        self.assertTrue(pusher.isPaused)
        self.assertLess(pusher.written, 2 * WINDOW + 2000)
        self.assertEqual(self.talk.server.received, b"")
        stalled = pusher.written
        reader.resumeProducing()  # type: ignore[attr-defined]
        self.network.run(10)
        self.assertGreater(pusher.written, stalled)
        self.assertGreater(len(self.talk.server.received), 100 * WINDOW)
        reader.pauseProducing()  # type: ignore[attr-defined]
        self.network.run(1)
        arrived = len(self.talk.server.received)
        self.network.run(10)
        self.assertEqual(len(self.talk.server.received), arrived)

    def test_pull(self) -> None:
        """
        A pull producer is asked as there is room.
        """
        Puller(self.talk.client.transport, b"x" * 5000, 100)
        self.network.run(60)
        self.assertEqual(self.talk.server.received, b"x" * 500_000)

    def test_stopped(self) -> None:
        """
        A producer hears when its consumer is gone.
        """
        pusher = Pusher(self.talk.client.transport, bytes(1000))
        self.network.run(1)
        tcp(self.talk.server).abortConnection()
        self.network.run(1)
        self.assertEqual(pusher.calls[-1], "stop")

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
        self.assertEqual(len(self.talk.server.received), 3 * WINDOW)

    def test_loseConnectionFlushes(self) -> None:
        """
        C{loseConnection} waits until everything is written, and for a producer.
        """
        transport: Any = self.talk.client.transport
        puller = Puller(transport, b"x" * 5000, 30)
        transport.loseConnection()
        self.network.run(20)
        self.assertEqual(puller.times, 0)
        self.assertEqual(self.talk.server.received, b"x" * 150_000)
        assert self.talk.server.reason is not None
        self.talk.server.reason.trap(ConnectionDone)


class EndTests(SynchronousTestCase):
    """
    How connections end.
    """

    def assertEnded(self, protocol: Recorder, kind: type[Exception]) -> None:
        """
        A connection was lost for a reason.
        """
        assert protocol.reason is not None
        self.assertIs(protocol.reason.type, kind)

    def assertNothingLeft(self, talk: Conversation) -> None:
        """
        No socket, no kernel state, nothing to do.
        """
        self.assertEqual(talk.network.openSockets(), [])
        self.assertEqual([each.stack.connections() for each in talk.hosts], [[], []])
        self.assertEqual(talk.network.clock.getDelayedCalls(), [])

    def test_closed(self) -> None:
        """
        A connection that one end closes ends well at both.
        """
        talk = Conversation()
        talk.client.transport.write(b"bye")
        talk.client.transport.loseConnection()
        talk.network.run(0.1)
        self.assertEqual(talk.server.received, b"bye")
        self.assertEnded(talk.client, ConnectionDone)
        self.assertEnded(talk.server, ConnectionDone)
        self.assertNothingLeft(talk)

    def test_bothClosed(self) -> None:
        """
        Or both.
        """
        talk = Conversation()
        talk.client.transport.loseConnection()
        talk.server.transport.loseConnection()
        talk.network.run(0.1)
        self.assertEnded(talk.client, ConnectionDone)
        self.assertEnded(talk.server, ConnectionDone)
        self.assertNothingLeft(talk)

    def test_closedUnread(self) -> None:
        """
        Who closes with bytes unread resets the connection, as Linux does.
        """
        talk = Conversation(kind=HalfCloser)
        transport: Any = talk.client.transport
        transport.pauseProducing()
        talk.server.transport.write(b"unread")
        talk.network.run(1)
        transport.loseConnection()
        talk.network.run(1)
        self.assertEnded(talk.server, ConnectionLost)
        self.assertNothingLeft(talk)

    def test_writtenToClosed(self) -> None:
        """
        Bytes for a socket that was closed are answered with a reset.
        """
        talk = Conversation(kind=HalfCloser)
        talk.client.transport.loseConnection()
        talk.network.run(1)
        self.assertTrue(talk.server.isOpen)
        talk.server.transport.write(b"anybody there?")
        talk.network.run(1)
        self.assertEnded(talk.server, ConnectionLost)
        self.assertNothingLeft(talk)

    def test_aborted(self) -> None:
        """
        An abort is heard as a lost connection.
        """
        talk = Conversation()
        talk.client.transport.write(b"dropped")
        tcp(talk.client).abortConnection()
        talk.network.run(1)
        self.assertEnded(talk.client, ConnectionAborted)
        self.assertEnded(talk.server, ConnectionLost)
        self.assertEqual(talk.server.received, b"")
        self.assertNothingLeft(talk)

    def test_halfClosed(self) -> None:
        """
        One direction ends, the other goes on, to protocols that care.
        """
        talk = Conversation(kind=HalfCloser)
        client, server = talk.client, talk.server
        client.transport.write(b"question")
        tcp(client).loseWriteConnection()
        talk.network.run(1)
        assert isinstance(client, HalfCloser)
        assert isinstance(server, HalfCloser)
        self.assertEqual((client.ended, server.ended), (["write"], ["read"]))
        server.transport.write(b"answer")
        talk.network.run(1)
        self.assertEqual((server.received, client.received), (b"question", b"answer"))
        tcp(server).loseWriteConnection()
        talk.network.run(1)
        self.assertEqual(client.ended, ["write", "read"])
        self.assertEqual(server.ended, ["read", "write"])
        for each in (client, server):
            each.transport.loseConnection()
        talk.network.run(1)
        self.assertNothingLeft(talk)

    def test_halfClosedToWhoDoesNotCare(self) -> None:
        """
        To others the end of one direction is the end.
        """
        talk = Conversation()
        tcp(talk.client).loseWriteConnection()
        talk.network.run(1)
        self.assertEnded(talk.server, ConnectionDone)

    def test_protocolFails(self) -> None:
        """
        A protocol that raises loses its connection, as on any reactor.
        """
        talk = Conversation()

        def fail(data: bytes) -> None:
            raise RuntimeError("not today")

        talk.server.dataReceived = fail  # type: ignore[method-assign]
        talk.client.transport.write(b"x")
        talk.network.run(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEnded(talk.server, RuntimeError)
        self.assertFalse(talk.client.isOpen)

    def test_neverFinished(self) -> None:
        """
        A closed socket does not wait for ever for the other end to finish.
        """
        talk = Conversation(kind=HalfCloser)
        talk.client.transport.loseConnection()
        talk.network.run(61)
        self.assertEqual(talk.hosts[0].stack.connections(), [])
        self.assertTrue(talk.server.isOpen)


class CutTests(SynchronousTestCase):
    """
    A host whose plug is pulled.
    """

    def setUp(self) -> None:
        """
        Connect, and cut.
        """
        self.talk = Conversation()
        self.network = self.talk.network
        self.talk.hosts[0].cut()

    def test_silent(self) -> None:
        """
        Nobody hears anything, for hours, if nobody writes.
        """
        self.network.run(10_000)
        self.assertTrue(self.talk.client.isOpen and self.talk.server.isOpen)

    def test_mended(self) -> None:
        """
        What was written meanwhile comes when the plug is back, at the latest in
        the time for which it was out.
        """
        self.talk.client.transport.write(b"one")
        self.talk.server.transport.write(b"two")
        self.network.run(30)
        self.assertEqual(self.talk.server.received, b"")
        self.talk.hosts[0].mend()
        self.network.run(31)
        self.assertEqual(self.talk.server.received, b"one")
        self.assertEqual(self.talk.client.received, b"two")

    def test_underway(self) -> None:
        """
        What is under way when the plug is pulled is lost as well, and sent again.
        """
        self.talk.hosts[0].mend()
        self.talk.client.transport.write(b"out")
        self.talk.server.transport.write(b"in")
        self.network.run(0.01)
        self.talk.hosts[0].cut()
        self.network.run(0.1)
        self.assertEqual(self.talk.server.received, b"out")
        self.assertEqual(self.talk.client.received, b"")
        self.talk.hosts[0].mend()
        self.network.run(1)
        self.assertEqual(self.talk.client.received, b"in")

    def test_givenUp(self) -> None:
        """
        Who writes hears after about a quarter of an hour that it was in vain.
        """
        self.talk.client.transport.write(b"hello?")
        self.network.run(600)
        self.assertTrue(self.talk.client.isOpen)
        self.network.run(600)
        assert self.talk.client.reason is not None
        self.talk.client.reason.trap(ConnectionLost)
        self.assertTrue(self.talk.server.isOpen)

    def test_aborted(self) -> None:
        """
        An abort frees everything on its side at once.
        """
        self.talk.client.transport.write(b"hello?")
        self.network.run(1)
        tcp(self.talk.client).abortConnection()
        self.network.run(0)
        self.assertEqual(self.talk.hosts[0].stack.connections(), [])
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_closed(self) -> None:
        """
        A socket closed over a dead link is the program's no more, and forgotten in
        a minute.
        """
        self.talk.client.transport.write(b"hello?")
        self.talk.client.transport.loseConnection()
        self.network.run(0)
        self.assertEqual(len(self.network.openSockets()), 1)
        self.assertEqual(self.network.delayedCalls(), [])
        self.network.run(61)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

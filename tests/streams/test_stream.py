"""
Tests for L{punch.streams.stream} and L{punch.util.transports}.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IPullProducer,
    IPushProducer,
    ITransport,
)
from twisted.internet.protocol import Protocol
from zope.interface import implementer
from zope.interface.verify import verifyObject

from punch.streams.stream import LINGER
from punch.yamux.stream import HIGH_MARK
from punch.yamux.window import INITIAL_WINDOW
from tests.support.doubles import PunchTestCase
from tests.support.programs import HalfCloser, Recorder
from tests.support.streams import Streams


@implementer(IPushProducer)
class _Pusher:
    """
    Remembers what it is told.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        """
        No more.
        """
        self.told.append("pause")

    def resumeProducing(self) -> None:
        """
        Again.
        """
        self.told.append("resume")

    def stopProducing(self) -> None:
        """
        Never again.
        """
        self.told.append("stop")


@implementer(IPullProducer)
class _Puller:
    """
    Writes a piece each time that it is asked, a number of times.
    """

    def __init__(self, consumer: Any, pieces: int) -> None:
        self.consumer = consumer
        self.pieces = pieces
        self.stopped = False

    def resumeProducing(self) -> None:
        """
        One piece.
        """
        self.consumer.write(bytes(10_000))
        self.pieces -= 1
        if not self.pieces:
            self.consumer.unregisterProducer()
            self.consumer.loseWriteConnection()

    def stopProducing(self) -> None:
        """
        No more.
        """
        self.stopped = True


class StreamTestCase(PunchTestCase):
    """
    A stream between two protocols: C{mine} asked for it, C{theirs} serves.
    """

    kind: Callable[[], Recorder] = HalfCloser

    def setUp(self) -> None:
        """
        Join them.
        """
        self.streams = Streams()
        self.run_ = self.streams.run
        self.mine, self.theirs = self.streams.joined(self.kind)

    def assertOver(self) -> None:
        """
        See that nothing is left of the stream.
        """
        for multiplexer in (self.streams.dialer, self.streams.listener):
            assert multiplexer.streamCount == 0

    def reasons(self) -> list[type[BaseException] | None]:
        """
        What the two were told at the end.
        """
        return [
            None if each.reason is None else each.reason.type
            for each in (self.mine, self.theirs)
        ]


class TransportTests(StreamTestCase):
    """
    A stream is a transport.
    """

    def test_interfaces(self) -> None:
        """
        It says so itself, and that it never delays.
        """
        stream = self.mine.transport
        for interface in (ITransport, IConsumer, IPushProducer):
            assert verifyObject(interface, stream)
        stream.setTcpNoDelay(False)
        stream.setTcpKeepAlive(False)
        assert stream.getTcpNoDelay()
        assert stream.getTcpKeepAlive()

    def test_addresses(self) -> None:
        """
        Its addresses are the link's.
        """
        link = self.streams.links[0]
        assert self.mine.transport.getHost() == link.getHost()
        assert self.mine.transport.getPeer() == link.getPeer()
        assert self.theirs.transport.getPeer() == link.getHost()

    def test_bothWays(self) -> None:
        """
        Bytes go both ways, in order.
        """
        self.mine.transport.write(b"one ")
        self.mine.transport.writeSequence([b"two ", b"three"])
        self.theirs.transport.write(b"four")
        self.run_()
        assert self.theirs.received == b"one two three"
        assert self.mine.received == b"four"

    def test_bulk(self) -> None:
        """
        Much more than a window passes.
        """
        data = bytes(range(256)) * 20_000
        self.mine.transport.write(data)
        self.run_(60)
        assert self.theirs.received == data

    def test_protocolPauses(self) -> None:
        """
        A protocol that pauses hears nothing until it resumes, even in the middle
        of what has arrived, and its peer is stopped by the window.
        """

        class Sipping(HalfCloser):
            def dataReceived(self, data: bytes) -> None:
                self.transport.pauseProducing()
                HalfCloser.dataReceived(self, data)

        mine, theirs = self.streams.joined(Sipping)
        mine.transport.write(bytes(3 * INITIAL_WINDOW))
        mine.transport.loseWriteConnection()
        self.run_(10)
        sips = 0
        while "read" not in theirs.ended:  # type: ignore[attr-defined]
            assert theirs.chunks == sips + 1
            sips = theirs.chunks
            theirs.transport.resumeProducing()
            self.run_()
        assert len(theirs.received) == 3 * INITIAL_WINDOW

    def test_stalledReader(self) -> None:
        """
        A reader that stalls is given no more than a window, and others are not
        disturbed.
        """
        self.theirs.transport.pauseProducing()
        self.mine.transport.write(bytes(5 * INITIAL_WINDOW))
        other, served = self.streams.joined()
        other.transport.write(b"quick")
        self.run_(10)
        assert served.received == b"quick"
        assert self.theirs.received == b""
        assert self.mine.transport.unsent == pytest.approx(4 * INITIAL_WINDOW, abs=10)
        self.theirs.transport.resumeProducing()
        self.run_(60)
        assert len(self.theirs.received) == 5 * INITIAL_WINDOW


class ProducerTests(StreamTestCase):
    """
    A stream is a consumer.
    """

    def test_push(self) -> None:
        """
        A producer is paused when too much waits and resumed when it has gone.
        """
        producer = _Pusher()
        stream = self.mine.transport
        stream.registerProducer(producer, True)
        stream.write(bytes(HIGH_MARK))
        self.run_()
        assert producer.told == []
        self.theirs.transport.pauseProducing()
        stream.write(bytes(INITIAL_WINDOW))
        stream.write(bytes(HIGH_MARK + 1))
        assert producer.told == ["pause"]
        self.run_()
        assert producer.told == ["pause"]
        self.theirs.transport.resumeProducing()
        self.run_(5)
        assert producer.told == ["pause", "resume"]
        assert self.raises_(lambda: stream.registerProducer(producer, True))

    def raises_(self, call: Callable[[], object]) -> bool:
        """
        Whether it is refused.
        """
        try:
            call()
        except RuntimeError:
            return True
        return False

    def test_registeredLate(self) -> None:
        """
        A producer that registers where too much waits already is paused at once.
        """
        self.theirs.transport.pauseProducing()
        self.mine.transport.write(bytes(INITIAL_WINDOW + 2 * HIGH_MARK))
        producer = _Pusher()
        self.mine.transport.registerProducer(producer, True)
        assert producer.told == ["pause"]

    def test_pull(self) -> None:
        """
        A pull producer is asked as long as there is room, and no longer.
        """
        self.theirs.transport.pauseProducing()
        producer = _Puller(self.mine.transport, 1000)
        self.mine.transport.registerProducer(producer, False)
        self.run_(10)
        assert 0 < 10_000 * (1000 - producer.pieces) - INITIAL_WINDOW < 3 * HIGH_MARK
        self.theirs.transport.resumeProducing()
        self.run_(200)
        assert len(self.theirs.received) == 10_000_000
        assert self.theirs.ended == ["read"]  # type: ignore[attr-defined]

    def test_finishesBehindProducer(self) -> None:
        """
        After C{loseWriteConnection} the stream finishes when the registered producer is
        done.
        """
        for lose in ("loseConnection", "loseWriteConnection"):
            mine, theirs = self.streams.joined()
            mine.transport.registerProducer(_Pusher(), True)
            getattr(mine.transport, lose)()
            mine.transport.write(b"last words")
            self.run_(2 * LINGER)
            assert theirs.ended == []  # type: ignore[attr-defined]
            mine.transport.unregisterProducer()
            mine.transport.write(b" too late")
            self.run_()
            assert theirs.ended == ["read"]  # type: ignore[attr-defined]
            assert theirs.received == b"last words"

    def test_stopped(self) -> None:
        """
        When the stream is lost its producer is stopped; one that comes then too.
        """
        first, late = _Pusher(), _Pusher()
        self.mine.transport.registerProducer(first, True)
        self.theirs.transport.abortConnection()
        self.run_()
        assert first.told == ["stop"]
        self.mine.transport.registerProducer(late, True)
        assert late.told == ["stop"]
        mine, theirs = self.streams.joined()
        puller = _Puller(mine.transport, 10**6)
        mine.transport.registerProducer(puller, False)
        self.run_(0.1)
        theirs.transport.abortConnection()
        self.run_()
        assert puller.stopped


class EndTests(StreamTestCase):
    """
    How a stream ends.
    """

    def test_halves(self) -> None:
        """
        Each direction ends on its own; with both the stream is over, cleanly.
        """
        self.mine.transport.write(b"question")
        self.mine.transport.loseWriteConnection()
        self.run_()
        assert self.theirs.received == b"question"
        assert self.theirs.ended == ["read"]  # type: ignore[attr-defined]
        assert self.mine.ended == ["write"]  # type: ignore[attr-defined]
        self.mine.transport.write(b"more")
        self.theirs.transport.write(b"answer")
        self.theirs.transport.loseWriteConnection()
        self.run_()
        assert self.mine.received == b"answer"
        assert self.theirs.received == b"question"
        assert self.mine.ended == ["write", "read"]  # type: ignore[attr-defined]
        assert self.reasons() == [ConnectionDone, ConnectionDone]
        self.assertOver()

    def test_lose(self) -> None:
        """
        After C{loseConnection} all is written and nothing more is delivered; the
        protocol is told when the other side has finished too.
        """
        self.mine.transport.write(bytes(10 * INITIAL_WINDOW))
        self.mine.transport.loseConnection()
        self.mine.transport.loseConnection()
        self.theirs.transport.write(b"unheard")
        self.run_(20)
        assert len(self.theirs.received) == 10 * INITIAL_WINDOW
        assert self.reasons() == [None, None]
        self.theirs.transport.loseConnection()
        self.run_()
        assert self.mine.received == b""
        assert self.reasons() == [ConnectionDone, ConnectionDone]
        self.assertOver()

    def test_linger(self) -> None:
        """
        If the other side never finishes, it is reset.
        """
        self.mine.transport.loseConnection()
        self.run_(LINGER + 1)
        assert self.reasons() == [ConnectionDone, ConnectionLost]
        self.assertOver()

    def test_lingerUnread(self) -> None:
        """
        If it takes nothing of what was sent, that is an error on both sides.
        """
        self.theirs.transport.pauseProducing()
        self.mine.transport.write(bytes(2 * INITIAL_WINDOW))
        self.mine.transport.loseConnection()
        self.run_(2 * LINGER + 1)
        assert self.reasons() == [ConnectionLost, ConnectionLost]
        self.assertOver()

    def test_lingerWhileRead(self) -> None:
        """
        However slowly it takes what was sent, it is waited for.
        """
        size = 8 * INITIAL_WINDOW
        self.mine.transport.write(bytes(size))
        self.mine.transport.loseConnection()
        while len(self.theirs.received) < size:
            self.theirs.transport.pauseProducing()
            self.run_(LINGER * 0.9)
            self.theirs.transport.resumeProducing()
            self.run_(0.2)
        self.theirs.transport.loseConnection()
        self.run_()
        assert self.reasons() == [ConnectionDone, ConnectionDone]

    def test_writesOn(self) -> None:
        """
        A peer that writes on to one who has gone is reset, as by TCP.
        """
        self.mine.transport.write(b"bye")
        self.mine.transport.loseConnection()
        self.theirs.transport.write(bytes(INITIAL_WINDOW))
        self.run_()
        assert self.theirs.received == b"bye"
        assert self.reasons() == [ConnectionDone, ConnectionLost]
        self.assertOver()

    def test_abort(self) -> None:
        """
        An abort ends both directions, and the other side sees an error.
        """
        self.mine.transport.write(b"lost?")
        self.mine.transport.abortConnection()
        self.mine.transport.abortConnection()
        self.mine.transport.write(b"nothing")
        self.run_()
        assert self.reasons() == [ConnectionAborted, ConnectionLost]
        self.assertOver()

    def test_abortInData(self) -> None:
        """
        A protocol may abort in the middle of what it is told.
        """

        class Aborting(HalfCloser):
            def dataReceived(self, data: bytes) -> None:
                HalfCloser.dataReceived(self, data)
                self.transport.abortConnection()

        mine, theirs = self.streams.joined(Aborting)
        theirs.transport.pauseProducing()
        mine.transport.write(bytes(100_000))
        self.run_()
        theirs.transport.resumeProducing()
        self.run_()
        assert theirs.chunks == 1
        assert theirs.reason is not None
        assert theirs.reason.check(ConnectionAborted)

    def test_endWhilePaused(self) -> None:
        """
        A clean end waits behind the data that a paused reader has not taken; an
        error does not.
        """
        self.theirs.transport.pauseProducing()
        self.theirs.transport.loseWriteConnection()
        self.mine.transport.write(b"late")
        self.mine.transport.loseConnection()
        self.run_()
        assert self.reasons() == [ConnectionDone, None]
        self.theirs.transport.resumeProducing()
        assert self.theirs.received == b"late"
        assert self.reasons() == [ConnectionDone, ConnectionDone]
        mine, theirs = self.streams.joined()
        theirs.transport.pauseProducing()
        mine.transport.write(b"never")
        self.run_()
        mine.transport.abortConnection()
        self.run_()
        assert theirs.received == b""
        assert theirs.reason is not None

    def test_noHalfCloser(self) -> None:
        """
        A protocol that knows no half-close loses the connection at the other's
        end, and its producer is stopped.
        """
        self.mine.transport.abortConnection()
        mine, theirs = self.streams.joined(Recorder)
        producer = _Pusher()
        theirs.transport.registerProducer(producer, True)
        mine.transport.loseWriteConnection()
        self.run_()
        assert producer.told == ["stop"]
        for each in (mine, theirs):
            assert each.reason is not None
            assert each.reason.check(ConnectionDone)
        self.assertOver()

    def test_linkLost(self) -> None:
        """
        When the link breaks, or ends in whatever way, its streams end as errors.
        """
        for end in (0, 1):
            streams = Streams()
            mine, theirs = streams.joined()
            [streams.links[0].abortConnection, streams.dialer.leave][end]()
            streams.run()
            for each in (mine, theirs):
                assert each.reason is not None
                assert each.reason.check(ConnectionLost, ConnectionAborted)

    def test_startedLate(self) -> None:
        """
        Events from before the protocol was started reach it then, in order.
        """

        class Speaker(Protocol):
            def connectionMade(self) -> None:
                self.transport.write(b"welcome")  # type: ignore[union-attr]
                self.transport.loseConnection()  # type: ignore[union-attr]

        self.streams.offer("speaker", Speaker)
        request = self.streams.request("speaker")
        request.stream.loseWriteConnection()
        self.run_()
        late = HalfCloser()
        request.stream.start(late)
        assert late.received == b"welcome"
        assert late.reason is not None
        assert late.reason.check(ConnectionDone)
        self.run_()


def test_whenEnded() -> None:
    """
    C{whenEnded} fires when the protocol has been told of the end, not before.
    """
    streams = Streams()
    [mine, other] = streams.joined()
    heard: list[bool] = []
    ended = mine.transport.whenEnded()
    ended.addCallback(lambda result: heard.append(mine.isOpen))
    mine.transport.loseConnection()
    streams.run()
    assert heard == []
    other.transport.loseConnection()
    streams.run()
    assert heard == [False]


def test_whenEndedAfterFailure() -> None:
    """
    It fires even if the protocol fails when it is told, and for later callers.
    """

    class Failing(HalfCloser):
        def connectionLost(self, reason: object = None) -> None:
            raise ArithmeticError()

    streams = Streams()
    mine = streams.joined(Failing)[0]
    ended = mine.transport.whenEnded()
    with contextlib.suppress(ArithmeticError):
        mine.transport.abortConnection()
    assert ended.called
    assert mine.transport.whenEnded().called


def test_abortedWhenAccepted() -> None:
    """
    A stream that is aborted as soon as it is accepted delivers nothing of the data that
    came with the status.
    """

    class Speaker(Recorder):
        def connectionMade(self) -> None:
            self.transport.write(b"Hello.")

    streams = Streams()
    streams.offers["service"] = lambda peer: succeed(Speaker())
    request = streams.request("service")
    mine = Recorder()

    def abort(result: None) -> None:
        request.stream.start(mine)
        request.stream.abortConnection()

    request.whenAccepted().addCallback(abort)
    streams.run()
    assert mine.received == b""
    assert not mine.isOpen

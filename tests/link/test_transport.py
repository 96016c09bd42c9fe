"""
Tests for L{punch.link.transport}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IPushProducer,
    ITCPTransport,
    ITransport,
)
from twisted.internet.protocol import Protocol
from zope.interface.verify import verifyObject

from punch.errors import (
    Aborted,
    LinkError,
    PathLost,
    PathSilent,
    ProtocolViolation,
)
from punch.link.attach import Attach
from punch.link.keepalive import IDLE, PATIENT_GAP, PINGS, SOON
from punch.link.path import Path
from punch.link.records import MAXIMUM_DATA, Type, encode, encodeHeader
from punch.link.sendbuffer import DEFAULT_LIMITS
from punch.link.sequencing import Sequencing
from punch.link.transport import LINGER, Link
from punch.role import Role
from punch.testing import spin
from tests.support.doubles import DIALER_ID, LISTENER_ID, Pair, PunchTestCase
from tests.support.programs import HalfCloser, Pusher, Recorder

BOUND = DEFAULT_LIMITS.initial
INTERVAL = DEFAULT_LIMITS.interval


class _Pauser(HalfCloser):
    """
    Pauses after each piece that it receives.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Take it, and pause.
        """
        HalfCloser.dataReceived(self, data)
        self.transport.pauseProducing()


class LinkTestCase(PunchTestCase):
    """
    The two ends of a link in memory.
    """

    def setUp(self) -> None:
        """
        Make a link.
        """
        self.pair = Pair()
        self.advance = self.pair.run
        self.links = self.pair.links()
        self.dialers, self.listeners = self.links

    def started(self, kind: Callable[[], Recorder] = Recorder) -> list[Recorder]:
        """
        Start protocols of one kind on both ends.
        """
        protocols = [kind(), kind()]
        for link, protocol in zip(self.links, protocols, strict=True):
            link.start(protocol)
        self.advance()
        return protocols

    def assertClean(self) -> None:
        """
        See that both ends report a clean end, and that nothing is left.
        """
        for link in self.links:
            assert self.successResultOf(link.whenEnded()) is None
        self.assertNothingLeft()

    def assertEnded(self, link: Link, kind: type[LinkError]) -> None:
        """
        See how a side reports its end.
        """
        assert type(self.successResultOf(link.whenEnded())) is kind

    def assertNothingLeft(self) -> None:
        """
        See that no socket and no call is left.
        """
        assert self.pair.network.openSockets() == []
        assert list(self.pair.network.delayedCalls()) == []

    @staticmethod
    def pathOf(link: Link) -> Path:
        """
        The path that a link sends on.
        """
        assert link._paths.current is not None
        return link._paths.current

    def reasonOf(self, protocol: Recorder) -> BaseException | None:
        """
        Why a protocol lost its connection.
        """
        assert protocol.reason is not None
        return protocol.reason.value


class TransportTests(LinkTestCase):
    """
    To a protocol a link is a transport.
    """

    def test_interfaces(self) -> None:
        """
        It provides what it says.
        """
        for interface in (ITransport, IConsumer, IPushProducer):
            assert verifyObject(interface, self.dialers)
        for name in ("setTcpNoDelay", "getTcpNoDelay", "loseWriteConnection"):
            assert name in ITCPTransport
            assert callable(getattr(self.dialers, name))

    def test_addresses(self) -> None:
        """
        Each end tells whose it is, and where its path ends.
        """
        host, peer = self.dialers.getHost(), self.dialers.getPeer()
        assert verifyObject(IAddress, host)
        assert (host.pin, peer.pin) == (DIALER_ID.pin, LISTENER_ID.pin)
        assert (peer.host, peer.port, peer.path) == ("192.0.2.2", 4040, "direct")
        assert str(peer) == f"{peer.pin.hex()[:16]} at 192.0.2.2:4040 (direct)"
        assert self.listeners.getHost() == peer

    def test_bothWays(self) -> None:
        """
        Bytes pass both ways, and are counted.
        """
        dialer, listener = self.started()
        dialer.transport.write(b"there")
        listener.transport.writeSequence([b"and ", b"back"])
        self.advance()
        assert (dialer.received, listener.received) == (b"and back", b"there")
        assert (self.dialers.sent, self.dialers.received) == (5, 8)
        assert (self.listeners.sent, self.listeners.received) == (8, 5)

    def test_bulk(self) -> None:
        """
        Many bytes pass as well as few.
        """
        dialer, listener = self.started()
        sent = b"".join(n.to_bytes(4, "big") for n in range(750_000))
        dialer.transport.write(sent)
        self.advance(30)
        assert listener.received == sent

    def test_smallSegments(self) -> None:
        """
        Bytes pass however the network cuts them.
        """
        self.pair = Pair(segmentSize=7)
        self.links = self.dialers, self.listeners = self.pair.links()
        dialers, listener = self.started()
        for n in range(50):
            dialers.transport.write(b"%03d" % n)
        self.pair.run(5)
        assert listener.received == b"".join(b"%03d" % n for n in range(50))

    def test_startedLate(self) -> None:
        """
        Bytes wait for the protocol.
        """
        early = Recorder()
        self.dialers.start(early)
        early.transport.write(b"early")
        self.advance(5)
        late = Recorder()
        self.listeners.start(late)
        self.advance()
        assert late.received == b"early"
        early.transport.write(b" and late")
        self.advance()
        assert late.received == b"early and late"

    def test_withAttach(self) -> None:
        """
        Bytes that come in one piece with the ATTACH are delivered once.
        """
        self.pair = Pair()
        rawDialer = Recorder()
        dialers, securedListeners = self.pair.secured()
        dialers.handOver(rawDialer)
        listeners = Path(self.pair.network.clock, securedListeners)
        protocol = Recorder()
        made: list[Link] = []

        def use(path: Any) -> None:
            made.append(self.pair.link(Role.LISTENER, path))
            made[0].start(protocol)

        listeners.whenAttached().addCallback(use)
        data = encodeHeader(Type.DATA, 4) + b"once"
        _, attach = Sequencing(Role.DIALER, listeners.link, listeners.secret).attach(
            listeners.binding
        )
        rawDialer.transport.write(encode(Type.ATTACH, attach) + data)
        self.pair.run()
        assert protocol.received == b"once"
        assert made[0].received == 4

    def pausedAtGoodbye(self) -> Recorder:
        """
        The listener has finished, and its reader paused before it has heard all;
        the dialer has finished too, and the path is gone.
        """
        _, listener = self.started(_Pauser)
        self.listeners.loseWriteConnection()
        self.advance()
        for data in (b"one", b"two"):
            self.dialers.write(data)
        self.dialers.loseWriteConnection()
        self.advance()
        return listener

    def test_goodbyeWhilePaused(self) -> None:
        """
        A reader that pauses with something still to hear hears all of it, and a clean
        end, though the other side has long ended the path.
        """

        listener = self.pausedAtGoodbye()
        assert (listener.received, listener.reason) == (b"one", None)
        self.listeners.resumeProducing()
        self.advance()
        assert listener.received == b"onetwo"
        self.listeners.resumeProducing()
        self.advance()
        self.assertClean()

    def test_abortedAfterGoodbye(self) -> None:
        """
        A reader that has paused at that point can still abort.
        """

        self.pausedAtGoodbye()
        self.listeners.abortConnection()
        self.advance()
        self.assertEnded(self.listeners, Aborted)
        self.assertNothingLeft()


class DeliveryTests(LinkTestCase):
    """
    What has arrived is given to the protocol in order, and counts as taken after that.
    """

    def taken(self) -> int:
        """
        The units that the listener would acknowledge.
        """
        return self.listeners._paths._sequencing._taken

    def arrived(self, *pieces: bytes) -> None:
        """
        The listener, which is not started, has received the pieces.
        """
        for each in pieces:
            self.dialers.write(each)
        self.advance()

    def test_order(self) -> None:
        """
        Bytes come once, then the end, and all of them count.
        """
        self.arrived(b"one", b"two")
        self.listeners.start(reader := HalfCloser())
        self.advance()
        assert (reader.received, reader.ended) == (b"onetwo", [])
        self.dialers.write(b"three")
        self.dialers.loseWriteConnection()
        self.advance()
        assert (reader.received, reader.ended) == (b"onetwothree", ["read"])
        assert (self.listeners.received, self.taken()) == (11, 12)

    def test_nothing(self) -> None:
        """
        A record without bytes is no end.
        """
        self.listeners.start(reader := HalfCloser())
        self.pathOf(self.dialers).transport.write(encodeHeader(Type.DATA, 0))
        self.advance()
        assert (reader.chunks, reader.ended) == (0, [])

    def test_pausedAtStart(self) -> None:
        """
        A protocol that pauses when it is connected gets nothing until it resumes.
        """

        class _Pauser(Recorder):
            def connectionMade(self) -> None:
                self.transport.pauseProducing()

        self.dialers.write(b"data")
        pauser = _Pauser()
        self.listeners.start(pauser)
        self.advance()
        assert pauser.received == b""
        assert (self.listeners.received, self.taken()) == (0, 0)
        pauser.transport.resumeProducing()
        self.advance()
        assert pauser.received == b"data"

    def test_pausedInBetween(self) -> None:
        """
        A protocol that pauses gets nothing more, not even of what had come already.
        """
        self.arrived(b"1", b"2", b"3")
        self.dialers.loseWriteConnection()
        self.listeners.start(pauser := _Pauser())
        for expected, taken in ((b"1", 1), (b"12", 2), (b"123", 3), (b"123", 4)):
            self.advance()
            assert (pauser.received, self.taken()) == (expected, taken)
            pauser.transport.resumeProducing()
        assert pauser.ended == ["read"]

    def test_notReentrant(self) -> None:
        """
        C{dataReceived} is never called while it runs, even if it pauses and
        resumes.
        """

        class _Restless(Recorder):
            def dataReceived(self, data: bytes) -> None:
                self.transport.pauseProducing()
                self.transport.resumeProducing()
                Recorder.dataReceived(self, data)

        self.arrived(b"1", b"2", b"3")
        self.listeners.start(restless := _Restless())
        self.advance()
        assert restless.received == b"123"

    def test_arrivesFromWithin(self) -> None:
        """
        What arrives while a protocol takes something follows that.
        """
        paths = self.listeners._paths

        class _Reader(Recorder):
            def dataReceived(self, data: bytes) -> None:
                if not self.chunks:
                    assert paths.current is not None
                    self.chunks += 1
                    paths.recordsReceived(paths.current, [b"two"])
                Recorder.dataReceived(self, data)

        self.arrived(b"one")
        self.listeners.start(reader := _Reader())
        assert reader.received == b"onetwo"

    def test_nothingAfterAbort(self) -> None:
        """
        A protocol that aborts receives no more, not even what had come already.
        """

        class _Quitter(Recorder):
            def dataReceived(self, data: bytes) -> None:
                Recorder.dataReceived(self, data)
                self.transport.abortConnection()

        self.arrived(b"1", b"2", b"3")
        self.listeners.start(quitter := _Quitter())
        self.advance()
        assert quitter.received == b"1"
        assert not quitter.isOpen

    def test_failed(self) -> None:
        """
        What a protocol fails at does not count as taken.
        """
        test = self

        class _Failing(Recorder):
            def dataReceived(self, data: bytes) -> None:
                Recorder.dataReceived(self, data)
                assert test.taken() == 0
                raise RuntimeError("not today")

        self.arrived(b"one", b"two")
        self.listeners.start(failing := _Failing())
        assert (failing.received, self.taken()) == (b"one", 0)
        assert len(self.logged(RuntimeError)) == 1


class EndTests(LinkTestCase):
    """
    How links end.
    """

    def test_lost(self) -> None:
        """
        One end loses the connection, and the other's protocol lets it go: both
        ends are clean, and what was written before has arrived.
        """
        dialer, listener = self.started()
        dialer.transport.write(b"last")
        dialer.transport.loseConnection()
        self.advance()
        assert listener.received == b"last"
        for protocol in (dialer, listener):
            assert isinstance(self.reasonOf(protocol), ConnectionDone)
        self.assertClean()

    def test_lostBytes(self) -> None:
        """
        What the peer still writes then is dropped, and the end a clean one.
        """

        dialer, listener = self.started(HalfCloser)
        dialer.transport.loseConnection()
        listener.transport.write(b"too late")
        self.advance()
        listener.transport.write(b"still")
        listener.transport.loseConnection()
        self.advance()
        assert dialer.received == b""
        self.assertClean()

    def test_nothingAfterLoss(self) -> None:
        """
        Nothing is written after C{loseConnection}.
        """
        dialer, listener = self.started()
        dialer.transport.loseConnection()
        dialer.transport.write(b"too late")
        self.advance()
        assert listener.received == b""
        assert self.dialers.sent == 0

    def test_halves(self) -> None:
        """
        Each direction ends by itself, to protocols that care.
        """
        for first, second in ((0, 1), (1, 0)):
            self.setUp()
            protocols = self.started(HalfCloser)
            one, other = protocols[first], protocols[second]
            assert isinstance(one, HalfCloser)
            assert isinstance(other, HalfCloser)
            one.transport.write(b"question")
            one.transport.loseWriteConnection()
            self.advance(100)
            assert (one.ended, other.ended) == (["write"], ["read"])
            other.transport.write(b"answer")
            self.advance(100)
            other.transport.loseWriteConnection()
            self.advance()
            assert (other.received, one.received) == (b"question", b"answer")
            assert one.ended == ["write", "read"]
            assert other.ended == ["read", "write"]
            self.assertClean()
            for each in protocols:
                assert isinstance(self.reasonOf(each), ConnectionDone)

    def test_halfTwice(self) -> None:
        """
        To finish writing twice is to finish once.
        """
        dialer, listener = self.started(HalfCloser)
        assert isinstance(dialer, HalfCloser)
        dialer.transport.loseWriteConnection()
        dialer.transport.loseWriteConnection()
        self.advance()
        assert listener.isOpen
        assert dialer.ended == ["write"]

    def test_writtenAfterHalf(self) -> None:
        """
        Nothing is written after C{loseWriteConnection}.
        """
        dialer, listener = self.started(HalfCloser)
        dialer.transport.loseWriteConnection()
        dialer.transport.write(b"too late")
        self.advance()
        assert listener.received == b""

    def test_linger(self) -> None:
        """
        A side that loses the connection does not wait for ever for a peer that does
        not: as long as there is progress, and then between one and two periods.
        """
        dialer, listener = self.started(HalfCloser)
        dialer.transport.loseConnection()
        for _ in range(3):
            self.advance(LINGER)
            listener.transport.write(b"more")
        self.advance(LINGER)
        assert dialer.isOpen
        self.advance(LINGER + 1)
        assert isinstance(self.reasonOf(dialer), ConnectionLost)
        self.advance()
        self.assertEnded(self.dialers, PathLost)
        self.assertEnded(self.listeners, PathLost)
        assert not listener.isOpen
        self.assertNothingLeft()

    def test_notCounted(self) -> None:
        """
        What still comes after the end is not counted as received.
        """
        dialer, listener = self.started()
        Pusher(self.pair.network.clock, listener.transport)
        self.advance(0.5)
        dialer.transport.abortConnection()
        counted = self.dialers.received
        assert counted > 0
        self.advance(0.5)
        assert self.dialers.received == counted

    def test_endedOnce(self) -> None:
        """
        After its end nothing can be done with a link, and nothing happens.
        """
        dialer, _ = self.started()
        dialer.transport.abortConnection()
        self.advance()
        for name in (
            "loseConnection",
            "loseWriteConnection",
            "abortConnection",
            "pauseProducing",
            "resumeProducing",
            "stopProducing",
        ):
            getattr(self.dialers, name)()
        self.dialers.write(b"x")
        self.advance()
        assert self.dialers.sent == 0
        self.assertNothingLeft()

    def test_deadPath(self) -> None:
        """
        A link on a path that has ended meanwhile ends at once.
        """
        self.pair = Pair()
        dialers, listeners = self.pair.paths()
        dialers.startLink(Role.DIALER)
        self.pair.run()
        listeners.abort()
        self.pair.run()
        link = self.pair.link(Role.LISTENER, listeners)
        self.assertEnded(link, PathLost)
        assert [c for c in self.pair.network.delayedCalls() if c.active()] == []


class ViolationTests(LinkTestCase):
    """
    Peers that break the rules in ways that C{test_ends} does not show.
    """

    def test_tooMuch(self) -> None:
        """
        A peer that goes on sending to a reader that has paused is stopped before it
        fills our memory.
        """
        _, listener = self.started()
        listener.transport.pauseProducing()
        path = self.pathOf(self.dialers)
        for _ in range(17):
            path.sendData(bytes(MAXIMUM_DATA))
        self.advance(30)
        assert listener.isOpen
        path.sendData(b"x")
        self.advance(30)
        self.assertEnded(self.listeners, ProtocolViolation)

    def test_firstAttach(self) -> None:
        """
        An ATTACH that proves nothing, or is of no path, ends the link before it has
        begun.
        """
        for forged, error in ((True, ProtocolViolation), (False, PathLost)):
            self.pair = Pair()
            dialers, listeners = self.pair.paths()
            _, payload = Sequencing(Role.DIALER, dialers.link, dialers.secret).attach(
                dialers.binding
            )
            if forged:
                payload = payload[:-1] + bytes([payload[-1] ^ 1])
            else:
                payload = Attach(dialers.link, 0, 0).toBytes(
                    dialers.secret, dialers.binding
                )
            dialers.send(Type.ATTACH, payload)
            self.pair.run()
            link = self.pair.link(Role.LISTENER, listeners)
            self.pair.run()
            self.assertEnded(link, error)
            self.assertNothingLeft()


class ProducerTests(LinkTestCase):
    """
    A slow reader slows the writer, and nothing is kept beyond a bound.
    """

    def test_backpressure(self) -> None:
        """
        A reader that pauses stops the other side's producer; when it resumes all
        goes on and nothing is lost.
        """
        dialer, listener = self.started()
        listener.transport.pauseProducing()
        pusher = Pusher(self.pair.network.clock, dialer.transport)
        self.advance(10)
        assert pusher.isPaused
        stalled = pusher.written
        assert stalled < BOUND + 2000
        assert listener.received == b""
        self.advance(10)
        assert pusher.written == stalled
        listener.transport.resumeProducing()
        self.advance(3)
        assert pusher.written > stalled + 1_000_000
        pusher.finish()
        self.advance(20)
        assert len(listener.received) == pusher.written

    def test_takenWhilePaused(self) -> None:
        """
        A reader that takes a little and pauses lets as much follow, and no more.
        """
        dialer, listener = self.started(_Pauser)
        pusher = Pusher(self.pair.network.clock, dialer.transport)
        self.advance(10)
        for _ in range(5):
            before = len(listener.received)
            assert pusher.isPaused
            assert pusher.written - before < BOUND + 2000
            assert pusher.written - before > BOUND - 2 * INTERVAL
            listener.transport.resumeProducing()
            self.advance()
            assert len(listener.received) > before

    def test_unstarted(self) -> None:
        """
        A link that nobody has started stops the other side's producer, too.
        """
        self.dialers.start(Recorder())
        pusher = Pusher(self.pair.network.clock, self.dialers)
        self.advance(100)
        assert pusher.isPaused
        assert pusher.written < BOUND + 2000
        late = Recorder()
        self.listeners.start(late)
        pusher.finish()
        self.advance(10)
        assert len(late.received) == pusher.written

    def test_loseConnectionWaits(self) -> None:
        """
        C{loseConnection} waits for the registered producer.
        """
        dialer, listener = self.started()
        pusher = Pusher(self.pair.network.clock, dialer.transport)
        dialer.transport.loseConnection()
        self.advance()
        assert listener.isOpen
        dialer.transport.write(b"end")
        pusher.finish()
        self.advance(20)
        assert len(listener.received) == pusher.written + 3
        self.assertClean()

    def test_loseWriteConnectionWaits(self) -> None:
        """
        C{loseWriteConnection} waits for the registered producer.
        """
        dialer, listener = self.started(HalfCloser)
        assert isinstance(listener, HalfCloser)
        pusher = Pusher(self.pair.network.clock, dialer.transport)
        dialer.transport.loseWriteConnection()
        self.advance()
        assert listener.ended == []
        pusher.finish()
        self.advance(20)
        assert listener.ended == ["read"]
        assert len(listener.received) == pusher.written

    def test_peerFinished(self) -> None:
        """
        To a protocol that knows no half-closed connections the peer's end is the
        end, its producer's too: as TCP's, it is stopped.
        """
        dialer, listener = self.started()
        pusher = Pusher(self.pair.network.clock, dialer.transport)
        listener.transport.loseConnection()
        self.advance(LINGER - 1)
        assert pusher.isStopped
        assert not dialer.isOpen
        self.assertClean()

    def test_stopped(self) -> None:
        """
        A producer hears when the link is gone.
        """
        dialer, listener = self.started()
        pusher = Pusher(self.pair.network.clock, dialer.transport)
        listener.transport.abortConnection()
        self.advance(5)
        assert pusher.isStopped

    def test_registeredLate(self) -> None:
        """
        A producer that registers after the end is stopped at once.
        """
        self.started()
        self.dialers.abortConnection()
        self.advance()
        assert Pusher(self.pair.network.clock, self.dialers).isStopped

    def test_twice(self) -> None:
        """
        There is one producer at a time.
        """
        self.started()
        first = Pusher(self.pair.network.clock, self.dialers)
        with pytest.raises(RuntimeError):
            Pusher(self.pair.network.clock, self.dialers)
        first.finish()
        Pusher(self.pair.network.clock, self.dialers).finish()


class KeepaliveTests(LinkTestCase):
    """
    Paths that fall silent.
    """

    def test_idle(self) -> None:
        """
        An idle link lives on, and the path is not idle for long (NATs forget).
        """
        protocols = self.started()
        trace = self.pair.network.trace()
        self.advance(3600)
        assert all(each.isOpen for each in protocols)
        # Asked and answered, sent and received: four lines.  What one end asks puts
        # the other's question off.
        assert 3600 / IDLE <= len(trace) / 4 <= 2 * 3600 / IDLE

    def test_used(self) -> None:
        """
        An idle path that is used is asked soon after; then less and less.
        """
        dialer, _ = self.started()
        self.advance(300)
        trace = self.pair.network.trace()
        dialer.transport.write(b"x")
        used = self.pair.network.clock.seconds()
        self.advance(20)
        # A PING, inside TLS; DATA, ACK and PONG are longer.
        asked = [
            round(float(line.split()[0]) - used, 1)
            for line in trace
            if " sent " in line and line.endswith("length 27")
        ]
        assert asked[0] == SOON
        assert 4 <= len(asked) <= 7

    def test_idleUnstarted(self) -> None:
        """
        A link that nobody has started, on either side, lives on as well.
        """
        self.advance(3600)
        for link in self.links:
            self.waiting(link.whenEnded())

    def test_paused(self) -> None:
        """
        A reader that pauses for an hour is no dead peer.
        """
        dialer, listener = self.started()
        listener.transport.pauseProducing()
        dialer.transport.write(b"patience")
        self.advance(3600)
        listener.transport.resumeProducing()
        self.advance()
        assert listener.received == b"patience"
        assert dialer.isOpen

    def test_cut(self) -> None:
        """
        A path that is cut is noticed by both, whenever it was cut: three PINGs after
        the next is due.
        """
        for moment in (0.0, 5.0, 19.0, 20.5, 39.9):
            self.setUp()
            protocols = self.started()
            self.advance(moment)
            self.pair.hosts[0].cut()
            before = self.pair.network.clock.seconds()
            for link, protocol in zip(self.links, protocols, strict=True):
                error = spin(link.whenEnded(), self.pair.network, 100)
                assert isinstance(error, PathSilent)
                assert isinstance(self.reasonOf(protocol), ConnectionLost)
                assert getattr(self.reasonOf(protocol), "__cause__", None) is error
            taken = self.pair.network.clock.seconds() - before
            # The last answer may just have been lost.
            shortest = PINGS * PATIENT_GAP
            assert shortest - 0.1 < taken < shortest + IDLE + 0.1
            self.assertNothingLeft()

    def test_cutForAWhile(self) -> None:
        """
        A path that answers again in time goes on.
        """
        dialer, listener = self.started()
        self.pair.hosts[0].cut()
        dialer.transport.write(b"through")
        self.advance(15)
        self.pair.hosts[0].mend()
        self.advance(100)
        assert listener.received == b"through"
        assert dialer.isOpen

    def test_cutWhileLeaving(self) -> None:
        """
        A side that loses the connection over a path that is cut hears an error.
        """
        dialer, _ = self.started()
        self.pair.hosts[0].cut()
        dialer.transport.loseConnection()
        self.advance(61)
        assert isinstance(self.reasonOf(dialer), ConnectionLost)
        self.advance(60)
        self.assertNothingLeft()


class EveryEndTests(PunchTestCase):
    """
    Ends at any instant.
    """

    def test_agree(self) -> None:
        """
        Whenever the path breaks while both lose the connection: whoever reports a
        clean end has received all, and the other has received all too.
        """
        for step in range(40):
            pair = Pair()
            links = pair.links()
            protocols = [Recorder(), Recorder()]
            ends: list[Deferred[LinkError | None]] = []
            for link, protocol in zip(links, protocols, strict=True):
                whatever: Protocol = protocol
                link.start(whatever)
                link.write(b"x" * 1000)
                link.loseConnection()
                ends.append(link.whenEnded())
            pair.run(step * 0.005)
            pair.hosts[step % 2].reset()
            pair.run()
            reports = [self.successResultOf(each) for each in ends]
            if None in reports:
                assert {link.received for link in links} == {1000}
            assert pair.network.openSockets() == []

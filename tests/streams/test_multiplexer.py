"""
Tests for L{punch.streams.multiplexer}, L{punch.streams.outbound} and
L{punch.streams.inbound}.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocol

from punch.errors import PathLost, ProtocolViolation, PunchError
from punch.net.address import PunchAddress
from punch.protocols.hello import EchoProtocol
from punch.streams.errors import (
    GoingAway,
    NoSuchService,
    StreamRefused,
    StreamReset,
    TargetRefused,
    TooManyStreams,
)
from punch.streams.multiplexer import MAX_STREAMS, MAX_WAITING
from tests.support.doubles import PunchTestCase, watching
from tests.support.programs import HalfCloser, Recorder
from tests.support.streams import Streams, requests


class MultiplexerTestCase(PunchTestCase):
    """
    Two multiplexers on a link.
    """

    def setUp(self) -> None:
        """
        Join them.
        """
        self.streams = Streams()
        self.run_ = self.streams.run

    def refused(self, service: str, kind: type[PunchError]) -> Recorder:
        """
        See that a request for a service is refused.

        @return: the protocol that was started before that.
        """
        request = self.streams.request(service)
        hasty = HalfCloser()
        request.stream.start(hasty)
        request.stream.write(b"optimistic")
        self.run_()
        self.failed(request.whenAccepted(), kind)
        assert hasty.reason is not None
        assert isinstance(getattr(hasty.reason.value, "__cause__", None), kind)
        return hasty


class OpeningTests(MultiplexerTestCase):
    """
    How streams begin.
    """

    def test_eitherSide(self) -> None:
        """
        Either side asks, and is told when it has been accepted.
        """
        made = self.streams.offer("b", Recorder)
        self.streams.dialersOffers["a"] = self.streams.offers["b"]
        toListener = self.streams.request("b")
        toDialer = self.streams.request("a", self.streams.listener)
        assert self.noResult(toListener.whenAccepted())
        self.run_()
        assert self.successResultOf(toListener.whenAccepted()) is None
        assert self.successResultOf(toDialer.whenAccepted()) is None
        assert {toListener.stream.id, toDialer.stream.id} == {1, 2}
        assert len(made) == 2

    def noResult(self, waited: Deferred[Any]) -> bool:
        """
        Whether it has not fired.
        """
        return not waited.called

    def test_optimistic(self) -> None:
        """
        Data written at once arrives with the request, after no round trip.
        """
        made = self.streams.offer("web", Recorder)
        request = self.streams.request("web")
        request.stream.write(b"GET /")
        self.run_(0.05)  # A round trip takes 0.08 s.
        assert made[0].received == b"GET /"

    def test_whoIsIt(self) -> None:
        """
        An offer hears who wants it.
        """
        peers: list[PunchAddress] = []

        def offer(peer: PunchAddress) -> Deferred[IProtocol]:
            peers.append(peer)
            return fail(TargetRefused())

        self.streams.offers["web"] = offer
        self.refused("web", TargetRefused)
        assert peers == [self.streams.links[0].getHost()]

    def test_noSuchService(self) -> None:
        """
        Only what is offered can be had; the other side's log says who wanted what.
        """
        with watching() as log:
            self.refused("ssh", NoSuchService)
        assert any("ssh" in each for each in log.sentences)
        assert self.streams.listener.streamCount == 0

    def test_badOffer(self) -> None:
        """
        An offer that fails by a mistake refuses, and the mistake is logged.
        """
        self.streams.offers["web"] = lambda peer: fail(RuntimeError("oops"))
        with watching():
            self.refused("web", StreamRefused)
        flushed: list[Any] = self.flushLoggedErrors(RuntimeError)  # type: ignore[no-untyped-call]
        assert len(flushed) == 1

    def test_givenUp(self) -> None:
        """
        If its opener gives up, an offer that is still being made is cancelled.
        """
        cancelled: list[Deferred[IProtocol]] = []
        making: Deferred[IProtocol] = Deferred(cancelled.append)
        self.streams.offers["slow"] = lambda peer: making
        request = self.streams.request("slow")
        request.stream.write(b"data")
        request.stream.loseWriteConnection()
        self.run_()
        request.stream.abortConnection()
        self.run_()
        self.failed(request.whenAccepted(), StreamReset)
        assert cancelled == [making]
        assert self.streams.listener.streamCount == self.streams.dialer.streamCount == 0

    def test_slowOffer(self) -> None:
        """
        Data and ends that arrive before the service is made reach it first.
        """
        making: Deferred[IProtocol] = Deferred()
        self.streams.offers["slow"] = lambda peer: making
        request = self.streams.request("slow")
        request.stream.write(b"data")
        request.stream.loseWriteConnection()
        self.run_()
        service = HalfCloser()
        making.callback(service)
        assert service.received == b"data"
        assert service.ended == ["read"]

    def test_noName(self) -> None:
        """
        A stream that ends before it has said what it wants is forgotten.
        """
        session = self.streams.dialer._session
        id = session.open()
        session.write(id, b"\x09abc")
        session.finish(id)
        self.streams.dialer._pump()
        self.run_()
        assert self.streams.listener.streamCount == 0

    def test_answeredByEnd(self) -> None:
        """
        A service that ends the stream before it has answered has refused.
        """

        def offer(peer: PunchAddress) -> Deferred[IProtocol]:
            self.streams.listener.finish(1)
            return Deferred()

        self.streams.offers["mute"] = offer
        self.refused("mute", StreamReset)

    def test_manyAtOnce(self) -> None:
        """
        However many are wanted at once, they come about, in order, as the peer
        acknowledges earlier ones.
        """
        made = self.streams.offer("web", Recorder)
        wanted = requests(1000, "web", self.streams.dialer)
        assert len(wanted) < 1000
        self.run_()
        assert len(wanted) == len(made) == 1000
        assert [each.stream.id for each in wanted] == list(range(1, 2000, 2))

    def test_waitingCancelled(self) -> None:
        """
        One that waits can be cancelled; too many that wait are refused.
        """
        self.streams.offer("web", Recorder)
        requests(256, "web", self.streams.dialer)
        waiting = [self.streams.dialer.open("web") for _ in range(MAX_WAITING)]
        self.failed(self.streams.dialer.open("web"), TooManyStreams)
        for each in waiting[:-1]:
            each.cancel()
            self.failed(each, CancelledError)
        self.run_()
        assert self.successResultOf(waiting[-1]).stream.id == 2 * 256 + 1

    def test_tooMany(self) -> None:
        """
        More streams than the other side allows are refused, until some end.
        """
        made = self.streams.offer("web", Recorder)
        wanted = []
        for _ in range(2):
            wanted += requests(MAX_STREAMS // 2, "web", self.streams.dialer)
            self.run_()
        assert len(made) == MAX_STREAMS
        self.refused("web", TooManyStreams)
        wanted[0].stream.abortConnection()
        self.run_()
        assert len(requests(1, "web", self.streams.dialer)) == 1
        self.run_()
        assert len(made) == MAX_STREAMS + 1


class EndTests(MultiplexerTestCase):
    """
    How it ends for all streams.
    """

    def test_goAway(self) -> None:
        """
        After it no side opens more; those that live go on, and when the last has
        ended, that is known.
        """
        mine, theirs = self.streams.joined()
        gone = self.streams.listener.goAway()
        assert not self.streams.listener.takesRequests
        self.run_()
        assert not self.streams.dialer.takesRequests
        for each in (self.streams.dialer, self.streams.listener):
            self.failed(each.open("service"), GoingAway)
        mine.transport.write(b"still")
        self.run_()
        assert theirs.received == b"still"
        assert not gone.called
        mine.transport.loseConnection()
        theirs.transport.loseConnection()
        self.run_()
        assert self.successResultOf(gone) is None
        assert self.successResultOf(self.streams.dialer.goAway()) is None

    def test_goAwayWaiting(self) -> None:
        """
        Those that wait to be opened hear it.
        """
        self.streams.offer("web", Recorder)
        requests(256, "web", self.streams.dialer)
        waiting = self.streams.dialer.open("web")
        self.streams.dialer.goAway()
        self.failed(waiting, GoingAway)

    def test_leave(self) -> None:
        """
        C{leave} closes the link cleanly, even if streams are open.
        """
        _, theirs = self.streams.joined()
        request = self.streams.request("service")
        accepted = request.whenAccepted()
        ended = self.streams.listener.whenEnded()
        self.streams.dialer.leave()
        self.run_()
        for link in self.streams.links:
            assert self.successResultOf(link.whenEnded()) is None
        assert self.successResultOf(ended) is None
        assert theirs.reason is not None
        assert isinstance(theirs.reason.value, ConnectionLost)
        self.failed(accepted, PathLost)
        self.failed(self.streams.dialer.open("service"), GoingAway)

    def test_violation(self) -> None:
        """
        A peer that breaks the rules ends the link by that name.
        """
        _, theirs = self.streams.joined()
        self.streams.links[0].write(b"hello world!\n")
        with watching():
            self.run_()
        error = self.successResultOf(self.streams.links[1].whenEnded())
        assert isinstance(error, ProtocolViolation)
        assert theirs.reason is not None


class TurnTests(MultiplexerTestCase):
    """
    Streams are served in turn.
    """

    def test_smallBesideLarge(self) -> None:
        """
        Small writes go out between the pieces of large ones.
        """
        bulk, sink = self.streams.joined()
        bulk.transport.write(bytes(50_000_000))
        self.streams.offer("echo", EchoProtocol)
        request = self.streams.request("echo")
        small = Recorder()
        request.stream.start(small)
        for count in range(1, 4):
            request.stream.write(b"x")
            self.run_(0.5)
            assert small.received == b"x" * count
        assert 0 < len(sink.received) < 50_000_000

    @pytest.mark.timeout(60)
    def test_anyway(self) -> None:
        """
        Whatever many streams do at once, what each hears is a prefix of what was
        said, and all of it if both ended it cleanly.
        """
        for seed in range(20):
            _Crowd(seed).run()


class _Talker(HalfCloser):
    """
    Says something in random pieces, stalls, and ends in some way.
    """

    def __init__(self, crowd: _Crowd) -> None:
        HalfCloser.__init__(self)
        self.crowd = crowd
        random = crowd.random
        self.words = random.randbytes(random.choice([0, 1, 5000, 100_000, 700_000]))
        self.said = 0
        self.ending = random.choice(["lose", "half", "half", "abort"])

    def connectionMade(self) -> None:
        """
        Begin.
        """
        self.crowd.later(self.step)

    def step(self) -> None:
        """
        Do something.
        """
        random = self.crowd.random
        if self.reason is not None:
            return
        if random.random() < 0.3:
            self.transport.pauseProducing()
            self.crowd.later(self.transport.resumeProducing)
        size = random.choice([1, 1000, 70_000, 300_000])
        self.transport.write(self.words[self.said : self.said + size])
        self.said += size
        if self.said < len(self.words):
            self.crowd.later(self.step)
        elif self.ending == "abort":
            self.transport.abortConnection()
        elif self.ending == "lose" and "read" in self.ended:
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()


class _Crowd:
    """
    Many streams at once, of one seed.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.streams = Streams()
        self.pairs: list[tuple[_Talker, _Talker]] = []

    def later(self, call: Any) -> None:
        """
        Call it soon.
        """
        clock = self.streams.pair.network.clock
        clock.callLater(self.random.expovariate(20), call)

    def begin(self) -> None:
        """
        One more stream, by either side.
        """
        streams = self.streams
        by = self.random.choice([streams.dialer, streams.listener])
        mine, theirs = _Talker(self), _Talker(self)
        self.pairs.append((mine, theirs))
        service = f"{len(self.pairs)}"
        for offers in (streams.offers, streams.dialersOffers):
            offers[service] = lambda peer: Deferred.fromCoroutine(made(theirs))
        by.open(service).addCallback(lambda request: request.stream.start(mine))

    def run(self) -> None:
        """
        Let all happen, and look at it.
        """
        for _ in range(30):
            self.later(self.begin)
        self.streams.run(120)
        for pair in self.pairs:
            for one, other in (pair, pair[::-1]):
                if one.transport is None:
                    assert other.ending == "abort"  # And nobody heard of it.
                    continue
                assert one.reason is not None
                assert other.words.startswith(one.received)
                if other.ending != "abort" and one.ending != "abort":
                    assert one.received == other.words
        assert self.streams.dialer.streamCount == self.streams.listener.streamCount == 0


async def made(protocol: _Talker) -> IProtocol:
    """
    The protocol, as an offer gives it.
    """
    return protocol

"""
Tests for L{punch.link.paths}, L{punch.link.path} and L{punch.link.suspension}: links
that go on over one path after another.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

from punch.errors import Aborted, PathLost
from punch.events import PathChanged, Resumed, Suspended
from punch.ice.candidate import Kind
from punch.link.attach import Attach
from punch.link.errors import ResumeExpired, UnknownLink
from punch.link.interfaces import Want
from punch.link.keepalive import SOON, SUSPICION
from punch.link.path import FAREWELL, Path
from punch.link.records import Type, encode, encodeHeader
from punch.link.sendbuffer import DEFAULT_LIMITS
from punch.link.suspension import COURTESY
from punch.link.transport import LINGER
from tests.support.doubles import PunchTestCase
from tests.support.durable import Couple, Talker, talkers
from tests.support.programs import HalfCloser, Pusher, Recorder

BOUND = DEFAULT_LIMITS.initial


class PathsTestCase(PunchTestCase):
    """
    The two ends of a durable link in memory.
    """

    def setUp(self) -> None:
        """
        Make a link.
        """
        self.make()

    def make(self, **options: Any) -> None:
        """
        Make another link.
        """
        self.couple = Couple(**options)
        self.dialers, self.listeners = self.couple.links
        self.advance = self.couple.run
        self.hosts = self.couple.pair.hosts

    def assertClean(self) -> None:
        """
        See that both ends end cleanly, and leave nothing.
        """
        self.couple.finish()
        assert self.couple.ends() == [None, None]
        assert self.couple.isQuiet()

    def assertKinds(self, *kinds: type[Exception]) -> None:
        """
        See how both ends have ended, and that nothing is left after a while.
        """
        assert [type(each) for each in self.couple.ends()] == list(kinds)
        self.couple.findsPaths = False
        self.advance(10)
        assert self.couple.isQuiet()

    def assertContent(self, made: list[Talker]) -> None:
        """
        See that both sides received all that the other sent, once, in order.
        """
        self.assertClean()
        assert [each.hasHeardAll for each in made] == [True, True]

    def wants(self) -> list[Want]:
        """
        What the two ends lack.
        """
        return [each.want for each in self.couple.links]

    def pathOf(self, end: int) -> Path:
        """
        The path that an end sends on.
        """
        current = self.couple.current(end)
        assert current is not None
        return current

    def newPaths(self) -> tuple[Path, Path]:
        """
        Another path, of which no link knows.
        """
        paths: tuple[Path, Path] = self.couple.pair.spin(self.couple.paths())
        return paths

    def addPath(self, end: int, path: Path, kind: Kind = Kind.HOST) -> Deferred[bool]:
        """
        Give a path to one end.
        """
        return self.couple.links[end].addPath(self.couple.pair.selected(path, kind))


class ResumeTests(PathsTestCase):
    """
    A link goes on when its path dies.
    """

    def test_broken(self) -> None:
        """
        Wherever and whenever a path breaks in the midst of transfers both ways: on
        another all goes on, and arrives once, in order, to a clean end.
        """
        for seed in range(48):
            self.make()
            random = Random(seed)
            made = talkers(self.couple, random, 0, 400_000)
            self.advance(random.uniform(0.0, 0.4))
            breaks = self.couple.breaks()
            breaks[seed % len(breaks)]()
            self.advance(random.uniform(0.0, 1.0))
            breaks[random.randrange(len(breaks))]()
            with self.subTest(seed=seed):
                self.assertContent(made)

    def test_cut(self) -> None:
        """
        All goes on, too, if a path falls silent for a short or a long time.
        """
        for seed in range(16):
            self.make()
            random = Random(seed)
            made = talkers(self.couple, random, 400_000, 700_000)
            self.advance(random.uniform(0.0, 0.4))
            self.couple.cut(random.choice((0.5, 5.0, 30.0)))
            with self.subTest(seed=seed):
                self.assertContent(made)

    def test_events(self) -> None:
        """
        A side that has lost its path says so, why, and when it goes on.
        """
        self.couple.start()
        self.advance()
        self.hosts[0].reset()
        self.advance(5)
        for events in self.couple.events:
            suspended, resumed = events
            assert suspended == Suspended("path-lost")
            assert isinstance(resumed, Resumed)
            assert (resumed.path, resumed.kind) == ("direct", "host")
            assert 0.3 < resumed.elapsed < 1.0
        assert self.wants()[0] is Want.NOTHING

    def test_silent(self) -> None:
        """
        A path that is used and does not answer is suspected within a second or so, and
        dead in less than ten; at both ends.
        """
        dialer, _ = self.couple.start()
        self.advance(300)
        self.couple.findsPaths = False
        dialer.transport.write(b"x")
        self.advance(0.02)
        self.hosts[0].cut()
        dialer.transport.write(b"y")
        self.advance(SOON + SUSPICION - 0.03)
        assert self.wants()[0] is Want.NOTHING
        self.advance(0.13)
        assert self.wants() == [Want.ANOTHER, Want.ANOTHER]
        assert self.couple.current(0) is not None
        self.advance(9.8 - SOON - SUSPICION)
        for events in self.couple.events:
            assert events == [Suspended("path-silent")]

    def test_silentIdle(self) -> None:
        """
        A path that is not used is found dead as well, but later.
        """
        self.couple.start()
        self.advance(300)
        self.couple.findsPaths = False
        self.hosts[0].cut()
        self.advance(30)
        for events in self.couple.events:
            assert events == [Suspended("path-silent")]

    def test_probe(self) -> None:
        """
        A path can be probed at once.
        """
        self.couple.start()
        self.advance(300)
        self.couple.findsPaths = False
        self.hosts[0].cut()
        self.dialers.probe(False)
        self.advance(SUSPICION - 0.1)
        assert self.wants()[0] is Want.NOTHING
        self.advance(0.2)
        assert self.wants()[0] is Want.ANOTHER
        self.advance(9)
        assert self.couple.named(0) == ["suspended"]
        self.dialers.probe(False)

    def test_probeSuspected(self) -> None:
        """
        A path that is suspected at once is replaced, unless it answers before.
        """
        self.couple.start()
        self.couple.findsPaths = False
        self.advance(300)
        self.dialers.probe(True)
        assert self.wants() == [Want.ANOTHER, Want.NOTHING]
        self.advance(0.1)
        assert self.wants() == [Want.NOTHING, Want.NOTHING]
        assert self.couple.events == ([], [])

    def test_measured(self) -> None:
        """
        The round trip is that of each question and its own answer, even if the next
        question is older than that; an answer without a question means nothing.
        """
        self.couple.findsPaths = False
        sequencing = self.listeners._paths._sequencing
        self.pathOf(0).send(Type.PONG, bytes(8))
        self.advance(0.1)
        assert sequencing.roundTrip is None
        for host in self.hosts:
            host.latency = 0.8
        self.advance(30)
        assert sequencing.roundTrip is not None
        assert 3.19 < sequencing.roundTrip < 3.3
        assert self.couple.ends() == [..., ...]

    def test_suspected(self) -> None:
        """
        While a path is only suspected another is taken; the old one is ended
        once nothing is missing.
        """
        dialer, listener = self.couple.start()
        self.advance()
        # What is under way on the old path stays there.
        old = self.pathOf(0)
        tls: Any = old.transport
        tls.transport.pauseProducing()
        dialer.transport.write(b"before")
        listener.transport.write(b"back")
        self.advance(3)
        dialer.transport.write(b" after")
        self.advance()
        assert (dialer.received, listener.received) == (b"back", b"before after")
        assert self.couple.events[0] == [PathChanged("direct", "direct", "path-silent")]
        assert self.pathOf(0) is not old
        self.advance(15)
        assert len(self.couple.network.openSockets()) == 2
        assert self.couple.named(0) == ["path"]

    def test_answersAgain(self) -> None:
        """
        A path that answers again is suspected no more.
        """
        dialer, listener = self.couple.start()
        self.advance()
        self.couple.findsPaths = False
        self.couple.cut(3.0)
        dialer.transport.write(b"x")
        self.advance(2.9)
        assert self.wants()[0] is Want.ANOTHER
        self.advance(5)
        assert self.wants()[0] is Want.NOTHING
        assert listener.received == b"x"
        assert self.couple.events == ([], [])

    def test_halfClosed(self) -> None:
        """
        A direction that has ended stays so.
        """
        for step in range(12):
            self.make()
            dialer, listener = self.couple.start()
            assert isinstance(dialer, HalfCloser)
            assert isinstance(listener, HalfCloser)
            dialer.transport.write(b"question")
            dialer.transport.loseWriteConnection()
            self.advance(step * 0.02)
            self.hosts[0].reset()
            self.advance(5)
            assert (dialer.ended, listener.ended) == (["write"], ["read"])
            listener.transport.write(b"answer")
            self.hosts[0].reset()
            self.advance(5)
            listener.transport.write(b" and more")
            listener.transport.loseWriteConnection()
            self.assertClean()
            assert listener.received == b"question"
            assert dialer.received == b"answer and more"
            assert (dialer.ended, listener.ended) == (
                ["write", "read"],
                ["read", "write"],
            )

    def test_unstarted(self) -> None:
        """
        A link that nobody has started lives on as well.
        """
        self.dialers.start(early := Recorder())
        early.transport.write(b"early")
        for _ in range(3):
            self.hosts[0].reset()
            self.advance(3)
        self.listeners.start(late := Recorder())
        self.advance()
        assert late.received == b"early"

    def test_address(self) -> None:
        """
        A link tells where its path is, or was.
        """
        self.couple.start()
        before = self.dialers.getPeer()
        self.hosts[0].reset()
        self.advance(0.1)
        assert self.dialers.getPeer() == before
        self.advance(5)
        assert self.dialers.getPeer().port != before.port
        assert self.dialers.getPeer() == self.listeners.getHost()

    def test_twoAtOnce(self) -> None:
        """
        Of two paths at once the newer one is taken, and the other dropped, in whatever
        order they come to the listener, and whether the link has another or not.
        """
        for isSuspended in (False, True):
            for first in (0, 1):
                self.make()
                self.couple.start()
                self.couple.findsPaths = False
                self.advance()
                if isSuspended:
                    self.hosts[0].reset()
                    self.advance()
                pairs = self.newPaths(), self.newPaths()
                answers = [self.addPath(0, pair[0]) for pair in pairs]
                self.advance()
                answers += [self.addPath(1, pairs[n][1]) for n in (first, 1 - first)]
                self.advance()
                taken = [self.successResultOf(each) for each in answers]
                # The listener moves to the older one if that comes first.
                assert taken == [False, True, True, not first]
                self.assertJoined(pairs[1])

    def assertJoined(self, paths: tuple[Path, Path]) -> None:
        """
        See that a link goes on by a path, and by that alone.
        """
        self.advance(5)
        assert (self.pathOf(0), self.pathOf(1)) == paths
        assert len(self.couple.network.openSockets()) == 2
        self.dialers.write(b"there")
        self.listeners.write(b"back")
        self.advance()
        assert (self.dialers.received, self.listeners.received) == (4, 5)

    def test_overtaken(self) -> None:
        """
        A link that got a path while it was looking at another goes by the newer.
        """
        self.couple.start()
        self.couple.findsPaths = False
        self.advance()
        one, two = self.newPaths(), self.newPaths()
        self.addPath(0, one[0])
        self.advance()
        self.addPath(1, one[1])
        self.advance(0.01)
        self.addPath(0, two[0])
        self.advance()
        self.addPath(1, two[1])
        self.advance()
        self.assertJoined(two)

    def test_deadCandidate(self) -> None:
        """
        A path that dies before it is attached, or never is, changes nothing.
        """
        self.couple.start()
        self.couple.findsPaths = False
        self.advance()
        current = self.pathOf(0), self.pathOf(1)
        dead, silent = self.newPaths(), self.newPaths()
        dead[1].abort()
        answers = [self.addPath(0, each[0]) for each in (dead, silent)]
        self.advance()
        assert self.successResultOf(answers[0]) is False
        self.waiting(answers[1])
        self.advance(20)
        assert self.successResultOf(answers[1]) is False
        assert (self.pathOf(0), self.pathOf(1)) == current
        assert self.couple.events == ([], [])

    def test_diesAttaching(self) -> None:
        """
        A path may die at any moment of its being attached, while the one before
        it lives or not.
        """
        for step in range(24):
            self.make()
            made = talkers(self.couple, Random(step), 200_000, 300_000)
            self.advance(0.2)
            joining = Deferred.fromCoroutine(self.couple.join())
            joining.addErrback(lambda failure: failure)
            if step % 2:
                self.couple.abort(0)
            self.advance(0.2 + 0.01 * (step // 2))
            self.hosts[step % 3 % 2].reset()
            with self.subTest(step=step):
                self.assertContent(made)
            joining.addErrback(lambda _: None)


class UpgradeTests(PathsTestCase):
    """
    From a relayed path to a direct one.
    """

    def setUp(self) -> None:
        """
        Link by a relay, or what passes for it.
        """
        self.make(kind=Kind.RELAYED)

    def test_upgrade(self) -> None:
        """
        Whenever a better way is found, the link moves to it without a loss; the
        old path is ended by the dialer, after all that was sent on it was
        acknowledged.
        """
        for seed in range(16):
            self.make(kind=Kind.RELAYED)
            made = talkers(self.couple, Random(seed), 400_000, 600_000)
            assert self.wants() == [Want.BETTER, Want.BETTER]
            assert self.dialers.getPeer().path == "relayed"
            old = self.couple.current(0)
            assert old is not None
            self.advance(seed * 0.02)
            assert self.couple.joined()
            assert self.wants() == [Want.NOTHING, Want.NOTHING]
            assert self.dialers.getPeer().path == "direct"
            self.advance(3)
            assert old.isOver
            with self.subTest(seed=seed):
                self.assertContent(made)
            for events in self.couple.events:
                assert events == [PathChanged("relayed", "direct", "better")]

    def test_acknowledgedFirst(self) -> None:
        """
        The old path lives until all has been taken that was sent on it.
        """
        dialer, listener = self.couple.start()
        listener.transport.pauseProducing()
        dialer.transport.write(b"old")
        self.advance()
        old = self.couple.current(0)
        assert old is not None
        assert self.couple.joined()
        self.advance(30)
        assert not old.isOver
        listener.transport.resumeProducing()
        self.advance()
        assert old.isOver
        assert listener.received == b"old"
        assert len(self.couple.network.openSockets()) == 2

    def test_newDies(self) -> None:
        """
        When the path that leads dies, so does the old one: else the other side
        might not notice.
        """
        for end in (0, 1):
            self.make(kind=Kind.RELAYED)
            self.couple.findsPaths = False
            dialer, listener = self.couple.start()
            listener.transport.pauseProducing()
            dialer.transport.write(b"old")
            self.advance()
            old = self.couple.current(end)
            assert old is not None
            assert self.couple.joined()
            self.couple.abort(end)
            self.advance(0.001)
            assert old.isOver
            self.advance()
            assert self.wants() == [Want.ANOTHER, Want.ANOTHER]
            assert self.couple.network.openSockets() == []
            self.couple.findsPaths = True
            assert self.couple.joined()
            listener.transport.resumeProducing()
            self.advance()
            assert listener.received == b"old"

    def test_bothWays(self) -> None:
        """
        The old path lives, too, until all has come that the other side sent on it.
        """
        dialer, listener = self.couple.start()
        old = self.couple.current(0)
        assert old is not None
        tls: Any = old.transport
        tls.transport.pauseProducing()
        listener.transport.write(b"old")
        self.couple.findsPaths = False
        assert self.couple.joined()
        self.advance()
        assert dialer.received == b"old"
        assert len(self.couple.network.openSockets()) <= 3

    def test_ongoing(self) -> None:
        """
        There is no gap: bytes come in at each moment of the change.
        """
        made = talkers(self.couple, Random(1), 800_000, 900_000, 2_000)
        self.advance()
        joining = Deferred.fromCoroutine(self.couple.join())
        for _ in range(20):
            before = [each.heard for each in made]
            self.advance(0.1)
            assert all(each.heard > was for each, was in zip(made, before, strict=True))
        assert self.successResultOf(joining)

    def test_skips(self) -> None:
        """
        What the old path brings meanwhile is not sent again on the new one, also if
        that took nothing when it was heard of.
        """
        dialer, listener = self.couple.start()
        old = self.couple.current(1)
        assert old is not None
        tls: Any = old.transport
        tls.transport.pauseProducing()
        dialer.transport.write(b"x" * 400_000)
        self.advance()
        paths = self.newPaths()
        self.addPath(0, paths[0])
        path = paths[0]
        path.pauseProducing()
        self.addPath(1, paths[1])
        self.advance()
        assert self.couple.current(0) is path
        sequencing = self.dialers._paths._sequencing
        assert sequencing.sendBuffer.cursor == len(listener.received) == 0
        tls.transport.resumeProducing()
        self.advance()
        assert sequencing.sendBuffer.cursor == 0
        taken = sequencing.sendBuffer.acknowledged
        assert taken == len(listener.received) > 16 << 10
        with mock.patch.object(path, "sendData", wraps=path.sendData) as sendData:
            path.resumeProducing()
            self.advance()
        sent = [len(piece) for call in sendData.mock_calls for piece in call.args]
        assert sum(sent) == 400_000 - taken
        dialer.transport.loseWriteConnection()
        listener.transport.loseWriteConnection()
        self.assertClean()
        assert listener.received == b"x" * 400_000

    def test_oldDies(self) -> None:
        """
        What the old path had not brought yet when it died comes by the new one.
        """
        for step in range(12):
            self.make(kind=Kind.RELAYED)
            made = talkers(self.couple, Random(step), 400_000, 600_000)
            self.advance(0.2)
            old = self.couple.current(step % 2)
            assert old is not None
            Deferred.fromCoroutine(self.couple.join())
            self.advance(0.25 + step * 0.01)
            old.abort()
            with self.subTest(step=step):
                self.assertContent(made)

    def test_worse(self) -> None:
        """
        A link whose direct path died goes on by a relay, and says so.
        """
        self.make()
        self.couple.findsPaths = False
        self.couple.start()
        self.advance()
        self.hosts[0].reset()
        self.advance()
        assert self.couple.joined(Kind.RELAYED)
        resumed = self.couple.events[0][-1]
        assert isinstance(resumed, Resumed)
        assert (resumed.path, resumed.kind) == ("relayed", Kind.RELAYED.value)
        assert self.wants()[0] is Want.BETTER


class EndTests(PathsTestCase):
    """
    How durable links end.
    """

    def cleanEnd(self) -> list[Recorder]:
        """
        Both sides are about to end.
        """
        protocols = self.couple.start(Recorder)
        self.advance()
        for each in protocols:
            each.transport.write(b"last")
        protocols[0].transport.loseConnection()
        return protocols

    def test_brokenAtTheEnd(self) -> None:
        """
        At whatever step of a clean end the path breaks, or falls silent for a while,
        the end is a clean one for both.
        """
        for step in range(90):
            self.make()
            protocols = self.cleanEnd()
            if step < 60:
                self.advance(step * 0.005)
                breaks = self.couple.breaks()
                breaks[step % len(breaks)]()
            else:
                self.advance((step - 60) * 0.01)
                self.couple.cut(3.0)
            with self.subTest(step=step):
                self.assertClean()
                for each in protocols:
                    assert each.reason is not None
                    assert each.reason.check(ConnectionDone)
                assert protocols[1].received == b"last"

    def test_neverAgain(self) -> None:
        """
        If there is never another path, a side that is complete ends cleanly, after a
        while, and the other one by an error; but neither of them too early.
        """
        found = set()
        for step in range(0, 40, 2):
            self.make()
            self.cleanEnd()
            self.advance(step * 0.01)
            for each in self.hosts:
                each.cut()
            self.advance(FAREWELL + COURTESY + 10.0)
            ends = self.couple.ends()
            self.advance(620)
            found.add(tuple(type(each) for each in self.couple.ends()))
            for end in (0, 1):
                if self.couple.ends()[end] is None:
                    assert ends[end] is None
                else:
                    assert ends[end] is ...
            self.couple.findsPaths = False
            self.advance(10)
            assert self.couple.isQuiet()
        none, expired = type(None), ResumeExpired
        assert found >= {(expired, expired), (none, none)}
        assert found & {(none, expired), (expired, none)}

    def test_upgradedAtTheEnd(self) -> None:
        """
        A better path may come at whatever step of a clean end.
        """
        for step in range(30):
            self.make(kind=Kind.RELAYED)
            self.cleanEnd()
            Deferred.fromCoroutine(self.couple.join()).addErrback(lambda _: None)
            self.advance(0.3)
            self.listeners.loseConnection()
            with self.subTest(step=step):
                self.assertClean()

    def test_joinedAtTheEnd(self) -> None:
        """
        A better path may be attached at whatever step; the end does not take longer.
        """
        for step in range(50):
            self.make(kind=Kind.RELAYED)
            self.couple.start(Recorder)
            paths = self.newPaths()
            self.dialers.loseConnection()
            if step % 2:
                self.listeners.loseConnection()
            self.advance(step // 2 * 0.007)
            self.addPath(0, paths[0])
            attached = paths[1].whenAttached()
            attached.addCallback(lambda path: self.addPath(1, path))
            attached.addErrback(lambda _: None)
            with self.subTest(step=step):
                self.advance(FAREWELL)
                assert self.couple.ends() == [None, None]
                self.assertClean()

    def test_expired(self) -> None:
        """
        A link that finds no path in time ends by an error that says so, on both
        sides; not before.
        """
        protocols = self.couple.start(Recorder)
        self.couple.findsPaths = False
        self.advance()
        self.hosts[0].reset()
        self.advance(599)
        assert self.couple.ends() == [..., ...]
        assert self.wants()[0] is Want.ANOTHER
        self.advance(2)
        assert self.wants()[0] is Want.NOTHING
        self.assertKinds(ResumeExpired, ResumeExpired)
        for each in protocols:
            assert each.reason is not None
            assert each.reason.check(ConnectionLost)
            assert "600 s" in str(each.reason.value)

    def test_notExpired(self) -> None:
        """
        Each suspension may take as long.
        """
        self.make(resumeFor=5.0)
        self.couple.start()
        self.advance()
        for _ in range(4):
            self.couple.findsPaths = False
            self.hosts[0].reset()
            self.advance(4)
            self.couple.findsPaths = True
            assert self.couple.joined()
            self.advance(3)
        assert self.couple.ends() == [..., ...]

    def test_refusedComplete(self) -> None:
        """
        To one that is complete that is no error: the peer had ended.
        """
        self.couple.start()
        self.advance()
        self.dialers.loseConnection()
        self.listeners.loseConnection()
        network = self.couple.network
        assert network.runUntil(lambda: self.dialers.want is Want.NOTHING, 5)
        while not self.dialers._paths._sequencing.isComplete:
            self.advance(0.005)
        self.couple.findsPaths = False
        self.hosts[0].reset()
        self.advance(0.001)
        if self.dialers.connected:
            assert self.wants()[0] is Want.ANOTHER
            self.dialers.refused(UnknownLink())
        self.listeners.refused(UnknownLink())
        assert self.couple.ends()[0] is None

    def test_abortedWhileAdopting(self) -> None:
        """
        The peer hears of an abort at whatever step of an upgrade, or of a return.
        """
        for step in range(40):
            self.make()
            self.couple.start(Recorder)
            self.couple.findsPaths = False
            paths = self.newPaths()
            if step % 2:
                self.couple.abort(0)
                self.advance()
            self.addPath(0, paths[0])
            attached = paths[1].whenAttached()
            attached.addCallback(lambda path: self.addPath(1, path))
            attached.addErrback(lambda _: None)
            self.advance(step // 2 * 0.007)
            if step % 2 and self.couple.current(1) is None:
                continue  # There is no way to tell it.
            self.dialers.abortConnection()
            with self.subTest(step=step):
                self.advance(0.5)
                self.assertKinds(Aborted, PathLost)

    def test_abortedSuspended(self) -> None:
        """
        A side that aborts without a path can't tell the peer, which waits for another.
        """
        self.couple.start()
        self.couple.findsPaths = False
        self.advance()
        self.hosts[0].reset()
        self.advance()
        self.dialers.abortConnection()
        self.advance(500)
        ends = self.couple.ends()
        assert isinstance(ends[0], Aborted)
        assert ends[1] is ...
        self.advance(100)
        self.assertKinds(Aborted, ResumeExpired)

    def test_leftSuspended(self) -> None:
        """
        A side that loses the connection without a path still sends what was written,
        when there is one; however long that takes.
        """
        for seconds in (1.0, 20.0, 3 * LINGER):
            self.make()
            dialer, listener = self.couple.start(Recorder)
            self.couple.findsPaths = False
            self.advance()
            self.hosts[0].reset()
            self.advance()
            dialer.transport.write(b"last words")
            dialer.transport.loseConnection()
            self.advance(seconds)
            assert dialer.isOpen
            assert self.couple.joined()
            self.assertClean()
            assert listener.received == b"last words"

    def test_adoptedLate(self) -> None:
        """
        A link that has ended takes no path any more, and ends what it is given.
        """
        self.couple.start()
        self.advance()
        paths = self.newPaths()
        self.dialers.loseConnection()
        self.listeners.loseConnection()
        self.couple.finish()
        for end in (0, 1):
            assert self.successResultOf(self.addPath(end, paths[end])) is False
        self.advance()
        assert self.couple.isQuiet()

    def test_endsWhileAdopting(self) -> None:
        """
        A link that ends while a path is being attached ends that path, too.
        """
        self.couple.start()
        self.advance()
        paths = self.newPaths()
        added = self.addPath(0, paths[0])
        self.advance(0.01)
        self.dialers.abortConnection()
        assert self.successResultOf(added) is False
        paths[1].whenAttached().addErrback(lambda _: None)
        paths[1].abort()
        self.advance()
        self.assertKinds(Aborted, PathLost)


class ViolationTests(PathsTestCase):
    """
    Peers that don't keep to the rules, and strangers.
    """

    def forged(self, end: int, path: Path) -> bytes:
        """
        An ATTACH that comes too late, or from somebody who does not know the secret.
        """
        secret = bytes(32) if end else self.dialers.secret
        binding = path.binding if end else bytes(32)
        return Attach(self.dialers.id, 2, 0).toBytes(secret, binding)

    def assertPathAlone(self, end: int, spoil: Callable[[Path], object]) -> None:
        """
        See that what is wrong on a path that one end is given ends that path alone,
        whether the link has another at the time or not.

        @param spoil: called with the path's other end.
        """
        for isSuspended in (False, True):
            self.make()
            dialer, listener = self.couple.start()
            self.couple.findsPaths = False
            self.advance()
            if isSuspended:
                self.hosts[0].reset()
                self.advance()
            paths = self.newPaths()
            if end == 0:
                added = self.addPath(0, paths[0])
                spoil(paths[1])
                self.advance()
            else:
                spoil(paths[0])
                self.advance()
                added = self.addPath(1, paths[1])
            assert self.successResultOf(added) is False
            assert self.couple.ends() == [..., ...]
            self.advance(3)
            assert self.couple.joined()
            dialer.transport.write(b"on")
            self.advance()
            assert listener.received == b"on"

    def test_fromDialer(self) -> None:
        """
        An ATTACH that is forged, or comes too late, ends its path alone.
        """
        for kind in (0, 1):
            self.assertPathAlone(
                1,
                lambda path, kind=kind: path.send(Type.ATTACH, self.forged(kind, path)),  # type: ignore[misc]
            )

    def test_fromListener(self) -> None:
        """
        A wrong answer of the listener's ends its path alone, too.
        """
        for answer in (
            encode(Type.ATTACHED, bytes(60)),
            encode(Type.ATTACHED),
            encode(Type.ACK, bytes(8)),
            encodeHeader(Type.DATA, 1) + b"x",
            b"\xff" * 5,
        ):
            self.assertPathAlone(
                0,
                lambda path, answer=answer: path.transport.write(answer),  # type: ignore[misc]
            )

    def test_replayed(self) -> None:
        """
        An ATTACH is good for its own path: to say it again on another is a
        violation there.
        """
        self.couple.start()
        self.couple.findsPaths = False
        self.advance()
        one, two = self.newPaths(), self.newPaths()
        generation, payload = self.dialers._paths._sequencing.attach(one[0].binding)
        assert generation == 2
        two[0].send(Type.ATTACH, payload)
        self.advance()
        assert self.successResultOf(self.addPath(1, two[1])) is False
        one[0].send(Type.ATTACH, payload)
        self.advance()
        assert self.successResultOf(self.addPath(1, one[1])) is True

    def test_onOlder(self) -> None:
        """
        On an older path it ends that alone.
        """
        _, listener = self.couple.start()
        listener.transport.pauseProducing()
        self.dialers.write(b"one")
        self.advance()
        old = self.pathOf(0)
        assert self.couple.joined()
        old.transport.write(b"\xff" * 5)
        self.advance(3)
        assert self.couple.ends() == [..., ...]
        assert len(self.couple.network.openSockets()) == 2
        listener.transport.resumeProducing()
        self.advance()
        assert listener.received == b"one"


@implementer(IPullProducer)
class _Puller:
    """
    Writes 1,000 bytes when it is asked.
    """

    def __init__(self, consumer: Any, count: int) -> None:
        self.consumer = consumer
        self.count = count
        consumer.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """
        Write once, and finish after the last time.
        """
        self.consumer.write(bytes(1000))
        self.count -= 1
        if not self.count:
            self.consumer.unregisterProducer()
            self.consumer.loseConnection()

    def stopProducing(self) -> None:
        """
        Write no more.
        """
        self.count = 0


class _Meter(Recorder):
    """
    Counts the bytes that it receives.
    """

    def __init__(self) -> None:
        Recorder.__init__(self)
        self.count = 0

    def dataReceived(self, data: bytes) -> None:
        """
        Count the bytes.
        """
        self.count += len(data)


class _Echo(_Meter):
    """
    Sends back what it receives, and reads no more while it may not write.
    """

    def __init__(self) -> None:
        _Meter.__init__(self)
        self.pauses = 0

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """
        Send the bytes back.
        """
        _Meter.dataReceived(self, data)
        self.transport.write(data)

    def pauseProducing(self) -> None:
        """
        Read no more.
        """
        self.pauses += 1
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Read on.
        """
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        There is nothing to stop.
        """


implementer(IPushProducer)(_Echo)


class FlowTests(PathsTestCase):
    """
    What is kept, and which producers are paused.
    """

    def test_pull(self) -> None:
        """
        A pull producer is asked for more over several paths.
        """
        self.dialers.start(Recorder())
        self.listeners.start(listener := _Meter())
        _Puller(self.dialers, 3000)
        for _ in range(4):
            self.advance(0.3)
            self.hosts[0].reset()
        self.assertClean()
        assert listener.count == 3_000_000

    def test_push(self) -> None:
        """
        A push producer is paused while too much is kept, and goes on afterwards.
        """
        self.dialers.start(Recorder())
        self.listeners.start(listener := _Meter())
        pusher = Pusher(self.couple.clock, self.dialers)
        for _ in range(2):
            self.advance(0.5)
            self.couple.findsPaths = False
            self.hosts[0].reset()
            self.advance(5)
            assert pusher.isPaused
            assert pusher.written - listener.count < BOUND + 2000
            self.couple.findsPaths = True
            self.couple.wantChanged()
            self.advance(3)
            assert not pusher.isStopped
        pusher.finish()
        self.dialers.loseConnection()
        self.assertClean()
        assert listener.count == pusher.written

    def test_pushedAtOnce(self) -> None:
        """
        What is written at once is kept, however much it is.
        """
        _, listener = self.couple.start(Recorder)
        self.couple.findsPaths = False
        self.hosts[0].reset()
        self.advance()
        text = Random(1).randbytes(2 * BOUND)
        self.dialers.write(text)
        self.advance()
        self.dialers.loseConnection()
        self.couple.findsPaths = True
        self.couple.wantChanged()
        self.couple.finish(60)
        assert listener.received == text

    def test_paused(self) -> None:
        """
        A reader that pauses for the whole life of some paths misses nothing, and
        gets nothing twice.
        """
        dialer, listener = self.couple.start(Recorder)
        listener.transport.pauseProducing()
        text = Random(1).randbytes(1_000_000)
        dialer.transport.write(text[:500_000])
        for _ in range(3):
            self.advance(1.5)
            self.hosts[0].reset()
        self.advance(3)
        dialer.transport.write(text[500_000:])
        dialer.transport.loseConnection()
        self.advance(3)
        assert listener.received == b""
        listener.transport.resumeProducing()
        self.assertClean()
        assert listener.received == text

    def test_pausedAtTheEnd(self) -> None:
        """
        A reader that has paused before the last bytes ends when it has received them,
        on whatever path.
        """
        dialer, listener = self.couple.start(Recorder)
        listener.transport.pauseProducing()
        dialer.transport.write(b"last")
        dialer.transport.loseConnection()
        self.advance()
        self.hosts[0].reset()
        self.advance(3)
        listener.transport.resumeProducing()
        self.assertClean()
        assert listener.received == b"last"

    def test_echo(self) -> None:
        """
        Two sides that send back what they receive, and stop reading while they can't
        write, do not wait for each other for ever.
        """
        echoes = [_Echo(), _Echo()]
        for link, echo in zip(self.couple.links, echoes, strict=True):
            link.start(echo)
        for link in self.couple.links:
            link.write(bytes(1_500_000))
        self.advance(3)
        for _ in range(3):
            before = [each.count for each in echoes]
            self.advance(2)
            for echo, was in zip(echoes, before, strict=True):
                assert echo.count > was + 1_000_000
        assert any(each.pauses for each in echoes)

    def test_brokenEcho(self) -> None:
        """
        The same two do not wait for each other over several paths.
        """
        echoes = [_Echo(), _Echo()]
        for link, echo in zip(self.couple.links, echoes, strict=True):
            link.start(echo)
        self.dialers.write(bytes(1_000_000))
        for _ in range(4):
            self.hosts[0].reset()
            self.advance(2.5)
            before = [each.count for each in echoes]
            self.advance()
            for echo, was in zip(echoes, before, strict=True):
                assert echo.count > was
        self.couple.findsPaths = False
        self.hosts[0].reset()
        self.advance()

"""
What a link promises, over paths of every kind.
"""

from __future__ import annotations

from random import Random

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from punch.errors import Aborted, PathLost, PathSilent
from punch.events import Closed
from tests.support.whole.program import HalfClosingTalker, Program
from tests.support.whole.world import World, pair


@implementer(IPushProducer)
class Source:
    """
    Talks as much as it may.

    @ivar said: how many bytes.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self.isPaused = True
        self.said = 0

    def resumeProducing(self) -> None:
        """
        Talk, now and again until told otherwise.
        """
        self.isPaused = False
        self._talk()

    def _talk(self) -> None:
        if not self.isPaused:
            self.said += 10_000
            self._program.link.write(bytes(10_000))
            self._program.network.clock.callLater(0.01, self._talk)

    def pauseProducing(self) -> None:
        """
        Wait.
        """
        self.isPaused = True

    def stopProducing(self) -> None:
        """
        Be silent.
        """
        self.isPaused = True


ROUGH: dict[str, dict[str, float]] = {
    "smooth": {"latency": 0.02},
    "lossy": {"latency": 0.02, "loss": 0.1},
    "far": {"latency": 0.8},
    "jittery": {"latency": 0.02, "jitter": 0.3},
    "doubling": {"latency": 0.02, "duplicates": 0.5},
    "all": {"latency": 0.2, "loss": 0.05, "jitter": 0.1, "duplicates": 0.3},
}


def linked(**link: float) -> World:
    """
    Two who are linked over such a path, without NATs.
    """
    world = World(seed=7)
    world.cast(world.nested([], link), world.nested([], link))
    world.meet()
    assert world.listener.links, world
    assert world.dialer.links, world
    return world


def end(program: Program) -> str:
    """
    The last that its user was told.
    """
    return program.told(Closed)[-1].reason


def causeOf(program: Program) -> BaseException | None:
    """
    Why its link ended early.
    """
    reason = program.talker.reason
    assert reason is not None
    assert reason.value is not None
    return reason.value.__cause__


@pytest.mark.parametrize("path", ROUGH)
def test_bytes(path: str) -> None:
    """
    All bytes arrive, in order, both ways at once, and the end is clean on both sides.
    """
    world = linked(**ROUGH[path])
    random = Random(path)
    said = {}
    for program in (world.listener, world.dialer):
        pieces = [
            random.randbytes(random.choice([1, 100, 70_000, 200_000])) for _ in range(6)
        ]
        said[program] = program.talker.greeting + b"".join(pieces)
        for number, piece in enumerate(pieces):
            world.clock.callLater(number * 0.1, program.link.write, piece)
    world.run(1.0)
    world.dialer.link.loseWriteConnection()
    assert world.until(
        lambda: (
            world.listener.talker.received == said[world.dialer]
            and world.dialer.talker.received == said[world.listener]
        ),
        600.0,
    )
    world.listener.link.loseConnection()
    assert world.until(
        lambda: world.listener.talker.reason and world.dialer.talker.reason, 60.0
    )
    for program in world.programs:
        assert program.talker.reason is not None
        assert program.talker.reason.check(ConnectionDone)
        assert end(program) == "done"
    world.end()


@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_abort(side: str) -> None:
    """
    To abort is heard as an error by both.
    """
    world = pair().meet()
    who, other = world.listener, world.dialer
    if side == "dialer":
        who, other = other, who
    who.link.abortConnection()
    assert world.until(lambda: who.talker.reason and other.talker.reason, 1.0)
    assert who.talker.reason is not None
    assert other.talker.reason is not None
    assert who.talker.reason.check(ConnectionAborted)
    assert isinstance(causeOf(who), Aborted)
    assert other.talker.reason.check(ConnectionLost)
    assert isinstance(causeOf(other), PathLost)
    assert (end(who), end(other)) == ("aborted", "path-lost")
    world.end()


@pytest.mark.parametrize("side", ["listener", "dialer"])
@pytest.mark.parametrize("after", [0.0, 13.0, 39.9])
def test_cut(side: str, after: float) -> None:
    """
    If the path is cut, both hear it within 60 seconds, as an error.
    """
    world = pair().meet()
    world.run(after)
    who = world.listener if side == "listener" else world.dialer
    who.host.cut()
    world.run(60.0)
    for program in world.programs:
        assert program.talker.reason is not None, world
        assert program.talker.reason.check(ConnectionLost)
        assert isinstance(causeOf(program), PathSilent)
        assert end(program) == "path-silent"
    world.end()


def test_quiet() -> None:
    """
    A link on which nobody says anything lives on, whatever NATs forget.
    """
    world = pair().meet()
    world.run(3600.0)
    world.dialer.link.write(b" Hello?")
    world.run(1.0)
    assert world.listener.talker.received == b"I dial. Hello?"
    world.end()


def test_reset() -> None:
    """
    If the path is reset, both hear it at once, as an error.
    """
    world = pair().meet()
    world.dialer.host.reset()
    world.run(1.0)
    assert (end(world.dialer), end(world.listener)) == ("path-lost", "path-lost")
    world.end()


@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_halfClose(side: str) -> None:
    """
    One side finishes, the other still talks; each hears the other's end.
    """
    world = pair()
    for program in world.programs:
        program.talker = HalfClosingTalker(world.network, program.talker.greeting)
    world.meet()
    world.run(1.0)
    who, other = world.listener, world.dialer
    if side == "dialer":
        who, other = other, who
    who.link.loseWriteConnection()
    world.run(100.0)
    assert isinstance(who.talker, HalfClosingTalker)
    assert isinstance(other.talker, HalfClosingTalker)
    assert (who.talker.ended, other.talker.ended) == (["write"], ["read"])
    other.link.write(b" And more.")
    world.run(1.0)
    assert who.talker.received == other.talker.greeting + b" And more."
    other.link.loseWriteConnection()
    world.run(1.0)
    assert who.talker.ended == ["write", "read"]
    assert (end(who), end(other)) == ("done", "done")
    world.end()


def test_bothClose() -> None:
    """
    If both finish at once, the end is clean.
    """
    world = pair().meet()
    world.run(1.0)
    for program in world.programs:
        program.link.loseConnection()
    world.run(1.0)
    assert [end(program) for program in world.programs] == ["done", "done"]
    world.end()


def test_slowReader() -> None:
    """
    A reader that pauses holds up the writer's producer within a bound, and loses
    nothing.
    """
    world = pair().meet()
    world.run(1.0)
    world.listener.link.pauseProducing()
    producer = Source(world.dialer)
    world.dialer.link.registerProducer(producer, streaming=True)
    producer.resumeProducing()
    world.run(300.0)
    assert producer.isPaused
    assert producer.said < 5 << 20
    assert world.listener.talker.received == b"I dial."
    world.listener.link.resumeProducing()
    world.run(5.0)
    assert producer.said > 5 << 20
    producer.stopProducing()
    world.dialer.link.unregisterProducer()
    world.run(5.0)
    assert len(world.listener.talker.received) == len(b"I dial.") + producer.said
    world.end()

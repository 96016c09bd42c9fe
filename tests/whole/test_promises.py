"""
What a link promises, over paths of every kind.
"""

from __future__ import annotations

from random import Random

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionLost

from punch.errors import Aborted, PathLost, PathSilent
from punch.events import Closed
from tests.support.programs import Pusher
from tests.support.whole.program import HalfClosingTalker, Program
from tests.support.whole.world import World, pair

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
    Two programs that are linked over such a path, without NATs.
    """
    world = World(seed=7)
    world.cast(world.nested([], link), world.nested([], link))
    world.meet()
    assert world.listener.links, world
    assert world.dialer.links, world
    return world


def end(program: Program) -> str:
    """
    The reason of the last C{Closed} that its user was told.
    """
    return program.told(Closed)[-1].reason


def checkLost(program: Program, kind: type[Exception], cause: type[Exception]) -> None:
    """
    The protocol on its link has heard an error of one kind, with such a cause.
    """
    reason = program.talker.reason
    assert reason is not None, program
    assert reason.check(kind)
    assert isinstance(getattr(reason.value, "__cause__", None), cause)


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
        assert program.talker.isClean
        assert end(program) == "done"
    world.end()


@pytest.mark.parametrize("side", ["listener", "dialer"])
def test_abort(side: str) -> None:
    """
    If one side aborts, both hear an error.
    """
    world = pair().meet()
    who, other = world.sides(side)
    who.link.abortConnection()
    assert world.until(lambda: who.talker.reason and other.talker.reason, 1.0)
    checkLost(who, ConnectionAborted, Aborted)
    checkLost(other, ConnectionLost, PathLost)
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
    who, _ = world.sides(side)
    who.host.cut()
    world.run(60.0)
    for program in world.programs:
        checkLost(program, ConnectionLost, PathSilent)
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
    who, other = world.sides(side)
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
    pusher = Pusher(world.clock, world.dialer.link, times=10, pause=0.01)
    world.run(300.0)
    assert pusher.isPaused
    assert pusher.written < 5 << 20
    assert world.listener.talker.received == b"I dial."
    world.listener.link.resumeProducing()
    world.run(5.0)
    assert pusher.written > 5 << 20
    pusher.finish()
    world.run(5.0)
    assert len(world.listener.talker.received) == len(b"I dial.") + pusher.written
    world.end()

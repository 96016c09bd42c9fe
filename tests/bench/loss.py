"""
What lost segments cost a dial, and what a second shared port saves:
C{python -m tests.bench.loss}.

Whole peers in memory, whose kernels resend as Linux does, between NATs that drop what
they don't know.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from random import Random
from statistics import mean
from unittest.mock import patch

from punch.events import Introduced
from punch.peer import hedgedport
from tests.support.whole.world import World, pair

LOSSES = (0.01, 0.02, 0.05)
"""
Of what passes each peer's leg, each way.
"""

NEVER = 1e6
_PATIENCE = 60.0


def lose(world: World, loss: float) -> None:
    """
    From now on so much is lost.
    """
    for each in world.programs:
        nat = world.nats[each.host]
        assert nat is not None
        nat.loss = loss


def linked(world: World) -> float:
    """
    When the dialer has its link.
    """
    assert world.until(lambda: world.dialer.ended, 2 * _PATIENCE)
    assert world.dialer.links, world
    assert world.dialer.endedAt is not None
    for each in world.programs:
        each.end()
    world.rendezvous.stop()
    return world.dialer.endedAt


def waiting(seed: int) -> World:
    """
    A listener that waits, and a dialer that does not dial yet.
    """
    world = pair(seed=seed)
    world.waits(timeout=_PATIENCE)
    return world


def dial(loss: float, seed: int) -> float:
    """
    Seconds of a dial that loses segments from the first one on.
    """
    world = waiting(seed)
    lose(world, loss)
    started = world.clock.seconds()
    world.dial(timeout=_PATIENCE)
    return linked(world) - started


def dialByOnePort(loss: float, seed: int) -> float:
    """
    The same without a second port.
    """
    with patch.object(hedgedport, "HEAD_START", NEVER):
        return dial(loss, seed)


def race(loss: float, seed: int) -> float:
    """
    Seconds from the introduction to the link, if nothing is lost before.
    """
    world = waiting(seed)
    world.dial(timeout=_PATIENCE)
    both = (world.listener, world.dialer)
    assert world.until(lambda: all(each.told(Introduced) for each in both))
    lose(world, loss)
    started = world.clock.seconds()
    return linked(world) - started


def atBest(races: Sequence[float], random: Random) -> list[float]:
    """
    The earlier of a race and of another, from ports of its own, that begins after the
    head start: no second port in the race could do better.
    """
    return [min(each, hedgedport.HEAD_START + random.choice(races)) for each in races]


def line(name: str, loss: float, seconds: Sequence[float]) -> str:
    """
    A row of the table.
    """
    ranked = sorted(seconds)
    marks = [ranked[int(len(ranked) * part)] for part in (0.5, 0.95, 0.99)]
    figures = "  ".join(f"{1000 * each:5.0f}" for each in [mean(ranked), *marks])
    return f"{100 * loss:3.0f} %  {name:32}  {figures}"


def main(dials: int, tell: Callable[[str], object] = print) -> None:
    """
    Measure, and print the table.
    """
    tell(f"{'loss':5}  {'ms':32}  {'mean':>5}  {'50th':>5}  {'95th':>5}  {'99th':>5}")
    for loss in LOSSES:
        seeds = range(dials)
        tell(line("dial, one port", loss, [dialByOnePort(loss, n) for n in seeds]))
        tell(line("dial, second port", loss, [dial(loss, n) for n in seeds]))
        races = [race(loss, n) for n in seeds]
        tell(line("race alone", loss, races))
        tell(line("race, second port at best", loss, atBest(races, Random(1))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.loss")
    parser.add_argument("--dials", type=int, default=400, metavar="N")
    main(parser.parse_args().dials)

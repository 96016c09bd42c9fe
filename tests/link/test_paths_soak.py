"""
Durable links over paths that break again and again, each run of its own seed.

C{PUNCH_SOAK=20000} runs a tenth as many, C{PUNCH_SEED=n} the one of a seed.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from random import Random

import pytest
from twisted.logger import LogLevel

from punch.ice.candidate import Kind
from tests.support.doubles import watching
from tests.support.durable import Couple, Talker, talkers

SAMPLE = 50

RUNS = int(os.environ.get("PUNCH_SOAK", 10 * SAMPLE)) // 10
FIRST = int(os.environ.get("PUNCH_SEED", 0))
SEEDS = range(FIRST, FIRST + (1 if "PUNCH_SEED" in os.environ else RUNS))

LENGTH = 30.0


class Faults:
    """
    What happens to a link's paths for a while.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        kind = self.random.choice((Kind.HOST, Kind.RELAYED))
        self.couple = Couple(kind, segmentSize=self.random.choice((1000, 16384)))
        for host in self.couple.pair.hosts:
            host.latency = self.random.choice((0.001, 0.02, 0.1))
            host.jitter = self.random.choice((0.0, 0.02))
        self.made: list[Talker] = talkers(
            self.couple, self.random, 0, 1_500_000, self.random.choice((500, 20_000))
        )
        self.log: list[str] = []

    def run(self) -> None:
        """
        Have it break all the time, then leave it in peace until it has ended.
        """
        clock = self.couple.clock
        end = clock.seconds() + LENGTH
        while clock.seconds() < end and ... in self.couple.ends():
            self.couple.run(self.random.uniform(0.1, 3.0))
            happening = self.random.choice(self.happenings)
            self.log.append(f"{clock.seconds():.3f} {happening.__name__}")
            happening()
            assert all(each.isPrefix for each in self.made)
        self.couple.finish(120)

    @property
    def happenings(self) -> list[Callable[[], object]]:
        """
        What may happen.
        """
        return [self.breaks, self.breaks, self.cut, self.another, self.pause]

    def breaks(self) -> None:
        """
        The path breaks.
        """
        self.random.choice(self.couple.breaks())()

    def cut(self) -> None:
        """
        Nothing passes; never for so long that a link which is complete gives up.
        """
        self.couple.cut(self.random.choice((0.05, 1.0, 4.0)))

    def another(self) -> None:
        """
        Another path is found, perhaps in vain.
        """
        self.couple.another(self.random.choice((Kind.HOST, Kind.RELAYED)))

    def pause(self) -> None:
        """
        A reader rests.
        """
        link = self.random.choice(self.couple.links)
        link.pauseProducing()
        self.couple.clock.callLater(self.random.uniform(0, 3), link.resumeProducing)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_weather(seed: int) -> None:
    """
    Whatever happens to its paths, a link delivers each byte once and in order, all
    of them before its clean end; it leaves nothing, and nothing is logged.
    """
    with watching() as log:
        faults = Faults(seed)
        try:
            faults.run()
            assert faults.couple.ends() == [None, None]
            assert all(each.hasHeardAll for each in faults.made)
            assert faults.couple.isQuiet()
        except AssertionError as wrong:
            raise AssertionError(f"PUNCH_SEED={seed}: {wrong} {faults.log}") from wrong
        del faults
        gc.collect()
    assert LogLevel.critical not in log.levels, log.sentences

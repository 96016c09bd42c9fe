"""
The soak: whole meetings, each drawn from a seed, and what must hold of any.

C{PUNCH_SOAK=20000} runs that many, C{PUNCH_SEED=n} the one of a seed.
"""

from __future__ import annotations

import gc
import os

import pytest
from twisted.logger import LogEvent, eventAsText

from punch.net.identity import Identity
from tests.support.whole.identities import nextIdentity
from tests.support.whole.scenario import draw
from tests.support.whole.soakrun import SoakRun

SAMPLE = 150
CHUNK = 50

RUNS = int(os.environ.get("PUNCH_SOAK", SAMPLE))
FIRST = int(os.environ.get("PUNCH_SEED", 0))
SEEDS = range(FIRST, FIRST + (1 if "PUNCH_SEED" in os.environ else RUNS))


def run(seed: int, logged: list[LogEvent]) -> None:
    """
    One run, and that no error was left to be logged.
    """
    scenario = draw(seed)
    course = SoakRun(scenario)
    try:
        course.run()
    except AssertionError as wrong:
        raise AssertionError(
            f"PUNCH_SEED={seed}: {wrong}\n{scenario}\n{course.world}"
        ) from wrong
    del course
    gc.collect()
    if logged:
        raise AssertionError(f"PUNCH_SEED={seed}: {eventAsText(logged[0])}")


@pytest.mark.soak
@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_soak(
    first: int, monkeypatch: pytest.MonkeyPatch, loggedErrors: list[LogEvent]
) -> None:
    """
    Whatever the network and the two do: at most one link, the same for both, on
    which all that was said is heard and nothing else; where there is a way they
    meet, and where there is none both hear why; and nothing is left.
    """
    monkeypatch.setattr(Identity, "make", nextIdentity)
    for seed in SEEDS[first - FIRST : first - FIRST + CHUNK]:
        run(seed, loggedErrors)

"""
The soak: whole meetings, each drawn from a seed, and what must hold of any.
"""

from __future__ import annotations

import gc

import pytest
from twisted.logger import LogEvent, eventAsText

from tests.support.whole.scenario import draw
from tests.support.whole.seeds import eachChunk
from tests.support.whole.soakrun import SoakRun


def run(seed: int, logged: list[LogEvent]) -> None:
    """
    One run, and that no error was left to be logged.
    """
    scenario = draw(seed)
    soakRun = SoakRun(scenario)
    try:
        soakRun.run()
    except AssertionError as wrong:
        raise AssertionError(
            f"PUNCH_SEED={seed}: {wrong}\n{scenario}\n{soakRun.world}"
        ) from wrong
    del soakRun
    gc.collect()
    if logged:
        raise AssertionError(f"PUNCH_SEED={seed}: {eventAsText(logged[0])}")


@pytest.mark.soak
@pytest.mark.timeout(120)
@eachChunk(sample=150, size=50)
@pytest.mark.usefixtures("fixedIdentities")
def test_soak(seeds: range, loggedErrors: list[LogEvent]) -> None:
    """
    Whatever the network and the two do: at most one link, the same for both, on
    which all that was said is heard and nothing else; where there is a way they
    meet, and where there is none both hear why; and nothing is left.
    """
    for seed in seeds:
        run(seed, loggedErrors)

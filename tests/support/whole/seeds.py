"""
The seeds of the runs drawn at random: C{PUNCH_SOAK=20000} makes that many runs,
C{PUNCH_SEED=n} the run of one seed.
"""

from __future__ import annotations

import os

import pytest

from punch.net.identity import Identity

from .identities import nextIdentity


def eachChunk(sample: int, size: int) -> pytest.MarkDecorator:
    """
    Have a test called with C{seeds}, a range of them at a time.

    @param sample: how many runs there are if the environment does not say.
    @param size: how many seeds a range has.
    """
    if "PUNCH_SEED" in os.environ:
        first, runs = int(os.environ["PUNCH_SEED"]), 1
    else:
        first, runs = 0, int(os.environ.get("PUNCH_SOAK", sample))
    seeds = range(first, first + runs)
    chunks = [seeds[start : start + size] for start in range(0, runs, size)]
    return pytest.mark.parametrize("seeds", chunks, ids=lambda each: str(each.start))


@pytest.fixture
def fixedIdentities(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let the runs of one seed be alike.
    """
    monkeypatch.setattr(Identity, "make", nextIdentity)

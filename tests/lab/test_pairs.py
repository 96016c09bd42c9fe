"""
C{twist punch} through every pair of NATs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .eventfile import EventFile
from .mixture import Pair
from .nats import DROP, PAIRS
from .run import dial
from .topology import Laboratory
from .trial import Result, Terms, run

pytestmark = [pytest.mark.lab, pytest.mark.timeout(90)]


NEVER = ("--relay", "never")

HARD = (
    ("home-seq", "drop"),
    ("reset", "home-seq"),
    ("cell-blk", "drop"),
    ("reset", "cell-blk"),
    ("random", "drop"),
    ("drop", "random"),
    ("corp-vpn", "drop"),
)
"""
Pairs of which one side does not keep its port.
"""

HOPELESS = {
    ("random", "cell-blk"): "both-random-mapping",
    ("home-seq", "random"): "random-against-sequential",
    ("home-noso", "home-noso"): "no-simultaneous-open",
    ("corp-block", "drop"): "listener-blocks-outbound",
    ("random", "corp-block"): "dialer-blocks-outbound",
}
"""
Pairs that can't meet, and the verdict on them.
"""


@pytest.mark.parametrize(("listener", "dialer"), PAIRS)
def test_pair(listener: str, dialer: str, tmp_path: Path) -> None:
    """
    The pair connects directly, at once or after a moment on the relay.
    """
    trial = run(Pair(0, listener, dialer, "7"), Terms(timeout=15.0, kept=tmp_path))
    assert trial.result is Result.DIRECT, trial


@pytest.mark.parametrize(("listener", "dialer"), HARD)
def test_hard(listener: str, dialer: str, tmp_path: Path) -> None:
    """
    The pair connects directly, though a port must be foretold, or found.
    """
    lab = Laboratory(listener, dialer, seed="7")
    outcome = dial(lab, tmp_path, 20.0, NEVER)
    assert outcome.connected, (outcome.reason, outcome.explanation)
    assert outcome.path == "direct"


@pytest.mark.parametrize(("listener", "dialer"), HOPELESS)
def test_hopeless(listener: str, dialer: str, tmp_path: Path) -> None:
    """
    What can't be is said to be so, for the true reason, by both sides alike.
    """
    lab = Laboratory(listener, dialer, seed="7")
    outcome = dial(lab, tmp_path, 4.0, NEVER)
    assert outcome.reason == HOPELESS[listener, dialer], outcome.explanation
    for name in ("listener.events", "dialer-1.events"):
        [verdict] = EventFile(tmp_path / name).named("verdict")
        assert verdict["reason"] == outcome.reason


def test_loss(tmp_path: Path) -> None:
    """
    With 5 % of packets lost on each peer's leg the pair still connects.
    """
    outcome = dial(Laboratory(DROP, DROP, loss=0.05, seed="7"), tmp_path, 30.0)
    assert outcome.connected, (outcome.reason, outcome.explanation)

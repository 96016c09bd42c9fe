"""
C{twist punch} through every pair of NATs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .nats import DROP, PAIRS
from .run import Meeting, Outcome
from .topology import Laboratory

pytestmark = [pytest.mark.lab, pytest.mark.timeout(90)]


def dial(
    directory: Path, listener: str, dialer: str, timeout: float, loss: float = 0.0
) -> Outcome:
    """
    One dial between two kinds, at 20 ms on each leg.
    """
    with (
        Laboratory(listener, dialer, loss=loss) as lab,
        Meeting(lab, directory, timeout) as meeting,
    ):
        return meeting.dial()


@pytest.mark.parametrize(("listener", "dialer"), PAIRS)
def test_pair(listener: str, dialer: str, tmp_path: Path) -> None:
    """
    The pair connects directly.
    """
    outcome = dial(tmp_path, listener, dialer, timeout=15.0)
    assert outcome.connected, (outcome.reason, outcome.explanation)
    assert outcome.path == "direct"


def test_loss(tmp_path: Path) -> None:
    """
    With 5 % of packets lost on each peer's leg the pair still connects.
    """
    outcome = dial(tmp_path, DROP, DROP, timeout=30.0, loss=0.05)
    assert outcome.connected, (outcome.reason, outcome.explanation)

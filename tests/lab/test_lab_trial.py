"""
Tests of L{tests.lab.trial}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .eventfile import EventFile
from .mixture import Pair
from .run import Outcome
from .trial import Result, Terms, Trial, directSince, judge, run

PAIR = Pair(3, "home-nf", "cgn-eif", "1/3")


def connected(path: str, time: float, elapsed: float, why: str = "") -> dict[str, Any]:
    """
    A C{connected} event, as far as it matters.
    """
    return {
        "event": "connected",
        "time": time,
        "path": path,
        "kind": "host",
        "how": "accepted",
        "elapsed": elapsed,
        "why": why,
    }


def moved(to: str, time: float) -> dict[str, Any]:
    """
    A C{path} event.
    """
    return {"event": "path", "time": time, "from": "relayed", "to": to, "why": "better"}


_DIRECT = connected("direct", 100.5, 0.5)
_RELAYED = connected("relayed", 100.5, 0.5, "no-answer")


@pytest.mark.parametrize(
    ("events", "trial"),
    [
        ([_DIRECT], Trial(PAIR, Result.DIRECT, 0.5, 0.5)),
        ([_RELAYED], Trial(PAIR, Result.RELAYED, 0.5, why="no-answer")),
        ([_RELAYED, moved("direct", 103)], Trial(PAIR, Result.DIRECT, 0.5, 3.0)),
        (
            [_RELAYED, moved("relayed", 103)],
            Trial(PAIR, Result.RELAYED, 0.5, why="no-answer"),
        ),
    ],
)
def test_judge(events: list[dict[str, Any]], trial: Trial) -> None:
    """
    A link is direct if it ever was, from then on; the dial began before the first.
    """
    assert judge(PAIR, Outcome.fromEvent(events[0]), events) == trial


def test_failed() -> None:
    """
    A dial that failed has its reason, and no times.
    """
    outcome = Outcome(False, reason="no-answer")
    assert judge(PAIR, outcome, []) == Trial(PAIR, Result.FAILED, why="no-answer")


def test_directSince() -> None:
    """
    Other events say nothing about the path.
    """
    assert directSince([{"event": "observed", "time": 1.0}, _DIRECT]) == 100.5
    assert directSince([_RELAYED]) is None


@pytest.mark.lab
def test_run(tmp_path: Path) -> None:
    """
    A pair that is run for real becomes direct, and leaves its events.
    """
    trial = run(PAIR, Terms(kept=tmp_path, relay="never", timeout=15.0))
    assert (trial.pair, trial.result) == (PAIR, Result.DIRECT)
    assert trial.usable is not None
    assert trial.direct == pytest.approx(trial.usable, abs=0.05)
    kept = EventFile(tmp_path / "3-home-nf-cgn-eif-1" / "dialer-1.events")
    assert "connected" in {event["event"] for event in kept.read()}

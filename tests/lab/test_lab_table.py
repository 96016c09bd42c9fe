"""
Tests of L{tests.lab.table}, and of how the command line tells an outcome.
"""

from __future__ import annotations

import pytest

from .__main__ import main, tell
from .run import Outcome
from .table import Row, line, medianOf, summary


def connected(elapsed: float, path: str = "direct") -> Outcome:
    """
    A success.
    """
    return Outcome(True, "server-reflexive", "connected", path, elapsed)


FAILED = Outcome(False, reason="no-answer", explanation="Nobody\nthere.")


def test_line() -> None:
    """
    A line has counts, median, maximum, ratio, and what won.
    """
    row = Row("drop", "reset", [connected(0.3), connected(0.4), connected(0.8)])
    assert row.complete
    assert " ".join(line(row, 0.2).split()) == (
        "drop reset 3/3 400 ms 800 ms 2.00 server-reflexive connected 3"
    )


def test_missed() -> None:
    """
    A failed run and a relayed one are missed; times are of those that connected.
    """
    row = Row("drop", "drop", [connected(0.3), FAILED, connected(0.5, "relayed")])
    assert not row.complete
    assert line(row, None).split()[2:8] == ["1/3", "400", "ms", "500", "ms", "-"]
    assert "FAILED no-answer 1" in line(row, None)


def test_noneConnected() -> None:
    """
    A pair that never connected has no times.
    """
    row = Row("drop", "drop", [FAILED])
    assert row.median is None
    assert line(row, 0.3).split()[2:6] == ["0/1", "-", "-", "-"]


def test_summary() -> None:
    """
    The summary names the missed pairs and sets drop x drop against four round
    trips.
    """
    rows = [Row("drop", "drop", [connected(0.4)]), Row("none", "drop", [FAILED])]
    assert medianOf(rows, "drop", "drop") == 0.4
    assert summary(rows, 0.02).splitlines() == [
        "missed: none x drop",
        "four round trips: 320 ms",
        "drop x drop: 1.25 x four round trips",
    ]
    assert summary(rows[:1], 0.02).startswith("every run connected\n")


def test_tell() -> None:
    """
    An outcome is told with what won in how long, or with why nothing did.
    """
    assert tell(connected(0.333)) == (
        "connected: direct, server-reflexive candidate, connected at the dialer, 333 ms"
    )
    assert tell(FAILED) == "failed: no-answer\n  Nobody\n  there."


@pytest.mark.parametrize("args", [[], ["drop"], ["drop", "same"], ["drop", "moat"]])
def test_mistakes(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """
    A command line that makes no sense ends with status 2 and a usage line.
    """
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == 2
    assert "usage: python -m tests.lab" in capsys.readouterr().err

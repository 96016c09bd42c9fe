"""
Tests of L{tests.lab.demo}.
"""

from __future__ import annotations

import pytest

from . import demo
from .demo import Script
from .run import Meeting, NotStarted, Outcome


def heard(line: str) -> list[str]:
    """
    What a script makes of a line of the listener's.
    """
    written: list[str] = []
    Script(written.append).hear("listener", line)
    return written


def test_ours() -> None:
    """
    A line of ours is told without its date and system, after its program's name.
    """
    (text,) = heard(
        "2026-01-31T12:00:00+0000 [punch.peer.peer.Peer#info] Waiting: here."
    )
    assert text == "listener   |  0.00 s  Waiting: here."


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-31T12:00:00+0000 [twisted.application.runner#info] Starting reactor",
        "2026-01-31T12:00:00+0000 [-] Site starting on 4040",
    ],
)
def test_twisteds(line: str) -> None:
    """
    Twisted's own news is left out.
    """
    assert heard(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-31T12:00:00+0000 [twisted.logger#critical] It broke",
        "builtins.ValueError: it broke",
    ],
)
def test_trouble(line: str) -> None:
    """
    Nothing that went wrong is left out.
    """
    (text,) = heard(line)
    assert text.endswith("roke")


@pytest.mark.parametrize(
    ("outcome", "status", "told"),
    [
        (Outcome(True, "host", "accepted", "direct", 0.25), 0, "250 ms"),
        (Outcome(False, reason="no-answer", explanation="Nobody."), 1, "  Nobody."),
        (None, 1, "the rendezvous"),
    ],
)
def test_endings(
    outcome: Outcome | None,
    status: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    Without root the demonstration says what it misses; it ends with what came of
    the dial and the status for it.
    """

    def play(script: Script, meeting: Meeting) -> Outcome:
        if outcome is None:
            raise NotStarted("the rendezvous")
        return outcome

    monkeypatch.setattr(demo, "missing", lambda: ["root"])
    monkeypatch.setattr(demo, "_play", play)
    assert demo.demo() == status
    written = capsys.readouterr().out
    assert "What it misses here:\nroot." in written
    assert told in written

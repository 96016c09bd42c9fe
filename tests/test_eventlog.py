"""
Tests for L{punch.eventlog}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from itertools import count
from pathlib import Path

import pytest
from twisted.logger import LogLevel

from punch import events
from punch.errors import BadOption
from punch.eventlog import EventLog, openEvents
from tests.support.doubles import Log, watching

TRIED = events.Attempted("192.0.2.1:1", "host", "refused")


@pytest.fixture
def logged() -> Iterator[Log]:
    """
    The log.
    """
    with watching() as log:
        yield log


def test_sentence(logged: Log) -> None:
    """
    Each event's sentence goes to the log, as it is.
    """
    tell = EventLog(lambda: 0.0)
    odd = events.Failed("refused", "braces {like} these")
    for event in (events.Listening(4040), odd, events.Closed("done", 1, 2)):
        tell(event)
        assert logged.sentences[-1] == event.sentence()
        assert logged.events[-1]["log_namespace"] == "punch"


def test_levels(logged: Log) -> None:
    """
    A failure stands out.
    """
    tell = EventLog(lambda: 0.0)
    tell(events.Waiting())
    tell(events.Failed("refused", "no"))
    assert logged.levels == [LogLevel.info, LogLevel.error]


def test_retries(logged: Log) -> None:
    """
    Of each sort of outcome a person reads once in an introduction.
    """
    tell = EventLog(lambda: 0.0)
    other = events.Attempted("192.0.2.1:1", "host", "timed out")
    for event in (TRIED, TRIED, other, TRIED, events.Introduced("192.0.2.1:1"), TRIED):
        tell(event)
    info, debug = LogLevel.info, LogLevel.debug
    assert logged.levels == [info, debug, info, debug, info, info]


def test_lines() -> None:
    """
    In the file each event is a JSON object on a line, with name and time.
    """
    file, times = StringIO(), count(1000)
    tell = EventLog(lambda: float(next(times)), file)
    tell(events.Listening(4040))
    tell(TRIED)
    tell(TRIED)
    tell(events.Failed("refused", "two\nlines \N{SNOWMAN}"))
    tried = {"remote": "192.0.2.1:1", "kind": "host", "outcome": "refused"}
    assert [json.loads(line) for line in file.getvalue().splitlines()] == [
        {"event": "listening", "time": 1000.0, "port": 4040},
        {"event": "attempted", "time": 1001.0, **tried},
        {"event": "attempted", "time": 1002.0, **tried},
        {
            "event": "failed",
            "time": 1003.0,
            "reason": "refused",
            "message": "two\nlines \N{SNOWMAN}",
        },
    ]


def test_flushed() -> None:
    """
    Each line is flushed at once, for those who watch.
    """

    class _File(StringIO):
        flushed = ""

        def flush(self) -> None:
            self.flushed = self.getvalue()

    file = _File()
    tell = EventLog(lambda: 0.0, file)
    for lines in (1, 2, 3):
        tell(events.Waiting())
        assert file.flushed.count("\n") == lines


def test_open(tmp_path: Path) -> None:
    """
    The file of C{--events} is for its owner's eyes, and what is there already stays.
    """
    assert openEvents(None) is None
    path = tmp_path / "events"
    for _ in range(2):
        file = openEvents(str(path))
        assert file is not None
        with file:
            file.write("x\n")
    assert path.read_text() == "x\nx\n"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadOption, match="No such file"):
        openEvents(str(tmp_path / "nowhere" / "events"))

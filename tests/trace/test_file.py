"""
Tests for L{punch.trace.file}.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogLevel

from punch.errors import BadOption
from punch.trace.file import (
    TraceFile,
    renderFiles,
    replaceFile,
    traceFile,
    traceOption,
    tracePath,
)
from punch.trace.history import MOST_MEETINGS
from punch.trace.model import Trace
from punch.traceevents import (
    RELAY,
    ConnectionMade,
    ConnectStarted,
    DetailsReceived,
    IntroductionReceived,
    PathSelected,
    RaceEnded,
    RaceFailed,
    RendezvousConnecting,
    Tracer,
)
from tests.support.doubles import watching
from tests.support.traces import ANSWERED, DIRECT, PEER, RENDEZVOUS, TimedEvents


class Traced:
    """
    A trace file, and the clock by which it is written.
    """

    def __init__(self, path: Path, began: float = 0.0) -> None:
        self.path = path
        self.clock = Clock()
        self.file = TraceFile(self.clock, path, lambda: began)

    def meeting(
        self, events: TimedEvents, role: str = "dialer", isRejoin: bool = False
    ) -> Tracer:
        """
        A meeting in which this happens; the clock goes on with it.

        @return: the meeting's tracer.
        """
        tracer, began = self.file(role, isRejoin), self.clock.seconds()
        for at, event in events:
            self.clock.advance(max(0.0, began + at - self.clock.seconds()))
            tracer(event)
        return tracer

    def written(self) -> list[dict[str, Any]]:
        """
        The meetings in the JSON file, a second later.
        """
        self.clock.advance(1.0)
        assert self.clock.getDelayedCalls() == []
        return meetings(self.path)


def meetings(path: Path) -> list[dict[str, Any]]:
    """
    The meetings in a JSON file.
    """
    found: list[dict[str, Any]] = json.loads(path.read_text())["meetings"]
    return found


def recorded(
    path: Path, events: TimedEvents = DIRECT, role: str = "dialer", began: float = 0.0
) -> Path:
    """
    A file with one meeting.
    """
    traced = Traced(path, began)
    traced.meeting(events, role)
    traced.clock.advance(1.0)
    return path


@pytest.fixture
def traced(tmp_path: Path) -> Traced:
    """
    A JSON trace file.
    """
    return Traced(tmp_path / "t.json")


def test_json(tmp_path: Path) -> None:
    """
    A meeting that is over is in the file, which only its owner may read.
    """
    path = recorded(tmp_path / "t.json", began=1.7e9)
    [meeting] = meetings(path)
    assert meeting["state"] == "connected"
    assert meeting["began"] == 1.7e9
    assert meeting["won"] == pytest.approx(0.33)
    assert meeting["lanes"][2]["stages"][-1]["what"] == "link"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["t.json"]


def test_html(tmp_path: Path) -> None:
    """
    An HTML file is a page.
    """
    page = recorded(tmp_path / "t.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert f"Direct in 330 ms: connected 10.0.0.2:4040 - {PEER}" in page


def test_delay(traced: Traced) -> None:
    """
    The file is written only when bytes may have flowed; the text form is in the log, at
    the debug level.
    """
    with watching() as log:
        traced.meeting(DIRECT)
        assert not traced.path.exists()
        assert len(traced.written()) == 1
    assert log.levels == [LogLevel.debug]
    assert log.sentences[0].startswith("dialer: Direct in 330 ms")


RELAYED: TimedEvents = [
    *RENDEZVOUS,
    (0.2, ConnectStarted(RELAY)),
    (0.3, ConnectionMade(RELAY, "relayed", PEER, "connected")),
    (0.4, PathSelected(RELAY, PEER, "relayed", "no-answer")),
]


def test_twice(traced: Traced) -> None:
    """
    The file is written when a relayed path has won, and again when the race is over.
    """
    tracer = traced.meeting(RELAYED)
    [meeting] = traced.written()
    assert meeting["verdict"] == "Relayed in 400 ms (not direct: no-answer)"
    traced.clock.advance(10.0)
    tracer(RaceFailed("no-answer", ""))
    tracer(RaceEnded())
    [meeting] = traced.written()
    assert meeting["verdict"].endswith("; no direct path (no-answer)")


def test_many(traced: Traced) -> None:
    """
    Of many meetings the latest are in the file, the last one first.
    """
    for number in range(MOST_MEETINGS + 5):
        met = IntroductionReceived(f"{number:04x}", PEER, 0.0)
        traced.meeting([(0.0, met), (0.0, RaceEnded())], "listener")
    found = [int(each["introduction"], 16) for each in traced.written()]
    assert found == list(range(MOST_MEETINGS + 4, 4, -1))


def test_empty(traced: Traced) -> None:
    """
    A meeting in which nothing has happened yet is not in the file.
    """
    traced.meeting([])
    traced.meeting(DIRECT)
    assert len(traced.written()) == 1


NOT_NEEDED: TimedEvents = [(0.0, RendezvousConnecting()), (0.0, RaceEnded())]


def test_notNeeded(traced: Traced) -> None:
    """
    Nor is one for a link that went on without it.
    """
    traced.meeting(DIRECT)
    traced.meeting(NOT_NEEDED, isRejoin=True)
    [meeting] = traced.written()
    assert meeting["state"] == "connected"


def test_notNeededTakesNoPlace(traced: Traced) -> None:
    """
    Meetings that were not needed, however many, take no other's place.
    """
    for _ in range(MOST_MEETINGS):
        traced.meeting(ANSWERED, "listener")
    for _ in range(3 * MOST_MEETINGS):
        traced.meeting(NOT_NEEDED, "listener", isRejoin=True)
        traced.clock.advance(1.0)
    assert [each["state"] for each in traced.written()] == ["connected"] * MOST_MEETINGS


STRANGERS: TimedEvents = [
    (0.0, IntroductionReceived("dead", PEER, 0.0)),
    (0.0, RaceEnded()),
]


def test_strangers(traced: Traced) -> None:
    """
    Strangers, who only know a listener's name, have one place if the others are taken:
    that of the latest meeting.  A meeting whose peer is proven only after many others
    have begun is in the file.
    """
    for _ in range(MOST_MEETINGS - 2):
        traced.meeting(ANSWERED, "listener")
    slow = traced.meeting([(0.0, IntroductionReceived("510f", PEER, 0.0))], "listener")
    for _ in range(5 * MOST_MEETINGS):
        traced.meeting(STRANGERS, "listener")
    slow(DetailsReceived(1))
    slow(RaceFailed("no-answer", "Nobody."))
    slow(RaceEnded())
    found = [each["introduction"] for each in traced.written()]
    assert found == ["dead", "510f", *["ab12"] * (MOST_MEETINGS - 2)]


def test_renderedOnce(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A meeting that has not changed is not rendered again.
    """
    rendered: list[str] = []

    def section(trace: Trace) -> str:
        rendered.append(trace.introduction)
        return f"<p>{trace.introduction}</p>"

    monkeypatch.setattr("punch.trace.file._section", section)
    traced = Traced(tmp_path / "t.html")
    for events in (ANSWERED, STRANGERS, STRANGERS, STRANGERS):
        traced.meeting(events, "listener")
        traced.clock.advance(1.0)
    assert rendered == ["ab12", "dead", "dead", "dead"]
    assert traced.path.read_text().count("<p>dead</p>") == 3
    assert traced.path.read_text().count("<p>ab12</p>") == 1


def test_link(tmp_path: Path) -> None:
    """
    If the name is a symbolic link, the file that it leads to is written, and the link
    stays.
    """
    (tmp_path / "sub").mkdir()
    target, link = tmp_path / "sub" / "t.json", tmp_path / "t.json"
    link.symlink_to("sub/t.json")
    assert traceOption(str(link), []) == link
    recorded(link)
    assert link.is_symlink()
    assert len(meetings(target)) == 1
    assert os.listdir(tmp_path / "sub") == ["t.json"]


def test_linkToNowhere(tmp_path: Path) -> None:
    """
    A link into a directory that does not exist is refused at once.
    """
    link = tmp_path / "t.json"
    link.symlink_to("no/t.json")
    with pytest.raises(BadOption, match=r"cannot write in .*/no: No such file"):
        tracePath(str(link))


def test_cannotWrite(tmp_path: Path) -> None:
    """
    If the file cannot be written any more there is a warning, and nothing else happens.
    """
    folder = tmp_path / "gone"
    folder.mkdir()
    folder.rmdir()
    with watching() as log:
        recorded(folder / "t.json")
    assert log.levels[-1] is LogLevel.warn
    assert "No such file" in log.sentences[-1]


def test_replaceFile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A file is replaced as a whole; if that fails it is as it was, and no other file is
    left.
    """
    path = tmp_path / "t.html"
    replaceFile(path, "one")
    replaceFile(path, "two")
    assert path.read_text() == "two"

    def full(*whatever: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        replaceFile(path, "three")
    assert path.read_text() == "two"
    assert os.listdir(tmp_path) == ["t.html"]


class _Reactor(Clock):
    """
    A reactor that can be stopped.
    """

    stopped: Callable[[], object]

    def addSystemEventTrigger(
        self, phase: str, event: str, called: Callable[[], object]
    ) -> None:
        """
        Keep the trigger.
        """
        assert (phase, event) == ("after", "shutdown")
        self.stopped = called


def test_shutdown(tmp_path: Path) -> None:
    """
    What has changed when the reactor stops is written then.
    """
    reactor, path = _Reactor(), tmp_path / "t.json"
    tracer = traceFile(reactor, path, lambda: 0.0)("dialer", False)
    tracer(RendezvousConnecting())
    tracer(RaceEnded())
    reactor.stopped()
    assert len(meetings(path)) == 1
    assert reactor.getDelayedCalls() == []


def test_unwanted() -> None:
    """
    Without a path nothing is recorded.
    """
    tracer = traceFile(None, None, lambda: 0.0)("dialer", False)
    tracer(RaceEnded())


def test_path(tmp_path: Path) -> None:
    """
    A path that can be written is accepted, and nothing is written yet.
    """
    for name in ("t.html", "t.json"):
        assert tracePath(str(tmp_path / name)) == tmp_path / name
    assert os.listdir(tmp_path) == []
    assert traceOption(None, []) is None
    assert traceOption(str(tmp_path / "t.json"), []) == tmp_path / "t.json"


def test_badPath(tmp_path: Path) -> None:
    """
    A path that cannot be written is refused at once.
    """
    (tmp_path / "d.html").mkdir()
    for name, why in {
        "t.svg": "ends in .html or .json",
        "t": "ends in .html or .json",
        "": "ends in .html or .json",
        "no/t.html": "No such file or directory",
        "d.html": "is a directory",
    }.items():
        where = str(tmp_path / name) if name else name
        with pytest.raises(BadOption, match=why):
            tracePath(where)


def test_draw(tmp_path: Path) -> None:
    """
    What one side has recorded can be rendered later; of what both sides have recorded,
    the meetings that are in both.
    """
    ours = recorded(tmp_path / "ours.json")
    theirs = recorded(tmp_path / "theirs.json", ANSWERED, "listener")
    page = tmp_path / "page.html"
    for sources, count in (([ours], 1), ([ours, theirs], 2)):
        with pytest.raises(SystemExit) as ended:
            traceOption(str(page), [str(each) for each in sources])
        assert ended.value.code == 0
        assert page.read_text().count("'s clock, 0 ms is") == count


def test_badDraw(tmp_path: Path) -> None:
    """
    What cannot be rendered is refused with the reason.
    """
    ours = recorded(tmp_path / "ours.json")
    other = recorded(tmp_path / "other.json", [*RENDEZVOUS[:1], (1.0, RaceEnded())])
    rubbish = tmp_path / "rubbish.json"
    rubbish.write_bytes(b"\xff\0")
    page = tmp_path / "page.html"
    for sources, why in (
        ([tmp_path / "none.json"], "No such file"),
        ([rubbish], "no trace of ours"),
        ([ours, other], "no meeting is in both"),
        ([ours, ours], "both traces are the dialer's"),
        ([ours] * 3, "two sides at most"),
    ):
        with pytest.raises(BadOption, match=why):
            renderFiles(page, [str(each) for each in sources])
    with pytest.raises(BadOption, match=r"ends in \.html"):
        renderFiles(tmp_path / "page.json", [str(ours)])
    with pytest.raises(BadOption, match="needs --trace"):
        traceOption(None, [str(ours)])
    assert not page.exists()

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


def noteAll(clock: Clock, tracer: Tracer, told: TimedEvents) -> None:
    """
    Draw steps at their times.
    """
    began = clock.seconds()
    for at, event in told:
        clock.advance(max(0.0, began + at - clock.seconds()))
        tracer(event)


def recorded(path: Path, told: TimedEvents = DIRECT, role: str = "dialer") -> Path:
    """
    A file with one meeting.
    """
    clock = Clock()
    file = TraceFile(clock, path, lambda: 1.7e9)
    noteAll(clock, file(role, False), told)
    clock.advance(1.0)
    assert clock.getDelayedCalls() == []
    return path


def meetings(path: Path) -> list[dict[str, Any]]:
    """
    What is in a JSON file.
    """
    found: list[dict[str, Any]] = json.loads(path.read_text())["meetings"]
    return found


def test_json(tmp_path: Path) -> None:
    """
    A meeting that is over is in the file, which is for its owner's eyes.
    """
    path = recorded(tmp_path / "t.json")
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


def test_soon(tmp_path: Path) -> None:
    """
    Drawing waits until bytes flow; the text form is in the log for those who look
    for it.
    """
    clock, path = Clock(), tmp_path / "t.json"
    file = TraceFile(clock, path, lambda: 0.0)
    with watching() as log:
        noteAll(clock, file("dialer", False), DIRECT)
        assert not path.exists()
        clock.advance(1.0)
    assert len(meetings(path)) == 1
    assert log.levels == [LogLevel.debug]
    assert log.sentences[0].startswith("dialer: Direct in 330 ms")


RELAYED: TimedEvents = [
    *RENDEZVOUS,
    (0.2, ConnectStarted(RELAY)),
    (0.3, ConnectionMade(RELAY, "relayed", PEER, "connected")),
    (0.4, PathSelected(RELAY, PEER, "relayed", "no-answer")),
]


def test_twice(tmp_path: Path) -> None:
    """
    What a relayed path has won is drawn then, and again when the race is over.
    """
    clock, path = Clock(), tmp_path / "t.json"
    tracer = TraceFile(clock, path, lambda: 0.0)("dialer", False)
    noteAll(clock, tracer, RELAYED)
    clock.advance(1.0)
    assert meetings(path)[0]["verdict"] == "Relayed in 400 ms (not direct: no-answer)"
    clock.advance(10.0)
    tracer(RaceFailed("no-answer", ""))
    tracer(RaceEnded())
    clock.advance(1.0)
    [meeting] = meetings(path)
    assert meeting["verdict"].endswith("; no direct path (no-answer)")


def test_many(tmp_path: Path) -> None:
    """
    Of many meetings the latest are in the file, the last one first.
    """
    clock, path = Clock(), tmp_path / "t.json"
    file = TraceFile(clock, path, lambda: 0.0)
    for number in range(MOST_MEETINGS + 5):
        tracer = file("listener", False)
        tracer(IntroductionReceived(f"{number:04x}", PEER, 0.0))
        tracer(RaceEnded())
    clock.advance(1.0)
    found = [int(each["introduction"], 16) for each in meetings(path)]
    assert found == list(range(MOST_MEETINGS + 4, 4, -1))


def test_notBegun(tmp_path: Path) -> None:
    """
    A meeting of which there is nothing to be seen yet is not drawn.
    """
    clock, path = Clock(), tmp_path / "t.json"
    file = TraceFile(clock, path, lambda: 0.0)
    file("dialer", False)
    noteAll(clock, file("dialer", False), DIRECT)
    clock.advance(1.0)
    assert len(meetings(path)) == 1


def test_inVain(tmp_path: Path) -> None:
    """
    Nor is one that a living link soon did not need.
    """
    clock, path = Clock(), tmp_path / "t.json"
    file = TraceFile(clock, path, lambda: 0.0)
    noteAll(clock, file("dialer", False), DIRECT)
    noteAll(
        clock,
        file("dialer", True),
        [(0.0, RendezvousConnecting()), (0.1, RaceEnded())],
    )
    clock.advance(1.0)
    [meeting] = meetings(path)
    assert meeting["state"] == "connected"


def _give(file: TraceFile, events: TimedEvents, isRejoin: bool = False) -> None:
    tracer = file("listener", isRejoin)
    for _, event in events:
        tracer(event)


STRANGERS: TimedEvents = [
    (0.0, IntroductionReceived("dead", PEER, 0.0)),
    (0.0, RaceEnded()),
]


def test_inVainTakesNoPlace(tmp_path: Path) -> None:
    """
    Meetings that were not needed, however many, take no other's place.
    """
    clock, path = Clock(), tmp_path / "t.json"
    file = TraceFile(clock, path, lambda: 0.0)
    for _ in range(MOST_MEETINGS):
        _give(file, ANSWERED)
    for _ in range(3 * MOST_MEETINGS):
        _give(
            file,
            [(0.0, RendezvousConnecting()), (0.0, RaceEnded())],
            isRejoin=True,
        )
        clock.advance(1.0)
    assert [each["state"] for each in meetings(path)] == ["connected"] * MOST_MEETINGS


def test_strangers(tmp_path: Path) -> None:
    """
    Strangers who only know a listener's name have one place, if the others are taken:
    that of the latest.  One that is proven only when many others have begun is there.
    """
    clock, path = Clock(), tmp_path / "t.json"
    file = TraceFile(clock, path, lambda: 0.0)
    for _ in range(MOST_MEETINGS - 2):
        _give(file, ANSWERED)
    slow = file("listener", False)
    slow(IntroductionReceived("510f", PEER, 0.0))
    for _ in range(5 * MOST_MEETINGS):
        _give(file, STRANGERS)
    slow(DetailsReceived(1))
    slow(RaceFailed("no-answer", "Nobody."))
    slow(RaceEnded())
    clock.advance(1.0)
    found = [each["introduction"] for each in meetings(path)]
    assert found == ["dead", "510f", *["ab12"] * (MOST_MEETINGS - 2)]


def test_drawnOnce(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A meeting of which there is nothing new is not drawn again.
    """
    drawn: list[str] = []

    def section(trace: Trace) -> str:
        drawn.append(trace.introduction)
        return f"<p>{trace.introduction}</p>"

    monkeypatch.setattr("punch.trace.file._section", section)
    clock, path = Clock(), tmp_path / "t.html"
    file = TraceFile(clock, path, lambda: 0.0)
    _give(file, ANSWERED)
    clock.advance(1.0)
    for _ in range(3):
        _give(file, STRANGERS)
        clock.advance(1.0)
    assert drawn == ["ab12", "dead", "dead", "dead"]
    assert path.read_text().count("<p>dead</p>") == 3
    assert path.read_text().count("<p>ab12</p>") == 1


def test_link(tmp_path: Path) -> None:
    """
    If the name is a link, what it leads to is written, and it stays one.
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
    A link into a directory that is not there is said at once.
    """
    link = tmp_path / "t.json"
    link.symlink_to("no/t.json")
    with pytest.raises(BadOption, match=r"cannot write in .*/no: No such file"):
        tracePath(str(link))


def test_cannotWrite(tmp_path: Path) -> None:
    """
    A file that cannot be written any more is warned of, and nothing else suffers.
    """
    folder = tmp_path / "gone"
    folder.mkdir()
    clock, path = Clock(), folder / "t.json"
    file = TraceFile(clock, path, lambda: 0.0)
    folder.rmdir()
    with watching() as log:
        noteAll(clock, file("dialer", False), DIRECT)
        clock.advance(1.0)
    assert log.levels[-1] is LogLevel.warn
    assert "No such file" in log.sentences[-1]


def test_replaceFile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A file is replaced whole; if it can't be, it is as it was, and nothing is left.
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
    As much of a reactor as stops.
    """

    stopped: Callable[[], object]

    def addSystemEventTrigger(
        self, phase: str, event: str, called: Callable[[], object]
    ) -> None:
        """
        Remember it.
        """
        assert (phase, event) == ("after", "shutdown")
        self.stopped = called


def test_shutdown(tmp_path: Path) -> None:
    """
    What there is news of when the reactor stops is written then.
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
    Without a path nothing is drawn.
    """
    tracer = traceFile(None, None, lambda: 0.0)("dialer", False)
    tracer(RaceEnded())


def test_path(tmp_path: Path) -> None:
    """
    What can be written is taken, and nothing is written yet.
    """
    for name in ("t.html", "t.json"):
        assert tracePath(str(tmp_path / name)) == tmp_path / name
    assert os.listdir(tmp_path) == []
    assert traceOption(None, []) is None
    assert traceOption(str(tmp_path / "t.json"), []) == tmp_path / "t.json"


def test_badPath(tmp_path: Path) -> None:
    """
    What cannot be written is said at once.
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
    What one side has recorded can be drawn later; of both sides', what they have in
    common.
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
    What cannot be drawn is said.
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

"""
The trace file: the latest meetings, drawn in a file of the user's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from punch.errors import BadOption
from punch.trace.history import Kept, Meetings
from punch.trace.html import page, section, tracePage
from punch.trace.jsonformat import (
    MOST_BYTES,
    BadTrace,
    document,
    meetingJSON,
    tracesFromJSON,
)
from punch.trace.model import Trace, couples
from punch.trace.recorder import MeetingRecorder
from punch.trace.text import traceText
from punch.traceevents import (
    AttachConfirmed,
    PathSelected,
    RaceEnded,
    TraceEvent,
    Tracer,
    TracerFactory,
    noTracing,
)
from punch.util.timers import RestartableTimer

_SOON = 0.2
"""
Seconds from news to its drawing.
"""

_HTML, _JSON = ".html", ".json"


def tracePath(text: str) -> Path:
    """
    Where a trace is to be drawn.

    @raise BadOption: that can't be.
    """
    path = Path(text)
    folder = _target(path).parent
    if path.suffix not in (_HTML, _JSON):
        raise BadOption(f"--trace {text}: the name ends in {_HTML} or {_JSON}")
    if path.is_dir():
        raise BadOption(f"--trace {text}: it is a directory")
    try:
        made, name = mkstemp(prefix=f".{path.name}.", dir=folder)
        os.close(made)
        os.unlink(name)
    except OSError as cannot:
        where = f"in {folder}: {cannot.strerror}"
        raise BadOption(f"--trace {text}: cannot write {where}") from cannot
    return path


def traceOption(trace: str | None, draw: Sequence[str]) -> Path | None:
    """
    What C{--trace} and C{--draw} ask for: where to draw what comes, if anywhere.

    @raise BadOption: that can't be.
    @raise SystemExit: what was to be drawn is.
    """
    path = None if trace is None else tracePath(trace)
    if not draw:
        return path
    if path is None:
        raise BadOption("--draw needs --trace")
    drawAgain(path, draw)
    raise SystemExit(0)


def _target(path: Path) -> Path:
    """
    The file itself, if C{path} is a link to it.
    """
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def replaceFile(path: Path, text: str) -> None:
    """
    Put C{text} in the place of a file, at once and whole; a link to it stays one.
    """
    path = _target(path)
    made, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(made, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


class TraceFile:
    """
    Draws meetings (L{punch.traceevents.TracerFactory}), and writes the file soon after
    there is news of what came of one.
    """

    _log = Logger(namespace="punch")

    def __init__(
        self, clock: IReactorTime, path: Path, now: Callable[[], float]
    ) -> None:
        """
        @param path: ends in C{.html} or C{.json}.
        @param now: asks for the time, in Unix seconds.
        """
        self._clock = clock
        self._path = path
        self._now = now
        self._meetings = Meetings()
        self._news: list[Kept] = []
        self._soon = RestartableTimer(clock)

    def __call__(self, role: str, isRejoin: bool) -> Tracer:
        """
        A meeting begins.
        """
        chronicle = MeetingRecorder(role, self._now(), isRejoin)
        kept = self._meetings.begin(chronicle)
        began = self._clock.seconds()

        def tracer(event: TraceEvent) -> None:
            chronicle.add(self._clock.seconds() - began, event)
            # After a direct path has won, its race is over at once.
            goesOn = isinstance(event, PathSelected) and event.path != "direct"
            if goesOn or isinstance(event, (RaceEnded, AttachConfirmed)):
                self._tell(kept)

        return tracer

    def _tell(self, kept: Kept) -> None:
        """
        There is news; but first of all bytes are to flow.
        """
        self._meetings.news(kept)
        if kept not in self._news:
            self._news.append(kept)
        if not self._soon.isSet:
            self._soon.set(_SOON, self.flush)

    def flush(self) -> None:
        """
        Draw what there is news of, now.
        """
        self._soon.clear()
        news, self._news = self._news, []
        for each in news:
            self._log.debug("{trace}", trace=traceText(each.chronicle.trace()))
        if news:
            self._write()

    def _write(self) -> None:
        isPage = self._path.suffix == _HTML
        draw = _section if isPage else meetingJSON
        drawn = [each.drawn(draw) for each in self._meetings]
        try:
            replaceFile(self._path, page(drawn) if isPage else document(drawn))
        except OSError as cannot:
            self._log.warn(
                "Cannot write {path}: {why}", path=str(self._path), why=cannot.strerror
            )


def traceFile(
    reactor: Any, path: Path | None, now: Callable[[], float]
) -> TracerFactory:
    """
    Who draws meetings in the file at C{path}, until C{reactor} has stopped; nobody,
    if there is none.
    """
    if path is None:
        return noTracing
    made = TraceFile(reactor, path, now)
    reactor.addSystemEventTrigger("after", "shutdown", made.flush)
    return made


def _section(trace: Trace) -> str:
    return section([trace])


def drawAgain(path: Path, sources: Sequence[str]) -> None:
    """
    Draw what is in one JSON file; or, of two, the meetings that are in both, with
    both sides in one picture.

    @raise BadOption: that can't be.
    """
    if path.suffix != _HTML:
        raise BadOption(f"--draw needs a --trace that ends in {_HTML}")
    read = [_read(each) for each in sources]
    meetings: list[Sequence[Trace]]
    if len(read) == 1:
        meetings = [[each] for each in read[0]]
    elif len(read) == 2:
        meetings = list(couples(*read))
        if not meetings:
            raise BadOption("--draw: no meeting is in both traces")
    else:
        raise BadOption("--draw: two sides at most")
    try:
        replaceFile(path, tracePage(meetings))
    except OSError as cannot:
        raise BadOption(f"--trace {path}: {cannot.strerror}") from cannot


def _read(name: str) -> list[Trace]:
    try:
        with open(name, "rb") as file:
            return tracesFromJSON(file.read(MOST_BYTES + 1))
    except OSError as cannot:
        raise BadOption(f"--draw {name}: {cannot.strerror}") from cannot
    except BadTrace as bad:
        raise BadOption(f"--draw {name}: no trace of ours: {bad}") from bad

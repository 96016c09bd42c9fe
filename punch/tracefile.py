"""
The trace file: the latest meetings, drawn in a file of the user's.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from punch.alarm import Alarm
from punch.chronicle import Chronicle
from punch.errors import BadOption
from punch.steps import Confirmed, Draw, Over, Pen, Step, Won, drawNothing
from punch.trace import Trace, couples
from punch.tracejson import MOST_BYTES, BadTrace, tracesFromJSON, tracesToJSON
from punch.tracepage import tracePage
from punch.tracetext import traceText

MOST_MEETINGS = 8
"""
Meetings that a file has; the latest is the first.
"""

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
    if path.suffix not in (_HTML, _JSON):
        raise BadOption(f"--trace {text}: the name ends in {_HTML} or {_JSON}")
    if path.is_dir():
        raise BadOption(f"--trace {text}: it is a directory")
    try:
        made, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(made)
        os.unlink(name)
    except OSError as cannot:
        where = f"in {path.parent}: {cannot.strerror}"
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


def replaceFile(path: Path, text: str) -> None:
    """
    Put C{text} in the place of a file, at once and whole.
    """
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
    Draws meetings (L{punch.steps.Draw}), and writes the file soon after there is
    news of what came of one.
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
        self._meetings: deque[Chronicle] = deque(maxlen=MOST_MEETINGS)
        self._news: list[Chronicle] = []
        self._soon = Alarm(clock)

    def __call__(self, role: str, isReunion: bool) -> Pen:
        """
        A meeting begins.
        """
        chronicle = Chronicle(role, self._now(), isReunion)
        self._meetings.appendleft(chronicle)
        began = self._clock.seconds()

        def pen(step: Step) -> None:
            chronicle.add(self._clock.seconds() - began, step)
            # After a direct path has won, its race is over at once.
            goesOn = isinstance(step, Won) and step.path != "direct"
            if goesOn or isinstance(step, (Over, Confirmed)):
                self._tell(chronicle)

        return pen

    def _tell(self, chronicle: Chronicle) -> None:
        """
        There is news; but first of all bytes are to flow.
        """
        if chronicle not in self._news:
            self._news.append(chronicle)
        if not self._soon.isSet:
            self._soon.set(_SOON, self.flush)

    def flush(self) -> None:
        """
        Draw what there is news of, now.
        """
        self._soon.clear()
        news, self._news = self._news, []
        for each in news:
            self._log.debug("{trace}", trace=traceText(each.trace()))
        if news:
            self._write()

    def _write(self) -> None:
        traces = [each.trace() for each in self._meetings if not each.wasInVain]
        traces = [each for each in traces if each.lanes]
        try:
            replaceFile(self._path, _written(self._path, [[each] for each in traces]))
        except OSError as cannot:
            self._log.warn(
                "Cannot write {path}: {why}", path=str(self._path), why=cannot.strerror
            )


def traceFile(reactor: Any, path: Path | None, now: Callable[[], float]) -> Draw:
    """
    Who draws meetings in the file at C{path}, until C{reactor} has stopped; nobody,
    if there is none.
    """
    if path is None:
        return drawNothing
    made = TraceFile(reactor, path, now)
    reactor.addSystemEventTrigger("after", "shutdown", made.flush)
    return made


def _written(path: Path, meetings: Sequence[Sequence[Trace]]) -> str:
    if path.suffix == _HTML:
        return tracePage(meetings)
    return tracesToJSON(each for meeting in meetings for each in meeting)


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

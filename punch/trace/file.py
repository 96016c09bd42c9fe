"""
The trace file: pictures of the latest meetings, in a file of the user's.
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

from punch import traceevents
from punch.errors import BadOption
from punch.trace.history import Entry, History
from punch.trace.html import page, section, tracePage
from punch.trace.jsonformat import (
    MOST_BYTES,
    BadTrace,
    tracesDocument,
    tracesFromJSON,
    traceToJSON,
)
from punch.trace.model import Trace, couples
from punch.trace.recorder import MeetingRecorder
from punch.trace.text import traceText
from punch.util.timers import RestartableTimer

_WRITE_DELAY = 0.2
"""
Seconds from a change to the writing of the file, so that the link's first bytes need
not wait for it.
"""

_HTML, _JSON = ".html", ".json"


def tracePath(text: str) -> Path:
    """
    The path that C{--trace} names.

    @raise BadOption: no trace can be written there.
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
    Do what C{--trace} and C{--draw} ask for.

    @param trace: the value of C{--trace}, if it is given.
    @param draw: the values of C{--draw}.
    @return: where meetings are to be recorded, if anywhere.
    @raise BadOption: the options do not fit together, or a file is not what it should.
    @raise SystemExit: C{--draw} was given, and its files are rendered.
    """
    path = None if trace is None else tracePath(trace)
    if not draw:
        return path
    if path is None:
        raise BadOption("--draw needs --trace")
    renderFiles(path, draw)
    raise SystemExit(0)


def _target(path: Path) -> Path:
    """
    The file itself, if C{path} is a symbolic link to it.
    """
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def replaceFile(path: Path, text: str) -> None:
    """
    Replace a file's contents at once and as a whole.  A symbolic link stays one, and
    the file that it leads to is replaced.

    @raise OSError: that was not possible; the file is as it was.
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
    Records meetings, and soon after one has come to something writes the file.

    It is a L{punch.traceevents.TracerFactory}: call it when a meeting begins, and it
    answers with the tracer of the meeting.  Who makes it calls C{flush} at the end.
    """

    _log = Logger(namespace="punch")

    def __init__(
        self, clock: IReactorTime, path: Path, now: Callable[[], float]
    ) -> None:
        """
        @param path: the file; its name ends in C{.html} or C{.json}.
        @param now: answers with the time, in Unix seconds.
        """
        self._clock = clock
        self._path = path
        self._now = now
        self._history = History()
        self._changed: list[Entry] = []
        self._timer = RestartableTimer(clock)

    def __call__(self, role: str, isRejoin: bool) -> traceevents.Tracer:
        """
        A meeting begins.

        @return: its tracer.
        """
        recorder = MeetingRecorder(role, self._now(), isRejoin)
        entry = self._history.add(recorder)
        began = self._clock.seconds()

        def trace(event: traceevents.TraceEvent) -> None:
            recorder.add(self._clock.seconds() - began, event)
            # After a direct path has won, the race ends at once, and we hear of that.
            goesOn = (
                isinstance(event, traceevents.PathSelected) and event.path != "direct"
            )
            if goesOn or isinstance(
                event, (traceevents.RaceEnded, traceevents.AttachConfirmed)
            ):
                self._update(entry)

        return trace

    def _update(self, entry: Entry) -> None:
        self._history.update(entry)
        if entry not in self._changed:
            self._changed.append(entry)
        if not self._timer.isSet:
            self._timer.set(_WRITE_DELAY, self.flush)

    def flush(self) -> None:
        """
        Write what has changed, now.
        """
        self._timer.clear()
        changed, self._changed = self._changed, []
        for each in changed:
            self._log.debug("{trace}", trace=traceText(each.recorder.trace()))
        if changed:
            self._write()

    def _write(self) -> None:
        isPage = self._path.suffix == _HTML
        render = _section if isPage else traceToJSON
        meetings = [each.rendered(render) for each in self._history]
        try:
            replaceFile(
                self._path, page(meetings) if isPage else tracesDocument(meetings)
            )
        except OSError as cannot:
            self._log.warn(
                "Cannot write {path}: {why}", path=str(self._path), why=cannot.strerror
            )


def traceFile(
    reactor: Any, path: Path | None, now: Callable[[], float]
) -> traceevents.TracerFactory:
    """
    What records meetings in the file at C{path}, until C{reactor} has stopped; or, if
    there is no path, what ignores them.

    @param now: answers with the time, in Unix seconds.
    """
    if path is None:
        return traceevents.noTracing
    made = TraceFile(reactor, path, now)
    reactor.addSystemEventTrigger("after", "shutdown", made.flush)
    return made


def _section(trace: Trace) -> str:
    return section([trace])


def renderFiles(path: Path, sources: Sequence[str]) -> None:
    """
    Render what is in one JSON file as a page at C{path}; or, of two files, the meetings
    that are in both, with both sides in one picture.

    @raise BadOption: that is not possible.
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

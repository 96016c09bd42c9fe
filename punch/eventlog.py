"""
The event log: a sentence for each event in the program's log, and, if wanted, a
JSON object a line in a file.
"""

from __future__ import annotations

import json
import os
from typing import Any, TextIO

from twisted.logger import Logger, LogLevel

from punch.errors import BadOption
from punch.events import Attempted, Event, Failed, Introduced, fieldsOf

_log = Logger(namespace="punch")


def openEvents(path: str | None) -> TextIO | None:
    """
    The file that C{--events} names, if it names one.

    @raise BadOption: it can't be written.
    """
    if path is None:
        return None
    try:
        # It tells the code: for its owner's eyes, as the code is.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8")
    except OSError as cannot:
        raise BadOption(f"--events {path}: {cannot.strerror}") from cannot


class EventLog:
    """
    Hears of events (L{punch.events.Tell}) and writes them down.
    """

    def __init__(self, now: Any, file: TextIO | None = None) -> None:
        """
        @param now: asks for the time, in Unix seconds.
        @param file: where JSON goes, flushed line by line.
        """
        self._now = now
        self._file = file
        self._seen: set[Attempted] = set()

    def __call__(self, event: Event) -> None:
        _log.emit(self._levelOf(event), "{sentence}", sentence=event.sentence())
        if self._file is not None:
            line = {"event": event.event, "time": self._now(), **fieldsOf(event)}
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def _levelOf(self, event: Event) -> Any:
        """
        A person needs to read of each sort of outcome once, not of each retry.
        """
        if isinstance(event, Failed):
            return LogLevel.error
        if isinstance(event, Introduced):
            self._seen.clear()
        if isinstance(event, Attempted):
            if event in self._seen:
                return LogLevel.debug
            self._seen.add(event)
        return LogLevel.info

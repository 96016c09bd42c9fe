"""
The event log: a sentence for each event in the program's log; and, if wanted, a line
with a JSON object for each event in a file.
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
    Open the file of C{--events} to append to it.

    @param path: C{None} for no file.
    @raise BadOption: the file cannot be written.
    """
    if path is None:
        return None
    try:
        # The code is in it, so only its owner may read it.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8")
    except OSError as cannot:
        raise BadOption(f"--events {path}: {cannot.strerror}") from cannot


class EventLog:
    """
    Writes events to the program's log, and to a file if there is one.

    It is a L{punch.events.Tell}.  Its maker opens and closes the file.
    """

    def __init__(self, now: Any, file: TextIO | None = None) -> None:
        """
        @param now: answers with the time, in Unix seconds.
        @param file: gets the JSON objects, and is flushed after each.
        """
        self._now = now
        self._file = file
        self._logged: set[Attempted] = set()

    def __call__(self, event: Event) -> None:
        _log.emit(self._levelOf(event), "{sentence}", sentence=event.sentence())
        if self._file is not None:
            line = {"event": event.event, "time": self._now(), **fieldsOf(event)}
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def _levelOf(self, event: Event) -> Any:
        """
        A person wants to read once of each outcome of an address, not of each retry.
        """
        if isinstance(event, Failed):
            return LogLevel.error
        if isinstance(event, Introduced):
            self._logged.clear()
        if isinstance(event, Attempted):
            if event in self._logged:
                return LogLevel.debug
            self._logged.add(event)
        return LogLevel.info

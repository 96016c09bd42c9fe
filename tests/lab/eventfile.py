"""
The events file of a running C{twist punch}, followed from outside.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

_PAUSE = 0.01

Event = dict[str, Any]


class EventFile:
    """
    A file of one JSON object a line, perhaps not there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Event]:
        """
        The events so far; a line that is still being written is not one yet.
        """
        if not self.path.exists():
            return []
        whole = self.path.read_text(encoding="utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def named(self, *names: str) -> list[Event]:
        """
        The events of these names so far.
        """
        return [event for event in self.read() if event["event"] in names]

    def wait(
        self,
        names: set[str],
        patience: float,
        ended: Callable[[], bool] = lambda: False,
        after: int = 0,
    ) -> Event | None:
        """
        Wait for one of some events.

        @param patience: how many seconds to wait.
        @param ended: can no more come, since the program has ended?
        @param after: how many events at the start not to look at.
        @return: the event, or L{None} if it did not come.
        """
        deadline = monotonic() + patience
        while True:
            last = ended() or monotonic() > deadline
            for event in self.read()[after:]:
                if event["event"] in names:
                    return event
            if last:
                return None
            sleep(_PAUSE)

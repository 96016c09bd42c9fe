"""
The crowd: a lane in the making, of connects that are too many and too much alike to
have lanes of their own.

Above it shows when how many were begun, and until when answers were awaited; below,
when how many came to which outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from punch.trace.lane import STOPPED, VARIOUS
from punch.trace.model import Lane, Span

MOST_RUNS = 24

_APART = 0.3
"""
Seconds between two instants that are still in one run.
"""


class Runs:
    """
    Instants of one kind.  Those in a row that had one outcome, none far from the
    next, are one span.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def add(self, at: float, outcome: str) -> bool:
        """
        @return: whether a span began with it.
        """
        if self.spans:
            last = self.spans[-1]
            isAlike = last.outcome == outcome
            isNear = at - last.end <= _APART
            if (isAlike and isNear) or len(self.spans) >= MOST_RUNS:
                kept = outcome if isAlike else VARIOUS
                count = last.count + 1
                self.spans[-1] = Span(last.start, at, last.what, kept, count)
                return False
        self.spans.append(Span(at, at, "connect", outcome))
        return True


class Aggregate:
    """
    Connects; each may have a name by which its outcome finds it.
    """

    def __init__(self, title: str, about: str = "") -> None:
        self.title = title
        self.about = about
        self._begun = Runs()
        self._outcomes = Runs()
        self._counts: Counter[str] = Counter()
        self._pending: dict[str, float] = {}
        self._unnamed = 0
        # For each run of the begun: how the wait after it ended, and when.
        self._waits: list[tuple[float | None, str]] = []

    def begin(self, at: float, name: str = "") -> None:
        """
        One began.
        """
        if self._begun.add(at, "begun"):
            self._waited(at, "more begun")
            self._waits.append((None, ""))
        else:
            self._waits[-1] = (None, "")
        if name:
            self._pending[name] = at
        else:
            self._unnamed += 1

    def tried(self, at: float, outcome: str, name: str = "") -> float | None:
        """
        One came to its outcome.

        @return: when it began, if that is known.
        """
        began = self._pending.pop(name, None)
        if name and began is None:
            return None
        if not name:
            if not self._unnamed:
                return None
            self._unnamed -= 1
        self.note(at, outcome)
        if not self._left:
            self._waited(at, "over")
        return began

    def note(self, at: float, outcome: str) -> None:
        """
        More has come of one that was over.
        """
        self._outcomes.add(at, outcome)
        self._counts[outcome] += 1

    def stop(self, at: float, isLost: bool) -> None:
        """
        The race is over for all that are pending.
        """
        if self._left:
            self._counts["no answer yet"] += self._left
            self._waited(at, STOPPED)
            self._pending.clear()
            self._unnamed = 0

    @property
    def _left(self) -> int:
        return len(self._pending) + self._unnamed

    def _waited(self, at: float, outcome: str) -> None:
        if self._waits and self._waits[-1][0] is None:
            self._waits[-1] = (at, outcome)

    def _spans(self, now: float) -> Iterator[Span]:
        for begun, (end, outcome) in zip(self._begun.spans, self._waits, strict=True):
            yield begun
            end = now if end is None else end
            if end > begun.end:
                yield Span(begun.end, end, "answers awaited", outcome)

    def at(self, now: float) -> Lane:
        """
        The lane as it is at C{now}.
        """
        counts = self._counts.most_common(4)
        return Lane(
            self.title,
            self.about,
            tuple(self._spans(now)),
            tuple(self._outcomes.spans),
            result="; ".join(f"{count} {what}" for what, count in counts),
        )


class Ports(Aggregate):
    """
    Ports of the other side that were predicted.
    """

    def __init__(self) -> None:
        Aggregate.__init__(self, "predicted ports")
        self._remotes: dict[str, None] = {}

    def __contains__(self, remote: str) -> bool:
        return remote in self._remotes

    def add(self, remote: str) -> None:
        """
        One more.
        """
        self._remotes[remote] = None
        count = len(self._remotes)
        self.title = f"{count} predicted port{'' if count == 1 else 's'}"
        inOrder = sorted(self._remotes, key=lambda each: (len(each), each))
        last = inOrder[-1].rpartition(":")[2]
        self.about = inOrder[0] if count == 1 else f"{inOrder[0]} to {last}"

"""
The aggregate lane: many connects that are much alike, while they are recorded.

Connects have an aggregate lane when they are too many to have lanes of their own.  Its
upper row shows when how many connects began, and until when answers were awaited; its
lower row shows when how many came to which outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from punch.trace.lane import STOPPED, VARIOUS
from punch.trace.model import Lane, Span

MOST_RUNS = 24
"""
Spans that one row of an aggregate lane may have.
"""

_LONGEST_GAP = 0.3
"""
Seconds between two instants that still belong to one run.
"""


class RunRecorder:
    """
    Records instants of connects as runs.

    A run is a span of instants that follow each other closely and have one outcome.

    @ivar spans: the runs so far.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def add(self, at: float, outcome: str) -> bool:
        """
        Add an instant.

        @return: whether a new run begins with it.
        """
        if self.spans:
            last = self.spans[-1]
            isEqual = last.outcome == outcome
            isNear = at - last.end <= _LONGEST_GAP
            if (isEqual and isNear) or len(self.spans) >= MOST_RUNS:
                merged = outcome if isEqual else VARIOUS
                count = last.count + 1
                self.spans[-1] = Span(last.start, at, last.what, merged, count)
                return False
        self.spans.append(Span(at, at, "connect", outcome))
        return True


class AggregateRecorder:
    """
    Records many connects in one lane.

    L{punch.trace.lanes.Lanes} makes and owns one for each sort of them.  A connect may
    have a name, its remote address, by which its end is matched with its beginning;
    connects without a name are only counted.

    @ivar title: as of L{Lane}.
    @ivar about: as of L{Lane}.
    """

    def __init__(self, title: str, about: str = "") -> None:
        self.title = title
        self.about = about
        self._begun = RunRecorder()
        self._outcomes = RunRecorder()
        self._counts: Counter[str] = Counter()
        self._pending: dict[str, float] = {}
        self._unnamed = 0
        # For each run of the begun: when the wait after it ended, and how.
        self._waits: list[tuple[float | None, str]] = []

    def connectStarted(self, at: float, name: str = "") -> None:
        """
        A connect began.
        """
        if self._begun.add(at, "begun"):
            self._waitEnded(at, "more begun")
            self._waits.append((None, ""))
        else:
            self._waits[-1] = (None, "")
        if name:
            self._pending[name] = at
        else:
            self._unnamed += 1

    def connectEnded(self, at: float, outcome: str, name: str = "") -> float | None:
        """
        A connect ended, if one was pending under this name, or without one.

        @return: when it began, if that is known.
        """
        began = self._pending.pop(name, None)
        if name and began is None:
            return None
        if not name:
            if not self._unnamed:
                return None
            self._unnamed -= 1
        self.addOutcome(at, outcome)
        if not self._left:
            self._waitEnded(at, "over")
        return began

    def addOutcome(self, at: float, outcome: str) -> None:
        """
        Count an outcome: of a connect, or of the connection that came of one.
        """
        self._outcomes.add(at, outcome)
        self._counts[outcome] += 1

    def raceEnded(self, at: float, isLost: bool) -> None:
        """
        Stop all connects that are pending.
        """
        if self._left:
            self._counts["no answer yet"] += self._left
            self._waitEnded(at, STOPPED)
            self._pending.clear()
            self._unnamed = 0

    @property
    def _left(self) -> int:
        return len(self._pending) + self._unnamed

    def _waitEnded(self, at: float, outcome: str) -> None:
        if self._waits and self._waits[-1][0] is None:
            self._waits[-1] = (at, outcome)

    def _spans(self, now: float) -> Iterator[Span]:
        for begun, (end, outcome) in zip(self._begun.spans, self._waits, strict=True):
            yield begun
            end = now if end is None else end
            if end > begun.end:
                yield Span(begun.end, end, "answers awaited", outcome)

    def snapshot(self, now: float) -> Lane:
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


class PredictedPorts(AggregateRecorder):
    """
    Records the connects to the peer's predicted ports in one lane, which is titled with
    their number and range.
    """

    def __init__(self) -> None:
        AggregateRecorder.__init__(self, "predicted ports")
        self._remotes: dict[str, None] = {}

    def __contains__(self, remote: str) -> bool:
        return remote in self._remotes

    def add(self, remote: str) -> None:
        """
        Take one more predicted port into the lane.
        """
        self._remotes[remote] = None
        count = len(self._remotes)
        self.title = f"{count} predicted port{'' if count == 1 else 's'}"
        inOrder = sorted(self._remotes, key=lambda each: (len(each), each))
        last = inOrder[-1].rpartition(":")[2]
        self.about = inOrder[0] if count == 1 else f"{inOrder[0]} to {last}"

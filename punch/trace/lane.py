"""
The lane of one party, or of one pair of addresses, while it is recorded.

A lane stays small, however much happens in it.  While spans are few, each is kept by
itself; after that, equal spans in a row are merged into one, with their count.
"""

from __future__ import annotations

from collections import Counter

from punch.trace.model import Lane, Mark, Span

MOST_SPANS = 64
"""
Spans that one row of a lane may have.
"""

_UNMERGED = 48
"""
Spans of a row that are kept by themselves, though they equal the one before.
"""

MOST_MARKS = 16
"""
Marks that a lane may have; later ones are dropped.
"""

VARIOUS = "various"
"""
The outcome of merged spans that did not all have the same one.
"""

STOPPED = "stopped"
"""
The outcome of a span that the end of the race ended.
"""


class SpanRecorder:
    """
    Records spans that follow each other; the last of them may still be open.
    """

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._open: tuple[float, str] | None = None

    def start(self, at: float, what: str) -> None:
        """
        Open a span, and end the one that is still open.
        """
        self.end(at, "over")
        self._open = (at, what)

    def end(self, at: float, outcome: str) -> bool:
        """
        End the open span.

        @return: whether there was one.
        """
        if self._open is None:
            return False
        (start, what), self._open = self._open, None
        self._add(Span(start, at, what, outcome))
        return True

    def _add(self, span: Span) -> None:
        spans, merged = self._spans, ""
        if len(spans) >= _UNMERGED and spans[-1].what == span.what:
            last = spans[-1]
            merged = span.outcome if last.outcome == span.outcome else ""
            if len(spans) >= MOST_SPANS:
                merged = merged or VARIOUS
        if merged:
            count = spans.pop().count + 1
            span = Span(last.start, span.end, span.what, merged, count)
        if len(spans) < MOST_SPANS:
            spans.append(span)

    def __bool__(self) -> bool:
        """
        Whether there is any span, ended or open.
        """
        return bool(self._spans) or self._open is not None

    def snapshot(self, now: float) -> tuple[Span, ...]:
        """
        The spans until C{now}, the open one included.
        """
        if self._open is None:
            return tuple(self._spans)
        start, what = self._open
        return (*self._spans, Span(start, now, what))


class LaneRecorder:
    """
    Records what was done with one party or one pair of addresses, and what became of
    their connection.

    A L{punch.trace.recorder.MeetingRecorder} makes two for the rendezvous and the peer,
    and L{punch.trace.lanes.Lanes} the others.  They live as long as the meeting's
    recorder; C{snapshot} answers with the lane as it is.

    @ivar title: as of L{Lane}.
    @ivar about: as of L{Lane}, without our own address.
    @ivar local: our address of the connection, in text form; empty without one.
    @ivar how: how the connection was made; empty without one.
    @ivar spans: what was done, above all connects.
    @ivar stages: what became of the connection.
    @ivar hasWon: whether the connection carries the link.
    """

    def __init__(self, title: str, about: str = "") -> None:
        self.title = title
        self.about = about
        self.local = ""
        self.how = ""
        self.spans = SpanRecorder()
        self.stages = SpanRecorder()
        self.hasWon = False
        self._marks: list[Mark] = []
        self._outcomes: Counter[str] = Counter()

    def mark(self, at: float, text: str) -> None:
        """
        Add a mark, if there is room for it.
        """
        if len(self._marks) < MOST_MARKS:
            self._marks.append(Mark(at, text))

    def replaceMark(self, text: str) -> None:
        """
        Give the latest mark, if there is one, another text.
        """
        if self._marks:
            self._marks.append(Mark(self._marks.pop().at, text))

    def connectStarted(self, at: float, remote: str = "") -> None:
        """
        A connect began.
        """
        self.spans.start(at, "connect")

    def connectEnded(self, at: float, outcome: str, remote: str = "") -> None:
        """
        The connect ended, if one was open.
        """
        if self.spans.end(at, outcome) and outcome != "connected":
            self._outcomes[outcome] += 1

    def connectionRejected(self, at: float, outcome: str) -> None:
        """
        The connection ended without a path; a connect that is open beside it goes on.
        """
        if self.stages.end(at, outcome):
            self._outcomes[outcome] += 1

    def pathAttached(self, at: float) -> None:
        """
        The connection carries the link from now on.
        """
        self.stages.end(at, "attached")
        self.stages.start(at, "link")

    def pathReplaced(self, at: float) -> None:
        """
        The connection carried the link, and now a better one does.
        """
        self.hasWon = False
        self.stages.end(at, "left")
        self._outcomes["won, then left for a better one"] += 1

    def raceEnded(self, at: float, isLost: bool) -> None:
        """
        Stop what is still open, but not the link.

        @param isLost: whether no connection at all has won.
        """
        if self.spans.end(at, STOPPED):
            self._outcomes["no answer yet"] += 1
        if not self.hasWon and self.stages.end(at, STOPPED):
            late = "connected, no path in time" if isLost else "connected, too late"
            self._outcomes[late] += 1

    def _result(self) -> str:
        if self.hasWon:
            return "won"
        counts = self._outcomes.most_common(4)
        return "; ".join(f"{n} {what}" if n > 1 else what for what, n in counts)

    def snapshot(self, now: float) -> Lane:
        """
        The lane as it is at C{now}.
        """
        about = f"{self.about}, from {self.local}" if self.local else self.about
        return Lane(
            self.title,
            about,
            self.spans.snapshot(now),
            self.stages.snapshot(now),
            tuple(self._marks),
            self._result(),
            self.hasWon,
        )

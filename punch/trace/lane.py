"""
The track: a lane in the making, of one party or of one pair of addresses.

The row: spans one after another, in the making.

It stays small however much happens: each is kept by itself as long as there are few,
then those in a row that are alike are one.
"""

from __future__ import annotations

from collections import Counter

from punch.trace.model import Lane, Mark, Span

MOST_SPANS = 64
_SINGLE = 48
"""
Spans that a row may have, and those that are kept though they resemble each other.
"""

VARIOUS = "various"


class Row:
    """
    Spans, of which the last may go on.
    """

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._open: tuple[float, str] | None = None

    def begin(self, at: float, what: str) -> None:
        """
        Something begins; what went on before it has ended.
        """
        self.end(at, "over")
        self._open = (at, what)

    def end(self, at: float, outcome: str) -> bool:
        """
        @return: whether something went on.
        """
        if self._open is None:
            return False
        (start, what), self._open = self._open, None
        self._keep(Span(start, at, what, outcome))
        return True

    def _keep(self, span: Span) -> None:
        spans, alike = self._spans, ""
        if len(spans) >= _SINGLE and spans[-1].what == span.what:
            last = spans[-1]
            alike = span.outcome if last.outcome == span.outcome else ""
            if len(spans) >= MOST_SPANS:
                alike = alike or VARIOUS
        if alike:
            count = spans.pop().count + 1
            span = Span(last.start, span.end, span.what, alike, count)
        if len(spans) < MOST_SPANS:
            spans.append(span)

    def __bool__(self) -> bool:
        """
        Whether there is any.
        """
        return bool(self._spans) or self._open is not None

    def at(self, now: float) -> tuple[Span, ...]:
        """
        What there is at C{now}.
        """
        going = () if self._open is None else (Span(self._open[0], now, self._open[1]),)
        return (*self._spans, *going)


MOST_MARKS = 16

STOPPED = "stopped"


class Track:
    """
    What was done there, and what became of the connection.
    """

    def __init__(self, title: str, about: str = "") -> None:
        self.title = title
        self.about = about
        self.local = ""
        self.how = ""
        self.spans = Row()
        self.stages = Row()
        self.hasWon = False
        self._marks: list[Mark] = []
        self._outcomes: Counter[str] = Counter()

    def mark(self, at: float, text: str) -> None:
        """
        Something happened.
        """
        if len(self._marks) < MOST_MARKS:
            self._marks.append(Mark(at, text))

    def remark(self, text: str) -> None:
        """
        What just happened is better said so.
        """
        if self._marks:
            self._marks.append(Mark(self._marks.pop().at, text))

    def begin(self, at: float, remote: str = "") -> None:
        """
        A connect began.
        """
        self.spans.begin(at, "connect")

    def tried(self, at: float, outcome: str, remote: str = "") -> None:
        """
        A connect came to its outcome.
        """
        if self.spans.end(at, outcome) and outcome != "connected":
            self._outcomes[outcome] += 1

    def rejected(self, at: float, outcome: str) -> None:
        """
        The connection came to nothing; a connect that is pending beside it goes on.
        """
        if self.stages.end(at, outcome):
            self._outcomes[outcome] += 1

    def attached(self, at: float) -> None:
        """
        Its connection carries the link.
        """
        self.stages.end(at, "attached")
        self.stages.begin(at, "link")

    def overtaken(self, at: float) -> None:
        """
        It had won, and now a better one has.
        """
        self.hasWon = False
        self.stages.end(at, "left")
        self._outcomes["won, then left for a better one"] += 1

    def stop(self, at: float, isLost: bool) -> None:
        """
        The race is over for it; C{isLost}: for all.
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

    def at(self, now: float) -> Lane:
        """
        The lane as it is at C{now}.
        """
        about = f"{self.about}, from {self.local}" if self.local else self.about
        return Lane(
            self.title,
            about,
            self.spans.at(now),
            self.stages.at(now),
            tuple(self._marks),
            self._result(),
            self.hasWon,
        )

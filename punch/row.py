"""
The row: spans one after another, in the making.

It stays small however much happens: each is kept by itself as long as there are few,
then those in a row that are alike are one.
"""

from __future__ import annotations

from punch.trace import Span

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

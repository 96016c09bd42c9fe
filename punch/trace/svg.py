"""
The SVG picture of traces.

There is a lane for each party and each pair of addresses, and time goes from left to
right.  The first row of a lane has the connects, the next what became of a connection,
and those below what happened at one instant.  Words stand where there is room for them;
every item has a tooltip, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from textwrap import wrap

from punch.trace.markup import element, escaped
from punch.trace.model import Lane, Mark, Span, Trace
from punch.trace.text import milliseconds, shortened, spanText

_TICKS = 8


@dataclass(frozen=True)
class TimeAxis:
    """
    The axis of a picture: it maps times to places.

    @ivar until: the time at the right end, in seconds; that at the left end is 0.
    @ivar left: where the left end is, in the picture's units.
    @ivar right: where the right end is.
    """

    until: float
    left: float
    right: float

    def x(self, at: float) -> float:
        """
        Where a time lies; if it is not in the picture, at the nearer end.
        """
        part = min(max(at / self.until, 0.0), 1.0)
        return self.left + part * (self.right - self.left)

    def shows(self, at: float) -> bool:
        """
        Whether a time is in the picture, and not after its end.
        """
        return at <= self.until

    def ticks(self) -> list[tuple[float, str]]:
        """
        The round times that are marked, each with its label.
        """
        step = _round(self.until / _TICKS)
        count = int(self.until / step + 1e-6)
        return [(n * step, _label(n * step, step)) for n in range(count + 1)]


def _round(least: float) -> float:
    """
    The least of 1, 2, 5, 10, 20... microseconds that is not less than C{least} seconds.
    """
    unit = 1e-6
    while True:
        for part in (1, 2, 5):
            if unit * part >= least:
                return unit * part
        unit *= 10


def _label(at: float, step: float) -> str:
    if step >= 1:
        return f"{at:.0f} s"
    return f"{at * 1000:.0f} ms" if step >= 0.001 else f"{at * 1000:.3g} ms"


WIDTH = 1200
_LEFT = 290
_RIGHT = 1010
_TOP = 44
"""
The picture's width, and where the axis begins and ends in it, and the lanes begin.
"""

_HEAD = 26
_ROW = 17
_BAR = 13
_LINE = 14
_PAD = 6
"""
Heights: of a headline, a row, a bar in a row, a line of words, a lane's margin.
"""

_LEAST_GAP = 3.0
"""
The least distance between two lines that each mark where a connect began.
"""

_MOST_ROWS = 3
"""
Rows that a lane's marks may have.
"""

_LETTER = 6.1
"""
The width of a letter, roughly.
"""

COLORS = {
    "connect": "pending",
    "answers awaited": "pending",
    "ask": "ask",
    "wait": "wait",
    "details awaited": "wait",
    "TLS": "tls",
    "connection": "tls",
    "pin awaited": "wait",
    "attach": "attach",
    "attach awaited": "wait",
    "link": "link",
}
"""
The style of a span by what it is...
"""

OUTCOMES = {
    "connected": "good",
    "refused": "refused",
    "timed out": "silent",
    "taken": "taken",
    "unreachable": "silent",
    "rejected": "bad",
    "wrong pin": "bad",
    "stopped": "stopped",
    "various": "various",
    "begun": "begun",
}
"""
...and by how it ended, which takes precedence.
"""


def styleOf(span: Span) -> str:
    """
    The style of a span: the CSS class that gives it its color.
    """
    if span.what not in ("ask", "wait"):
        style = OUTCOMES.get(span.outcome)
        if style is not None:
            return style
    return COLORS.get(span.what, "bad" if span.outcome else "pending")


@dataclass(frozen=True)
class _Item:
    """
    Something in a row: from where to where it reaches, and what is shown of it.

    @ivar shape: markup.
    @ivar words: stand inside or beside the shape, if there is room.
    @ivar tip: the tooltip.
    """

    start: float
    end: float
    shape: str
    words: str
    tip: str


def renderSVG(traces: Sequence[Trace], until: float) -> str:
    """
    An SVG element with all lanes of the traces.

    @param traces: one side's trace, or both sides' on one axis.
    @param until: the time at the picture's right end, in seconds.
    """
    axis = TimeAxis(max(until, 1e-3), _LEFT, _RIGHT)
    backs, fronts, y = [], [], float(_TOP)
    for trace in traces:
        fronts.append(_headline(trace, y))
        y += _HEAD
        for lane in filter(partial(_isIn, axis), trace.lanes):
            back, front, y = _lane(lane, axis, y)
            backs.append(back)
            fronts.append(front)
    return element(
        "svg",
        element("title", escaped(traces[0].verdict)),
        *backs,
        _grid(axis, y),
        *_instants(traces, axis, y),
        *fronts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {y + 8:.0f}",
        role="img",
    )


def _isIn(axis: TimeAxis, lane: Lane) -> bool:
    """
    Whether a lane is shown: it is empty, or something in it is in the picture.
    """
    starts = [each.start for each in (*lane.spans, *lane.stages)]
    starts += (each.at for each in lane.marks)
    return not starts or any(map(axis.shows, starts))


def _grid(axis: TimeAxis, bottom: float) -> str:
    lines = []
    for at, name in axis.ticks():
        x = axis.x(at)
        lines.append(element("path", d=f"M{x:.1f} {_TOP}V{bottom:.1f}"))
        lines.append(element("text", escaped(name), x=x, y=16, text__anchor="middle"))
    return element("g", *lines, class_="grid")


def _instants(traces: Sequence[Trace], axis: TimeAxis, bottom: float) -> Iterator[str]:
    """
    Lines across all lanes, where both sides start and where a path won.
    """
    trace = traces[0]
    for at, style, words, anchor in (
        (trace.start, "start", "both start", "end"),
        (trace.won, "won", "won", "start"),
    ):
        if at is None or not axis.shows(at):
            continue
        x, label = axis.x(at), f"{words}, {milliseconds(at)}"
        aside = x - 4 if anchor == "end" else x + 4
        yield element(
            "g",
            element("path", d=f"M{x:.1f} 25V{bottom:.1f}"),
            element("text", escaped(label), x=aside, y=36, text__anchor=anchor),
            class_=f"instant {style}",
        )


def _headline(trace: Trace, y: float) -> str:
    """
    A headline: whose lanes follow, and what that side says came of the meeting.
    """
    return element(
        "g",
        element("rect", class_="head", x=0, y=y, width=WIDTH, height=_HEAD),
        element("text", escaped(trace.role), class_="role", x=10, y=y + 18),
        element("text", escaped(shortened(trace.verdict, 140)), x=_LEFT, y=y + 17),
    )


def _lane(lane: Lane, axis: TimeAxis, y: float) -> tuple[str, str, float]:
    """
    @return: the lane's background, what lies before that, and where the lane ends.
    """
    rows = [
        _placed(_spans(lane.spans, axis, isTicked=True)),
        _placed(_spans(lane.stages, axis, isTicked=False)),
        *_rows(list(_marks(lane.marks, axis))),
    ]
    rows = [row for row in rows if row]
    about = wrap(lane.about, 46, max_lines=2, placeholder=" …")
    result = wrap(lane.result, 27, max_lines=3, placeholder=" …")
    tallest = max(_ROW * len(rows), _LINE * (1 + len(about)), _LINE * len(result))
    height = tallest + 2 * _PAD
    style = "lane winner" if lane.hasWon else "lane"
    back = element("rect", class_="back", x=0, y=y, width=WIDTH, height=height)
    parts = [
        *_title(lane.title, about, y + _PAD),
        *_column(result, _RIGHT + 12, y + _PAD, "result"),
    ]
    for number, row in enumerate(rows):
        parts += _row(row, y + _PAD + number * _ROW)
    front = element("g", *parts, class_=style)
    return element("g", back, class_=style), front, y + height


def _title(title: str, about: list[str], y: float) -> Iterator[str]:
    shown = shortened(title, 50)
    size = "title long" if len(shown) > 34 else "title"
    yield element("text", escaped(shown), class_=size, x=10, y=y + 11)
    yield from _column(about, 10, y + _LINE, "about")


def _column(lines: list[str], x: float, y: float, style: str) -> Iterator[str]:
    for number, line in enumerate(lines):
        at = y + 11 + number * _LINE
        yield element("text", escaped(shortened(line, 60)), class_=style, x=x, y=at)


def _spans(spans: Sequence[Span], axis: TimeAxis, isTicked: bool) -> Iterator[_Item]:
    ticked = 0.0
    for span in spans:
        if not axis.shows(span.start):
            continue
        start = axis.x(span.start)
        end = max(axis.x(span.end), start + 1.0)
        shown = span if axis.shows(span.end) else _unfinished(span)
        style, width = styleOf(shown), end - start
        bar = element("rect", class_=style, x=start, width=width, height=_BAR)
        if isTicked and start - ticked >= _LEAST_GAP:
            # So that each connect is seen, though they follow each other at once.
            ticked = start
            bar += element("path", class_="began", d=f"M{start:.1f} -1v{_BAR + 2}")
        yield _Item(start, end, bar, _words(shown), spanText(span))


def _unfinished(span: Span) -> Span:
    """
    A span that ends after the picture's end, as it is until then.
    """
    if span.count > 1:
        # Some of them have ended by then, but we do not know how many.
        return replace(span, count=1)
    return replace(span, outcome="")


def _words(span: Span) -> str:
    many = f"{span.count} x " if span.count > 1 else ""
    shown = span.outcome if span.what in ("connect", "ask") else ""
    if span.what == "connect" and not shown:
        shown = "connecting"
    if OUTCOMES.get(span.outcome) == "bad":
        shown = f"{span.what}: {span.outcome}"
    return many + (shown or span.what)


def _marks(marks: Sequence[Mark], axis: TimeAxis) -> Iterator[_Item]:
    for mark in marks:
        if axis.shows(mark.at):
            x, half = axis.x(mark.at), _BAR / 2
            shape = element(
                "path", class_="mark", d=f"M{x:.1f} {half}m0 -4l4 4l-4 4l-4 -4z"
            )
            tip = f"{mark.text}, {milliseconds(mark.at)}"
            yield _Item(x - 4, x + 4, shape, mark.text, tip)


_Row = list[tuple[_Item, str]]
"""
Items, each with its words as markup, which are empty if there is no room for them.
"""


def _placed(items: Iterable[_Item]) -> _Row:
    """
    A row of items, with each item's words inside it or beside it.
    """
    items, free, row = list(items), float(_LEFT), []
    ends = [*(each.start for each in items[1:]), float(_RIGHT)]
    for item, following in zip(items, ends, strict=False):
        words, free = _place(item, free, following)
        row.append((item, words))
    return row


def _rows(items: list[_Item]) -> list[_Row]:
    """
    As many rows as it takes for all items to have their words, but no more than
    L{_MOST_ROWS}.
    """
    rows: list[_Row] = []
    while items and len(rows) < _MOST_ROWS - 1:
        kept: list[_Item] = []
        later: list[_Item] = []
        for item in items:
            fits = all(words for _, words in _placed([*kept, item]))
            (kept if fits or not kept else later).append(item)
        rows.append(_placed(kept))
        items = later
    return [*rows, _placed(items)]


def _row(row: _Row, y: float) -> Iterator[str]:
    for item, words in row:
        tip = element("title", escaped(item.tip))
        place = f"translate(0 {y:.1f})"
        yield element("g", tip, item.shape, words, transform=place)


def _place(item: _Item, free: float, following: float) -> tuple[str, float]:
    """
    Place an item's words.

    @param free: from where on there is room to the left of the item.
    @param following: where the next item begins.
    @return: the words as markup, empty if they do not fit; and from where on there is
        room after them.
    """
    need = len(item.words) * _LETTER + 8
    if need <= item.end - item.start:
        return _text(item.words, item.start + 4, "inside"), item.end
    if item.end + need <= following:
        return _text(item.words, item.end + 4, "beside"), item.end + need
    if item.start - need >= free:
        return _text(item.words, item.start - need + 4, "beside"), item.end
    return "", item.end


def _text(words: str, x: float, style: str) -> str:
    return element("text", escaped(words), class_=f"words {style}", x=x, y=10)

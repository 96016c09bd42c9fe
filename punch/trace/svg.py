"""
Swimlanes: traces as SVG.

A lane for each party and each pair of addresses, time from left to right.  In a lane
connects lie above what became of a connection, and below is what happened at one
instant.  Words stand where there is room; each thing has its own as a tooltip, too.

The ruler: where a time lies in a picture, and where its axis is marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from textwrap import wrap

from punch.trace.markup import element, plain
from punch.trace.model import Lane, Mark, Span, Trace
from punch.trace.text import cut, milliseconds, spanText

_TICKS = 8


@dataclass(frozen=True)
class TimeAxis:
    """
    Times from 0 to C{until} seconds, between C{left} and C{right}.
    """

    until: float
    left: float
    right: float

    def x(self, at: float) -> float:
        """
        Where a time lies; at an end, if it is not in the picture.
        """
        part = min(max(at / self.until, 0.0), 1.0)
        return self.left + part * (self.right - self.left)

    def shows(self, at: float) -> bool:
        """
        Whether a time is in the picture.
        """
        return at <= self.until

    def ticks(self) -> list[tuple[float, str]]:
        """
        Round times that are marked, and what they are called.
        """
        event = _round(self.until / _TICKS)
        count = int(self.until / event + 1e-6)
        return [(n * event, _named(n * event, event)) for n in range(count + 1)]


def _round(least: float) -> float:
    """
    The first of 1, 2, 5, 10, 20... (of whatever unit) that is not less.
    """
    unit = 1e-6
    while True:
        for part in (1, 2, 5):
            if unit * part >= least:
                return unit * part
        unit *= 10


def _named(at: float, event: float) -> str:
    if event >= 1:
        return f"{at:.0f} s"
    return f"{at * 1000:.0f} ms" if event >= 0.001 else f"{at * 1000:.3g} ms"


WIDTH = 1200
_LEFT = 290
_RIGHT = 1010
_ROW = 17
_BAR = 13
_LINE = 14
_PAD = 6
_HEAD = 26
_TOP = 44
_APART = 3.0
_MOST_ROWS = 3
_LETTER = 6.1
"""
How wide a letter is, about.
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
What a span is drawn as, by what it is...
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
...and by how it ended, which counts for more.
"""


def styleOf(span: Span) -> str:
    """
    The name by which a span gets its color.
    """
    if span.what not in ("ask", "wait"):
        style = OUTCOMES.get(span.outcome)
        if style is not None:
            return style
    return COLORS.get(span.what, "bad" if span.outcome else "pending")


@dataclass(frozen=True)
class _Item:
    """
    Something in a row: from where to where, its shape, its words, its tooltip.
    """

    start: float
    end: float
    shape: str
    words: str
    tip: str


def drawing(traces: Sequence[Trace], until: float) -> str:
    """
    An SVG element.

    @param traces: one, or both sides' on one axis.
    @param until: where the picture ends, in seconds.
    """
    ruler = TimeAxis(max(until, 1e-3), _LEFT, _RIGHT)
    backs, fronts, y = [], [], float(_TOP)
    for trace in traces:
        fronts.append(_headline(trace, y))
        y += _HEAD
        for lane in filter(partial(_isIn, ruler), trace.lanes):
            back, front, y = _lane(lane, ruler, y)
            backs.append(back)
            fronts.append(front)
    return element(
        "svg",
        element("title", plain(traces[0].verdict)),
        *backs,
        _grid(ruler, y),
        *_instants(traces, ruler, y),
        *fronts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {y + 8:.0f}",
        role="img",
    )


def _isIn(ruler: TimeAxis, lane: Lane) -> bool:
    """
    Whether a lane has something in the picture; one that has nothing at all is shown.
    """
    starts = [each.start for each in (*lane.spans, *lane.stages)]
    starts += (each.at for each in lane.marks)
    return not starts or any(map(ruler.shows, starts))


def _grid(ruler: TimeAxis, bottom: float) -> str:
    lines = []
    for at, name in ruler.ticks():
        x = ruler.x(at)
        lines.append(element("path", d=f"M{x:.1f} {_TOP}V{bottom:.1f}"))
        lines.append(element("text", plain(name), x=x, y=16, text__anchor="middle"))
    return element("g", *lines, class_="grid")


def _instants(traces: Sequence[Trace], ruler: TimeAxis, bottom: float) -> Iterator[str]:
    """
    The two instants that concern every lane.
    """
    trace = traces[0]
    for at, style, words, anchor in (
        (trace.start, "start", "both start", "end"),
        (trace.won, "won", "won", "start"),
    ):
        if at is None or not ruler.shows(at):
            continue
        x, label = ruler.x(at), f"{words}, {milliseconds(at)}"
        aside = x - 4 if anchor == "end" else x + 4
        yield element(
            "g",
            element("path", d=f"M{x:.1f} 25V{bottom:.1f}"),
            element("text", plain(label), x=aside, y=36, text__anchor=anchor),
            class_=f"instant {style}",
        )


def _headline(trace: Trace, y: float) -> str:
    """
    Whose lanes follow, and what that side says came of it.
    """
    return element(
        "g",
        element("rect", class_="head", x=0, y=y, width=WIDTH, height=_HEAD),
        element("text", plain(trace.role), class_="role", x=10, y=y + 18),
        element("text", plain(cut(trace.verdict, 140)), x=_LEFT, y=y + 17),
    )


def _lane(lane: Lane, ruler: TimeAxis, y: float) -> tuple[str, str, float]:
    """
    @return: what lies behind it, what is before that, and where it ends.
    """
    rows = [
        _placed(_spans(lane.spans, ruler, isTicked=True)),
        _placed(_spans(lane.stages, ruler, isTicked=False)),
        *_apart(list(_marks(lane.marks, ruler))),
    ]
    rows = [row for row in rows if row]
    about = wrap(lane.about, 46, max_lines=2, placeholder=" …")
    result = wrap(lane.result, 27, max_lines=3, placeholder=" …")
    tallest = max(_ROW * len(rows), _LINE * (1 + len(about)), _LINE * len(result))
    height = tallest + 2 * _PAD
    style = "lane winner" if lane.hasWon else "lane"
    back = element("rect", class_="back", x=0, y=y, width=WIDTH, height=height)
    parts = [
        *_label(lane.title, about, y + _PAD),
        *_column(result, _RIGHT + 12, y + _PAD, "result"),
    ]
    for number, row in enumerate(rows):
        parts += _row(row, y + _PAD + number * _ROW)
    front = element("g", *parts, class_=style)
    return element("g", back, class_=style), front, y + height


def _label(title: str, about: list[str], y: float) -> Iterator[str]:
    shown = cut(title, 50)
    size = "title long" if len(shown) > 34 else "title"
    yield element("text", plain(shown), class_=size, x=10, y=y + 11)
    yield from _column(about, 10, y + _LINE, "about")


def _column(lines: list[str], x: float, y: float, style: str) -> Iterator[str]:
    for number, line in enumerate(lines):
        at = y + 11 + number * _LINE
        yield element("text", plain(cut(line, 60)), class_=style, x=x, y=at)


def _spans(spans: Sequence[Span], ruler: TimeAxis, isTicked: bool) -> Iterator[_Item]:
    ticked = 0.0
    for span in spans:
        if not ruler.shows(span.start):
            continue
        start = ruler.x(span.start)
        end = max(ruler.x(span.end), start + 1.0)
        shown = span if ruler.shows(span.end) else _unfinished(span)
        style, width = styleOf(shown), end - start
        bar = element("rect", class_=style, x=start, width=width, height=_BAR)
        if isTicked and start - ticked >= _APART:
            # Where a connect began, though the next one follows at once.
            ticked = start
            bar += element("path", class_="began", d=f"M{start:.1f} -1v{_BAR + 2}")
        yield _Item(start, end, bar, _words(shown), spanText(span))


def _unfinished(span: Span) -> Span:
    """
    A span that ends only after the picture: in that it goes on.
    """
    if span.count > 1:
        # Some of them are over; how many is not known.
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


def _marks(marks: Sequence[Mark], ruler: TimeAxis) -> Iterator[_Item]:
    for mark in marks:
        if ruler.shows(mark.at):
            x, half = ruler.x(mark.at), _BAR / 2
            shape = element(
                "path", class_="mark", d=f"M{x:.1f} {half}m0 -4l4 4l-4 4l-4 -4z"
            )
            tip = f"{mark.text}, {milliseconds(mark.at)}"
            yield _Item(x - 4, x + 4, shape, mark.text, tip)


@dataclass(frozen=True)
class _Placed:
    """
    An item, and its words where there is room for them.
    """

    item: _Item
    words: str


def _placed(items: Iterable[_Item]) -> list[_Placed]:
    """
    A row: each item's words inside it, or beside.
    """
    row, free = list(items), float(_LEFT)
    placed = []
    for number, item in enumerate(row):
        following = row[number + 1].start if number + 1 < len(row) else _RIGHT
        words, free = _place(item, free, following)
        placed.append(_Placed(item, words))
    return placed


def _apart(items: list[_Item]) -> list[list[_Placed]]:
    """
    As many rows as it takes for all to have their words, up to some.
    """
    rows: list[list[_Placed]] = []
    while items and len(rows) < _MOST_ROWS - 1:
        kept: list[_Item] = []
        later: list[_Item] = []
        for item in items:
            fits = all(each.words for each in _placed([*kept, item]))
            (kept if fits or not kept else later).append(item)
        rows.append(_placed(kept))
        items = later
    return [*rows, _placed(items)]


def _row(row: list[_Placed], y: float) -> Iterator[str]:
    for each in row:
        yield element(
            "g",
            element("title", plain(each.item.tip)),
            each.item.shape,
            each.words,
            transform=f"translate(0 {y:.1f})",
        )


def _place(item: _Item, free: float, following: float) -> tuple[str, float]:
    """
    @param free: where there is room to the left of it, from where on.
    @param following: where the next one begins.
    @return: the words where they fit, and where room begins after them.
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
    return element("text", plain(words), class_=f"words {style}", x=x, y=10)

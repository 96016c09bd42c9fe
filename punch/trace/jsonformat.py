"""
Traces as JSON: written for scripts, and for the other side, which may draw both.

What is read comes from elsewhere, so it is taken for what it may be: anything.
Fields that we do not know are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, TypeVar

from punch.trace.model import Lane, Mark, Span, Trace
from punch.trace.text import cut

VERSION = 1

MOST_BYTES = 4 << 20
"""
A file that is larger is none of ours.
"""

_LONGEST_TEXT = 500
_MOST = 80
"""
Of a list, as many are read.  (A chronicle makes fewer.)
"""

_FARTHEST = 1e10
"""
Seconds that are still a time.
"""

_BAD = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
)

T = TypeVar("T")


class BadTrace(ValueError):
    """
    This is no trace.
    """


def tracesToJSON(traces: Iterable[Trace]) -> str:
    """
    A JSON object: C{version}, and C{meetings}, each a L{Trace}.
    """
    return document(map(meetingJSON, traces))


def meetingJSON(trace: Trace) -> str:
    """
    One meeting as JSON.
    """
    return json.dumps(_rounded(asdict(trace)), indent=1)


def document(meetings: Iterable[str]) -> str:
    """
    All of them, each as of L{meetingJSON}.
    """
    inside = ",\n".join(meetings)
    return f'{{"version": {VERSION}, "meetings": [\n{inside}\n]}}\n'


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(each) for each in value]
    return value


def tracesFromJSON(data: bytes) -> list[Trace]:
    """
    Read what L{tracesToJSON} has written.

    @raise BadTrace: C{data} is anything else.
    """
    if len(data) > MOST_BYTES:
        raise BadTrace("too large")
    try:
        found = json.loads(data)
        if found["version"] != VERSION:
            raise BadTrace("of another version")
        return _all(_trace, found["meetings"])
    except BadTrace:
        raise
    except _BAD as bad:
        raise BadTrace("not the shape of a trace") from bad


def _all(read: Callable[[Any], T], values: Any) -> list[T]:
    if not isinstance(values, list):
        raise TypeError("no list")
    return [read(each) for each in values[:_MOST]]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return cut(value, _LONGEST_TEXT)


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("no time")
    if not 0 <= value <= _FARTHEST:
        raise ValueError("no time")
    return float(value)


def _maybe(value: Any) -> float | None:
    return None if value is None else _time(value)


def _span(value: Any) -> Span:
    start, end = _time(value["start"]), _time(value["end"])
    what, outcome = _text(value["what"]), _text(value["outcome"])
    return Span(start, max(start, end), what, outcome, int(_time(value["count"])))


def _mark(value: Any) -> Mark:
    return Mark(_time(value["at"]), _text(value["text"]))


def _lane(value: Any) -> Lane:
    return Lane(
        title=_text(value["title"]),
        about=_text(value["about"]),
        spans=tuple(_all(_span, value["spans"])),
        stages=tuple(_all(_span, value["stages"])),
        marks=tuple(_all(_mark, value["marks"])),
        result=_text(value["result"]),
        hasWon=value["hasWon"] is True,
    )


def _trace(value: Any) -> Trace:
    return Trace(
        role=_text(value["role"]),
        introduction=_text(value["introduction"]),
        began=_time(value["began"]),
        length=_time(value["length"]),
        verdict=_text(value["verdict"]),
        state=_text(value["state"]),
        lanes=tuple(_all(_lane, value["lanes"])),
        start=_maybe(value["start"]),
        won=_maybe(value["won"]),
        detail=_text(value.get("detail", "")),
    )

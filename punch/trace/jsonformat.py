"""
The JSON format of traces, for scripts, and for the other side to join with its own.

A file that is read comes from elsewhere, so nothing in it is trusted.  Fields that we
do not know are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from functools import partial
from typing import Any, TypeVar, get_type_hints

from punch.trace.model import Lane, Mark, Span, Trace
from punch.trace.text import shortened

VERSION = 1

MOST_BYTES = 4 << 20
"""
Bytes that a file may have.
"""

_LONGEST_TEXT = 500
"""
Characters that are read of a text.
"""

_LONGEST_LIST = 80
"""
Items that are read of a list.  (A L{punch.trace.recorder.MeetingRecorder} makes fewer.)
"""

_LATEST = 1e10
"""
Seconds that a time may be.
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
    What was read is not a trace in our format.
    """


def tracesToJSON(traces: Iterable[Trace]) -> str:
    """
    Traces as a JSON document: an object with C{version}, and C{meetings}, each of
    which has the fields of a L{Trace}.
    """
    return tracesDocument(map(traceToJSON, traces))


def traceToJSON(trace: Trace) -> str:
    """
    One trace as a JSON object.
    """
    return json.dumps(_rounded(asdict(trace)), indent=1)


def tracesDocument(meetings: Iterable[str]) -> str:
    """
    The document that has these meetings, each written by L{traceToJSON}.
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

    @raise BadTrace: C{data} is something else.
    """
    if len(data) > MOST_BYTES:
        raise BadTrace("too large")
    try:
        found = json.loads(data)
        if found["version"] != VERSION:
            raise BadTrace("of another version")
        return list(_list(_trace, found["meetings"]))
    except BadTrace:
        raise
    except _BAD as bad:
        raise BadTrace("not the shape of a trace") from bad


def _list(read: Callable[[Any], T], values: Any) -> tuple[T, ...]:
    if not isinstance(values, list):
        raise TypeError("no list")
    return tuple(read(each) for each in values[:_LONGEST_LIST])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return shortened(value, _LONGEST_TEXT)


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("no time")
    if not 0 <= value <= _LATEST:
        raise ValueError("no time")
    return float(value)


def _object(kind: type[T], value: Any) -> T:
    """
    Read an object with the fields of a dataclass, each according to its type.
    """
    hints = get_type_hints(kind)
    return kind(**{name: _READERS[hint](value[name]) for name, hint in hints.items()})


def _span(value: Any) -> Span:
    span = _object(Span, value)
    return replace(span, end=max(span.start, span.end))


def _trace(value: Any) -> Trace:
    # Older files have no detail.
    return _object(Trace, {"detail": "", **value})


_READERS: dict[Any, Callable[[Any], Any]] = {
    str: _text,
    float: _time,
    int: lambda value: int(_time(value)),
    bool: lambda value: value is True,
    float | None: lambda value: None if value is None else _time(value),
    tuple[Span, ...]: partial(_list, _span),
    tuple[Mark, ...]: partial(_list, partial(_object, Mark)),
    tuple[Lane, ...]: partial(_list, partial(_object, Lane)),
}
"""
How a field of each type is read.
"""

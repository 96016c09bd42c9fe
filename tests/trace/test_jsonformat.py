"""
Tests for L{punch.trace.jsonformat}.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.trace.html import tracePage
from punch.trace.jsonformat import MOST_BYTES, BadTrace, tracesFromJSON, tracesToJSON
from punch.trace.svg import renderSVG
from punch.traceevents import RaceFailed
from tests.support.strategies import jsons
from tests.support.traces import ANSWERED, DIRECT, RENDEZVOUS, traceOf


def test_shape() -> None:
    """
    The document has the shape that the documentation says.
    """
    found = json.loads(tracesToJSON([traceOf(DIRECT), traceOf(ANSWERED, "listener")]))
    assert found["version"] == 1
    assert [each["role"] for each in found["meetings"]] == ["dialer", "listener"]
    [span, *_] = found["meetings"][0]["lanes"][0]["spans"]
    assert span == {
        "start": 0.0,
        "end": 0.08,
        "what": "connect",
        "outcome": "connected",
        "count": 1,
    }


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """
    The paths to everything that is in a JSON value.
    """
    found = [path]
    keys: list[Any] = list(value) if isinstance(value, dict) else []
    if isinstance(value, list):
        keys = list(range(len(value)))
    for key in keys:
        found += _paths(value[key], (*path, key))
    return found


GOOD = json.loads(tracesToJSON([traceOf(DIRECT)]))
PATHS = _paths(GOOD)


def _with(path: tuple[Any, ...], value: Any) -> bytes:
    """
    A good file with one value replaced.
    """
    if not path:
        return json.dumps(value).encode()
    changed = json.loads(json.dumps(GOOD))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(changed).encode()


@given(st.sampled_from(PATHS), jsons)
def test_anyValueAnywhere(path: tuple[Any, ...], value: Any) -> None:
    """
    Whatever replaces any part, there are traces or L{BadTrace}; and traces that were
    read can be rendered.
    """
    try:
        traces = tracesFromJSON(_with(path, value))
    except BadTrace:
        return
    assert tracePage([[each] for each in traces])
    assert all(renderSVG([each], each.length) for each in traces)


BAD = {
    "not JSON": b"{",
    "deep": b"[" * 100_000,
    "a huge number": b'{"version": 1, "meetings": [' + b"9" * 5000 + b"]}",
    "another version": b'{"version": 2, "meetings": []}',
    "no object": b"[1]",
    "no list": b'{"version": 1, "meetings": {}}',
    "large": b" " * (MOST_BYTES + 1),
    "no time": _with(("meetings", 0, "began"), float("nan")),
    "far": _with(("meetings", 0, "length"), 1e300),
    "endless": _with(("meetings", 0, "length"), 10**400),
    "before": _with(("meetings", 0, "won"), -1),
    "a flag": _with(("meetings", 0, "won"), True),
}


@pytest.mark.parametrize("data", BAD.values(), ids=list(BAD))
def test_bad(data: bytes) -> None:
    """
    What is not a trace raises L{BadTrace}.
    """
    with pytest.raises(BadTrace):
        tracesFromJSON(data)


def test_bounded() -> None:
    """
    A list and a text are only read up to a bound.
    """
    good = json.loads(tracesToJSON([traceOf(DIRECT)]))
    good["meetings"][0]["lanes"] *= 1000
    good["meetings"][0]["verdict"] = "x" * 10_000
    [trace] = tracesFromJSON(json.dumps(good).encode())
    assert len(trace.lanes) <= 80
    assert len(trace.verdict) <= 500


def test_unknownFields() -> None:
    """
    Fields that a later version adds are ignored.
    """
    good = json.loads(tracesToJSON([traceOf(DIRECT)]))
    good["more"] = good["meetings"][0]["more"] = 1
    assert tracesFromJSON(json.dumps(good).encode()) == [traceOf(DIRECT)]


def test_detail() -> None:
    """
    The detail of what was tried is read; an older file has none, and a text that is too
    long ends between two words.
    """
    lost = RaceFailed("no-answer", "Nobody.", "tried it " * 100)
    written = json.loads(tracesToJSON([traceOf([*RENDEZVOUS, (1.0, lost)])]))
    [read] = tracesFromJSON(json.dumps(written).encode())
    assert read.detail.startswith("tried it tried it")
    assert read.detail.endswith((" tried …", " it …"))
    del written["meetings"][0]["detail"]
    [read] = tracesFromJSON(json.dumps(written).encode())
    assert read.detail == ""

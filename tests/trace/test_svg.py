"""
Tests for L{punch.trace.svg}.
"""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.trace.html import tracePage
from punch.trace.model import Lane, Span, Trace, merged
from punch.trace.svg import WIDTH, TimeAxis, renderSVG, styleOf
from punch.traceevents import (
    ConnectEnded,
    ConnectStarted,
    PeerWithdrew,
    RaceEnded,
    TraversalStarted,
)
from tests.support.traces import (
    ANSWERED,
    DIRECT,
    HOST,
    PEER,
    RENDEZVOUS,
    TimedEvents,
    traceOf,
)

LABELS = {
    0.0005: ["0 ms", "0.1 ms", "0.2 ms"],
    0.030: ["0 ms", "5 ms", "10 ms"],
    0.4: ["0 ms", "50 ms", "100 ms"],
    30.0: ["0 s", "5 s", "10 s"],
}


@pytest.mark.parametrize("until", LABELS)
def test_labels(until: float) -> None:
    """
    Round times are marked, in milliseconds or seconds.
    """
    ticks = TimeAxis(until, 0.0, 100.0).ticks()
    assert [label for _, label in ticks][:3] == LABELS[until]


@given(st.floats(1e-3, 1e10), st.floats(0, 1e10))
def test_inside(until: float, at: float) -> None:
    """
    Every time lies between the ends, and not many times are marked.
    """
    axis = TimeAxis(until, 10.0, 20.0)
    assert 10.0 <= axis.x(at) <= 20.0
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 10
    assert all(axis.shows(each) for each, _ in ticks[:-1])


def test_ends() -> None:
    """
    The beginning is on the left, the end on the right.
    """
    axis = TimeAxis(2.0, 10.0, 20.0)
    assert (axis.x(0.0), axis.x(1.0), axis.x(2.0)) == (10.0, 15.0, 20.0)
    assert not axis.shows(2.1)


SVG = "{http://www.w3.org/2000/svg}"

STYLES = {
    Span(0, 1, "connect"): "pending",
    Span(0, 1, "connect", "connected"): "good",
    Span(0, 1, "connect", "refused"): "refused",
    Span(0, 1, "connect", "stopped"): "stopped",
    Span(0, 1, "connect", "relay-busy"): "pending",
    Span(0, 1, "ask", "introduced"): "ask",
    Span(0, 1, "connect", "begun", 9): "begun",
    Span(0, 1, "answers awaited"): "pending",
    Span(0, 1, "answers awaited", "over"): "pending",
    Span(0, 1, "answers awaited", "stopped"): "stopped",
    Span(0, 1, "TLS"): "tls",
    Span(0, 1, "TLS", "done"): "tls",
    Span(0, 1, "pin awaited", "wrong pin"): "bad",
    Span(0, 1, "attach awaited", "attached"): "wait",
    Span(0, 1, "link"): "link",
    Span(0, 1, "what nobody knows", "?"): "bad",
}


def parsed(traces: list[Trace], until: float = 0.5) -> Element:
    """
    A picture, read as XML.
    """
    return ElementTree.fromstring(renderSVG(traces, until))


def textsOf(picture: Element) -> list[str]:
    """
    The words that are visible in a picture.
    """
    return [each.text or "" for each in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("span", STYLES)
def test_styles(span: Span) -> None:
    """
    A span's style tells how it ended, or what it is.
    """
    assert styleOf(span) == STYLES[span]


def test_dial() -> None:
    """
    A picture says in words who did what and when.
    """
    shown = textsOf(parsed([traceOf(DIRECT)]))
    for words in (
        "dialer",
        "rendezvous",
        "sees us as 198.51.100.1:4040",
        "the other side",
        PEER,
        HOST,
        "both start, 170 ms",
        "won, 330 ms",
        "won",
        "no answer yet",
        "TLS",
        "0 ms",
        "500 ms",
    ):
        assert words in shown
    verdict = f"Direct in 330 ms: connected 10.0.0.2:4040 - {PEER}"
    assert verdict in shown


def test_tooltips() -> None:
    """
    Items that have no room for their words have a tooltip.
    """
    titles = [each.text for each in parsed([traceOf(DIRECT)]).iter(f"{SVG}title")]
    assert "connect: refused, 170 ms to 180 ms" in titles
    assert "won, direct, 330 ms" in titles


def test_bothSides() -> None:
    """
    The lanes of the two sides stand one below the other.
    """
    both = list(merged(traceOf(DIRECT), traceOf(ANSWERED, "listener")))
    shown = textsOf(parsed(both))
    assert shown.index("dialer") < shown.index("listener")


def test_noOverlap() -> None:
    """
    The words of a row do not overlap, and none are outside the picture.
    """
    manyMarks: TimedEvents = [(0.2 + n / 1000, PeerWithdrew("done")) for n in range(12)]
    picture = parsed([traceOf([*DIRECT, *manyMarks])])
    rows: dict[str, list[tuple[float, float]]] = {}
    for group in picture.iter(f"{SVG}g"):
        for text in group.findall(f"{SVG}text"):
            if "words" in text.get("class", ""):
                start = float(text.get("x", ""))
                end = start + 6 * len(text.text or "")
                rows.setdefault(group.get("transform", ""), []).append((start, end))
    assert rows
    for placed in rows.values():
        ends = [0.0] + [end for _, end in sorted(placed)]
        for (start, end), before in zip(sorted(placed), ends, strict=False):
            assert start >= before
            assert end <= WIDTH


def test_cut() -> None:
    """
    What begins after the picture's end is not shown; a span that ends after it goes on.
    """
    picture = parsed([traceOf(DIRECT)], until=0.22)
    shown = textsOf(picture)
    assert not any("won, 330" in each for each in shown)
    assert "connecting" in shown
    assert "stopped" not in shown


def test_later() -> None:
    """
    A lane in which everything begins after the picture's end is not shown.
    """
    later = traceOf(
        [
            *RENDEZVOUS,
            (5.0, ConnectStarted(HOST)),
            (6.0, RaceEnded()),
        ]
    )
    assert HOST not in textsOf(parsed([later], until=1.0))
    assert HOST in textsOf(parsed([later], until=7.0))


def test_nearMarks() -> None:
    """
    Marks that are close to each other all have their words.
    """
    marks = ["the first of three", "the second of three", "the third of three"]
    many: TimedEvents = [
        (0.2 + n / 100, TraversalStarted(w)) for n, w in enumerate(marks)
    ]
    shown = textsOf(parsed([traceOf([*RENDEZVOUS, *many])]))
    assert set(marks) <= set(shown)


def test_run() -> None:
    """
    Merged spans have their number if they end in the picture, and keep their color if
    they do not.
    """
    lane = Lane("x", "", (Span(0, 2, "connect", "refused", 60),))
    trace = Trace("dialer", "", 0.0, 2.0, "", "failed", (lane,))
    for until, words in ((3.0, "60 x refused"), (1.0, "refused")):
        picture = parsed([trace], until)
        assert words in textsOf(picture)
        assert picture.find(f".//{SVG}rect[@class='refused']") is not None


def test_deterministic() -> None:
    """
    A trace is always rendered in the same way.
    """
    assert renderSVG([traceOf(DIRECT)], 1.0) == renderSVG([traceOf(DIRECT)], 1.0)


HOSTILE = "</svg><script>alert('1')</script>\0\ud800\u202e\"'&" * 20


def test_hostile() -> None:
    """
    Whatever stands in a file from elsewhere becomes text.
    """
    lane = Lane(HOSTILE, HOSTILE, (Span(0, 1, HOSTILE, HOSTILE),), result=HOSTILE)
    trace = Trace(HOSTILE, HOSTILE, 0.0, 1.0, HOSTILE, HOSTILE, (lane,))
    picture = parsed([trace], 1.0)
    assert picture.find(".//script") is None
    assert picture.find(f".//{SVG}script") is None
    for page in (renderSVG([trace], 1.0), tracePage([[trace]])):
        assert "<script" not in page


def test_manyAttempts() -> None:
    """
    A picture of ten thousand attempts is as small as any.
    """
    many: TimedEvents = []
    for number in range(10_000):
        at = 0.2 + number * 0.02
        many += [
            (at, ConnectStarted(PEER)),
            (at + 0.01, ConnectEnded(PEER, "refused")),
        ]
    trace = traceOf([*RENDEZVOUS, *many])
    assert len(renderSVG([trace], trace.length)) < 30_000
    assert "9953 x refused" in textsOf(parsed([trace], trace.length))


def test_nothing() -> None:
    """
    A meeting that has just begun can be rendered.
    """
    assert parsed([traceOf([])], 0.0) is not None

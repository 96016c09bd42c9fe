"""
Tests for L{punch.trace.text}.
"""

from __future__ import annotations

import pytest

from punch.trace.model import Span
from punch.trace.text import milliseconds, shortened, spanText, traceText
from punch.traceevents import RaceFailed
from tests.support.traces import ANSWERED, DIRECT, HOST, PEER, traceOf

SPANS = {
    Span(0.0012, 0.02, "connect", "refused"): "connect: refused, 1.2 ms to 20 ms",
    Span(0.1, 3.0, "connect", "refused", 7): "7 x connect: refused, 100 ms to 3000 ms",
    Span(0.1, 0.2, "TLS"): "TLS: goes on, 100 ms to 200 ms",
}


@pytest.mark.parametrize("span", SPANS)
def test_span(span: Span) -> None:
    """
    A span's text says how many of what there were, how they ended, and when.
    """
    assert spanText(span) == SPANS[span]


def test_milliseconds() -> None:
    """
    Short times have a decimal.
    """
    assert milliseconds(0.00312) == "3.1 ms"
    assert milliseconds(0.0312) == "31 ms"


TEXTS = {
    "as long as may be": "as long as may be",
    "one word more than may": "one word more …",
    "longlonglonglonglonglonglong": "longlonglonglon …",
    "a longlonglonglonglonglonglong": "a longlonglongl …",
}


@pytest.mark.parametrize("text", TEXTS)
def test_shortened(text: str) -> None:
    """
    A long text is cut between two words, if possible, and then not cut again.
    """
    short = shortened(text, 17)
    assert short == TEXTS[text]
    assert shortened(short, 17) == short


def test_instant() -> None:
    """
    What happened in one instant is in the order in which it happened.
    """
    listener = [*ANSWERED[:6], *((0.2, event) for _, event in ANSWERED[6:])]
    said = traceText(traceOf(listener, "listener")).splitlines()
    words = [each.split(maxsplit=2)[2] for each in said if " 200 ms  " in each]
    assert words[-4:-1] == [
        "pin awaited: known, 200 ms to 200 ms",
        "attach awaited: attached, 200 ms to 200 ms",
        "won, direct",
    ]
    assert words[-1].startswith("link: goes on")


def test_detail() -> None:
    """
    The text has the detail of what was tried.
    """
    trace = traceOf([(1.0, RaceFailed("no-answer", "Nobody.", "tried a, b"))])
    assert traceText(trace) == "dialer: Failed (no-answer). Nobody. (tried a, b)"


def test_trace() -> None:
    """
    The text says what came of the meeting, and lane by lane what happened, in order.
    """
    assert traceText(traceOf(DIRECT)).splitlines() == [
        f"dialer: Direct in 330 ms: connected 10.0.0.2:4040 - {PEER}",
        "  rendezvous (sees us as 198.51.100.1:4040)",
        "       0.0 ms  connect: connected, 0.0 ms to 80 ms",
        "        80 ms  ask: introduced, 80 ms to 160 ms",
        "       160 ms  introduced; both start in 10 ms",
        "       160 ms  wait: start, 160 ms to 170 ms",
        f"  the other side (seen at {PEER})",
        "       160 ms  details awaited: here, 160 ms to 200 ms",
        "       200 ms  our message sent",
        "       200 ms  its details: 1 address",
        f"  {PEER} (server-reflexive, from 10.0.0.2:4040): won",
        "       170 ms  connect: refused, 170 ms to 180 ms",
        "       185 ms  connect: connected, 185 ms to 250 ms",
        "       250 ms  TLS: done, 250 ms to 330 ms",
        "       330 ms  pin awaited: known, 330 ms to 330 ms",
        "       330 ms  won, direct",
        "       330 ms  attach: attached, 330 ms to 410 ms",
        "       410 ms  link: goes on, 410 ms to 410 ms",
        f"  {HOST} (host): no answer yet",
        "       200 ms  connect: stopped, 200 ms to 330 ms",
    ]

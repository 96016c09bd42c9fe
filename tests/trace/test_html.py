"""
Tests for L{punch.trace.html}.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from punch.trace.html import tracePage
from punch.trace.model import Trace, merged
from punch.trace.svg import COLORS, OUTCOMES
from punch.traceevents import PeerWithdrew, RaceFailed
from tests.support.traces import (
    ANSWERED,
    DIRECT,
    PEER,
    RENDEZVOUS,
    TimedEvents,
    traceOf,
)


def parsed(*meetings: list[Trace]) -> ElementTree.Element:
    """
    A page, read as XML.
    """
    return ElementTree.fromstring(tracePage(meetings))


def headings(page: ElementTree.Element) -> list[str | None]:
    """
    The headings of the meetings.
    """
    return [each.text for each in page.iter("h2")]


def pictures(page: ElementTree.Element) -> int:
    """
    How many pictures a page has.
    """
    return sum(1 for _ in page.iter("{http://www.w3.org/2000/svg}svg"))


def test_page() -> None:
    """
    A page says what came of each meeting, and has its picture.
    """
    failed = traceOf([*RENDEZVOUS, (9.0, RaceFailed("refused", "No."))])
    page = parsed([failed], [traceOf(DIRECT)])
    assert headings(page) == [
        "Failed (refused). No.",
        f"Direct in 330 ms: connected 10.0.0.2:4040 - {PEER}",
    ]
    assert [each.text for each in page.iter("figcaption")] == [
        "The first second:",
        "All of it:",
    ]
    assert pictures(page) == 3
    facts = [each.text or "" for each in page.iter("p")]
    assert facts[1] == (
        "By the dialer's clock, 0 ms is 2023-11-14 22:13:20.000 UTC; introduction ab12"
    )
    words = [each.text or "" for each in page.iter("pre")]
    assert words[0].startswith("dialer: Failed (refused). No.\n")


def test_selfContained() -> None:
    """
    A page may load nothing: it has no script, and no address of anything.
    """
    page = tracePage([[traceOf(DIRECT)]])
    assert "<script" not in page
    assert re.findall(r"(?:src|href)=|url\(", page) == []
    assert "default-src 'none'" in page
    addresses = set(re.findall(r"https?://[^\"]*", page))
    assert addresses == {"http://www.w3.org/2000/svg"}


def test_colors() -> None:
    """
    Every style has its color, in the light scheme and in the dark one.
    """
    page = tracePage([])
    light, dark = page.split("@media (prefers-color-scheme: dark)")
    for kind in {*COLORS.values(), *OUTCOMES.values(), "page", "ink", "word", "won"}:
        assert f"--{kind}: #" in light
        assert f"--{kind}: #" in dark
    for kind in {*COLORS.values(), *OUTCOMES.values()}:
        assert f"svg .{kind} {{ fill:" in page
        assert f'<i class="{kind}">' in page


def _channel(value: int) -> float:
    part = value / 255
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    """
    Relative luminance (WCAG 2).
    """
    red, green, blue = (_channel(int(color[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """
    The contrast of two colors (WCAG 2).
    """
    bright, faint = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (faint + 0.05)


def test_contrast() -> None:
    """
    Words can be read on their background, in the light scheme and in the dark one
    (WCAG AA).
    """
    page = tracePage([])
    for scheme in page.split("@media (prefers-color-scheme: dark)"):
        colors = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", scheme))
        for kind in {*COLORS.values(), *OUTCOMES.values()}:
            assert contrast(colors["word"], colors[kind]) >= 4.5, kind
        for ink in ("ink", "faint", "won", "lost", "start"):
            for ground in ("page", "winner"):
                assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)


def test_early() -> None:
    """
    If the first path won early in the meeting, there is a picture of that time first.
    """
    late: TimedEvents = [(30.0, PeerWithdrew("done"))]
    page = parsed([traceOf([*DIRECT, *late])])
    captions = [each.text for each in page.iter("figcaption")]
    assert captions == ["Until the first path:", "All of it:"]
    assert pictures(page) == 2


def test_bothSides() -> None:
    """
    The two sides of a meeting are in one picture.
    """
    page = parsed(list(merged(traceOf(DIRECT), traceOf(ANSWERED, "listener"))))
    assert pictures(page) == 1
    assert len(list(page.iter("pre"))) == 2


def test_detail() -> None:
    """
    The detail of what was tried stands below the heading, and not in it.
    """
    lost = RaceFailed("no-answer", "Nobody.", "tried 24 predicted ports")
    page = parsed([traceOf([*RENDEZVOUS, (9.0, lost)])])
    assert headings(page) == ["Failed (no-answer). Nobody."]
    facts = [each.text or "" for each in page.iter("p")]
    assert facts[0] == "The dialer tried 24 predicted ports."


def test_nothing() -> None:
    """
    A page without meetings says so.
    """
    assert "No meeting has begun yet." in tracePage([])

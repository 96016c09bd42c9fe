"""
A trace: one meeting as one side saw it, on a common axis of time.

Times are seconds from the meeting's beginning.  What is drawn of it says
L{punch.trace.svg}.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from punch.errors import BadOption


@dataclass(frozen=True)
class Span:
    """
    Something that took its time.

    C{what}: what it was.  C{outcome}: how it ended; empty while it goes on.
    C{count}: how many of them in a row are drawn as one.
    """

    start: float
    end: float
    what: str
    outcome: str = ""
    count: int = 1


@dataclass(frozen=True)
class Mark:
    """
    Something that happened at an instant.
    """

    at: float
    text: str


@dataclass(frozen=True)
class Lane:
    """
    All that concerns one party, or one pair of addresses.

    C{title}: who.  C{about}: more of it.  C{spans}: what was done there, first of all
    connects.  C{stages}: what became of a connection; these lie beside them.
    C{result}: what came of it all, in few words.  C{hasWon}: it is the winner's.
    """

    title: str
    about: str
    spans: tuple[Span, ...] = ()
    stages: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()
    result: str = ""
    hasWon: bool = False


@dataclass(frozen=True)
class Trace:
    """
    One side's view of a meeting.

    C{role}: that side's.  C{introduction}: its id in hex; empty if the meeting did
    not come so far.  C{began}: when the axis begins, in Unix seconds by that side's
    clock.
    C{length}: seconds until the last that is known.  C{start}: when both were to
    start, if they were told.  C{won}: when a path won.  C{verdict}: what came of
    it, in a sentence; C{detail}: more of it, such as what was tried; C{state}:
    C{"connected"}, C{"failed"} or C{"going on"}.
    """

    role: str
    introduction: str
    began: float
    length: float
    verdict: str
    state: str
    lanes: tuple[Lane, ...]
    start: float | None = None
    won: float | None = None
    detail: str = ""

    def later(self, seconds: float) -> Trace:
        """
        The same on an axis that begins so many seconds earlier.
        """
        return replace(
            self,
            began=max(0.0, self.began - seconds),
            length=self.length + seconds,
            start=_later(self.start, seconds),
            won=_later(self.won, seconds),
            lanes=tuple(_laneLater(lane, seconds) for lane in self.lanes),
        )


def _later(at: float | None, seconds: float) -> float | None:
    return None if at is None else at + seconds


def _spansLater(spans: tuple[Span, ...], by: float) -> tuple[Span, ...]:
    return tuple(replace(s, start=s.start + by, end=s.end + by) for s in spans)


def _laneLater(lane: Lane, by: float) -> Lane:
    return replace(
        lane,
        spans=_spansLater(lane.spans, by),
        stages=_spansLater(lane.stages, by),
        marks=tuple(replace(each, at=each.at + by) for each in lane.marks),
    )


def merged(one: Trace, other: Trace) -> tuple[Trace, Trace]:
    """
    Both sides of one meeting on one axis, the dialer's first.

    What they have in common is the instant that the rendezvous chose for them to
    start at; their clocks may differ.

    @raise BadOption: they are not the two sides of one meeting.
    """
    if one.introduction != other.introduction or not one.introduction:
        raise BadOption("these traces are of different meetings")
    if one.role == other.role:
        raise BadOption(f"both traces are the {one.role}'s")
    if one.start is None or other.start is None:
        raise BadOption("these traces do not say when the two were to start")
    first, second = sorted((one, other), key=lambda each: each.role)
    ahead = (first.start or 0.0) - (second.start or 0.0)
    return first.later(max(0.0, -ahead)), second.later(max(0.0, ahead))


def couples(ours: list[Trace], theirs: list[Trace]) -> Iterator[tuple[Trace, Trace]]:
    """
    The meetings that are in both lists.
    """
    for one in ours:
        for other in theirs:
            if one.introduction == other.introduction and one.introduction:
                yield merged(one, other)

"""
The trace: what one side saw of a meeting, in lanes on one axis of time.

Times are seconds since the meeting began.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from punch.errors import BadOption


@dataclass(frozen=True)
class Span:
    """
    Something that took time: a connect, a handshake, a wait.

    @ivar start: when it began.
    @ivar end: when it ended; if it goes on, until when that is known.
    @ivar what: what it was.
    @ivar outcome: how it ended; empty while it goes on.
    @ivar count: how many equal ones in a row this stands for.
    """

    start: float
    end: float
    what: str
    outcome: str = ""
    count: int = 1


@dataclass(frozen=True)
class Mark:
    """
    Something that happened at an instant, and what that was.
    """

    at: float
    text: str


@dataclass(frozen=True)
class Lane:
    """
    Everything that concerns one party, or one pair of addresses.

    @ivar title: whom or what the lane is about: a party, or the remote address.
    @ivar about: more about that, such as our own address.
    @ivar spans: what was done, above all connects; none begins before the one before
        it has ended.
    @ivar stages: what became of a connection, in the same way, beside the spans.
    @ivar marks: what happened at one instant.
    @ivar result: what came of it all, in a few words.
    @ivar hasWon: whether the link's path is this lane's connection.
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
    One side's view of a meeting.  L{punch.trace.recorder.MeetingRecorder} makes it.

    @ivar role: that side's role: C{"dialer"}, C{"listener"} or C{"peer"}.
    @ivar introduction: the introduction's id in hex, the same on both sides; empty if
        the meeting did not get so far.
    @ivar began: when the axis begins, in Unix seconds by that side's clock.
    @ivar length: seconds until the last thing that is known.
    @ivar verdict: what came of the meeting, in a sentence.
    @ivar state: C{"connected"}, C{"failed"} or C{"going on"}.
    @ivar start: when both sides were to start, if the rendezvous said so.
    @ivar won: when a path won, if one has.
    @ivar detail: more than the verdict says, such as what was tried.
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
        The same trace on an axis that begins C{seconds} earlier.
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

    The clocks of the two may differ.  So the axes are joined at the instant that the
    rendezvous chose for both to start.

    @raise BadOption: the traces are not the two sides of one meeting.
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
    The meetings that are in both lists, both sides of each as L{merged} has them.

    @raise BadOption: of two traces of one meeting, not each is another side's.
    """
    for one in ours:
        for other in theirs:
            if one.introduction == other.introduction and one.introduction:
                yield merged(one, other)

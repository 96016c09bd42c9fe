"""
The meetings that a trace file has: the latest, of those that are worth a place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from punch.trace.model import Trace
from punch.trace.recorder import MeetingRecorder

MOST_MEETINGS = 8
"""
Meetings that a file has; the latest is the first.
"""

_MOST_KEPT = 2 * MOST_MEETINGS
"""
Meetings that are remembered: some that go on come to nothing.
"""


class Kept:
    """
    One meeting, and how it was drawn last.
    """

    def __init__(self, number: int, chronicle: MeetingRecorder) -> None:
        self.number = number
        self.chronicle = chronicle
        self._drawn: tuple[Trace, str] | None = None

    def drawn(self, draw: Callable[[Trace], str]) -> str:
        """
        As C{draw} draws it; which it does again only if there is something new.
        """
        trace = self.chronicle.trace()
        if self._drawn is None or self._drawn[0] != trace:
            self._drawn = trace, draw(trace)
        return self._drawn[1]


class Meetings:
    """
    Those of one program.

    Anybody who knows a listener's name can begin one with it, as often as they like:
    those in which the other side has shown that it is the one we mean outlive the
    others.  The latest has its place whatever it is.
    """

    def __init__(self) -> None:
        self._count = 0
        self._kept: list[Kept] = []

    def begin(self, chronicle: MeetingRecorder) -> Kept:
        """
        One more begins.
        """
        self._count += 1
        kept = Kept(self._count, chronicle)
        self._put(kept)
        return kept

    def news(self, kept: Kept) -> None:
        """
        There is news of one: it may be worth its place again, or no more.
        """
        if kept.chronicle.wasInVain:
            self._kept = [each for each in self._kept if each is not kept]
        elif kept not in self._kept:
            self._put(kept)

    def _put(self, kept: Kept) -> None:
        self._kept = _best([*self._kept, kept], _MOST_KEPT)

    def __iter__(self) -> Iterator[Kept]:
        """
        Those that are to be drawn, the latest first.
        """
        there = [each for each in self._kept if not each.chronicle.isBlank]
        return iter(_best(there, MOST_MEETINGS))


def _best(kept: Sequence[Kept], most: int) -> list[Kept]:
    """
    So many of them, the latest first.
    """
    inOrder = sorted(kept, key=lambda each: -each.number)
    # Sorting is stable: of each sort the latest are first.
    first, others = inOrder[:1], inOrder[1:]
    others.sort(key=lambda each: not each.chronicle.isProven)
    return sorted([*first, *others][:most], key=lambda each: -each.number)

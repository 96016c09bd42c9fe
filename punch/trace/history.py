"""
The history of a trace file: the latest meetings, as far as they are worth a place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from punch.trace.model import Trace
from punch.trace.recorder import MeetingRecorder

MOST_MEETINGS = 8
"""
Meetings that a file has.
"""

_MOST_KEPT = 2 * MOST_MEETINGS
"""
Meetings that are kept in memory.  Some of them may turn out to be not worth a place.
"""


class Entry:
    """
    One meeting of a L{History}, and how it was rendered last.

    @ivar number: counts the meetings of the program in the order in which they began.
    @ivar recorder: records the meeting.
    """

    def __init__(self, number: int, recorder: MeetingRecorder) -> None:
        self.number = number
        self.recorder = recorder
        self._rendered: tuple[Trace, str] | None = None

    def rendered(self, render: Callable[[Trace], str]) -> str:
        """
        The meeting as C{render} renders it; C{render} is only called if the trace has
        changed since the last time.
        """
        trace = self.recorder.trace()
        if self._rendered is None or self._rendered[0] != trace:
            self._rendered = trace, render(trace)
        return self._rendered[1]


class History:
    """
    The meetings of one program that its trace file shows.

    Anybody who knows a listener's name can begin a meeting with it, as often as they
    like.  So meetings whose peer has proven that it is the one we expect outlive the
    others; only the latest meeting has a place in any case.  To iterate gives the
    entries that are to be shown, the latest first.

    A L{punch.trace.file.TraceFile} makes and owns it.
    """

    def __init__(self) -> None:
        self._count = 0
        self._kept: list[Entry] = []

    def add(self, recorder: MeetingRecorder) -> Entry:
        """
        A meeting begins: keep it.
        """
        self._count += 1
        entry = Entry(self._count, recorder)
        self._keep(entry)
        return entry

    def update(self, entry: Entry) -> None:
        """
        An entry's meeting has changed: see again whether it is worth its place.
        """
        if entry.recorder.wasNotNeeded:
            self._kept = [each for each in self._kept if each is not entry]
        elif entry not in self._kept:
            self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        self._kept = _best([*self._kept, entry], _MOST_KEPT)

    def __iter__(self) -> Iterator[Entry]:
        shown = [each for each in self._kept if not each.recorder.isEmpty]
        return iter(_best(shown, MOST_MEETINGS))


def _best(entries: Sequence[Entry], most: int) -> list[Entry]:
    """
    As many entries as C{most}, the latest first.
    """
    inOrder = sorted(entries, key=lambda each: -each.number)
    # Sorting is stable: among the proven, and among the others, the latest are first.
    first, others = inOrder[:1], inOrder[1:]
    others.sort(key=lambda each: not each.recorder.isPeerProven)
    return sorted([*first, *others][:most], key=lambda each: -each.number)

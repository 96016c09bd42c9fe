"""
The outage: the time that a link is without a path, and who seeks another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from punch.errors import LinkError, PathLost
from punch.events import Resumed, Suspended, Tell
from punch.ice.selected import SelectedPath
from punch.link.errors import ResumeExpired
from punch.link.interfaces import PathFinder
from punch.util.timers import RestartableTimer

COURTESY = 10.0
"""
Seconds that a link which is complete stays for a peer that may not know it.
"""


class Suspension:
    """
    One link's, again and again.

    C{seeker}: finds paths, as they are wanted.
    """

    def __init__(
        self,
        clock: IReactorTime,
        resumeFor: float,
        tell: Tell,
        abort: Callable[[LinkError], None],
    ) -> None:
        """
        @param resumeFor: seconds that an outage may take.
        @param abort: ends the link; what happens to it when it is complete is no
            error to its applications.
        """
        self.seeker: PathFinder | None = None
        self._clock = clock
        self._resumeFor = resumeFor
        self._tell = tell
        self._abort = abort
        self._since = 0.0
        self._patience = RestartableTimer(clock)

    @property
    def mayEnd(self) -> bool:
        """
        Whether another path can be had.
        """
        return self.seeker is not None and self._resumeFor > 0

    def tellSeeker(self) -> None:
        """
        What is wanted may have changed.
        """
        if self.seeker is not None:
            self.seeker.wanted()

    def begin(self, why: LinkError) -> None:
        """
        There is no path: wait for another, if somebody looks for one.
        """
        if not self.mayEnd:
            self._abort(why)
            return
        self._since = self._clock.seconds()
        self._tell(Suspended(why.reason.value))
        self._patience.set(self._resumeFor, self._expire)
        self.tellSeeker()

    def _expire(self) -> None:
        self._abort(ResumeExpired(f"after {self._resumeFor:g} s"))

    def end(self, selected: SelectedPath[Any]) -> None:
        """
        There is a path again.
        """
        self._patience.clear()
        elapsed = round(self._clock.seconds() - self._since, 6)
        self._tell(Resumed(selected.way, selected.kind.value, elapsed))

    def part(self) -> None:
        """
        The link is complete: give the peer time to agree.
        """
        self._patience.set(COURTESY, lambda: self._abort(PathLost()))
        self.tellSeeker()

    def linger(self) -> None:
        """
        It is, and there is no path: for the peer's sake wait for another.
        """
        if self.mayEnd:
            self.part()
        else:
            self._abort(PathLost())

    def clear(self) -> None:
        """
        The link has ended.
        """
        self._patience.clear()
        self.tellSeeker()

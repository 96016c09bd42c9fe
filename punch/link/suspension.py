"""
The suspension of a link: the time without a path, and how long it may last.
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
    Times how long a link has no path, and aborts the link when that is too long.

    L{LinkPaths<punch.link.paths.LinkPaths>} makes one for its link, tells it when the
    path is gone, and when there is another, and stops it when the link has ended.

    @ivar finder: finds paths when they are wanted.
    """

    def __init__(
        self,
        clock: IReactorTime,
        resumeFor: float,
        tell: Tell,
        abort: Callable[[LinkError], None],
    ) -> None:
        """
        @param resumeFor: seconds that a suspension may take.
        @param abort: ends the link.  If the link is complete, that is no error to its
            applications.
        """
        self.finder: PathFinder | None = None
        self._clock = clock
        self._resumeFor = resumeFor
        self._tell = tell
        self._abort = abort
        self._since = 0.0
        self._timer = RestartableTimer(clock)

    @property
    def canResume(self) -> bool:
        """
        Whether another path can be had.
        """
        return self.finder is not None and self._resumeFor > 0

    def notifyFinder(self) -> None:
        """
        Tell the finder that what the link wants may have changed.
        """
        if self.finder is not None:
            self.finder.wantChanged()

    def suspended(self, why: LinkError) -> None:
        """
        The path is gone: wait for another, or abort the link if nobody looks for one.
        """
        if not self.canResume:
            self._abort(why)
            return
        self._since = self._clock.seconds()
        self._tell(Suspended(why.reason.value))
        self._timer.set(self._resumeFor, self._expire)
        self.notifyFinder()

    def _expire(self) -> None:
        self._abort(ResumeExpired(f"after {self._resumeFor:g} s"))

    def resumed(self, selected: SelectedPath[Any]) -> None:
        """
        There is a path again.
        """
        self._timer.clear()
        elapsed = round(self._clock.seconds() - self._since, 6)
        self._tell(Resumed(selected.way, selected.kind.value, elapsed))

    def awaitPeer(self) -> None:
        """
        The link is complete: give the peer L{COURTESY} seconds to agree.
        """
        self._timer.set(COURTESY, lambda: self._abort(PathLost()))
        self.notifyFinder()

    def awaitPath(self) -> None:
        """
        The link is complete, but its path is gone: wait as long for another on which
        the peer can agree, if one can be had.
        """
        if self.canResume:
            self.awaitPeer()
        else:
            self._abort(PathLost())

    def stop(self) -> None:
        """
        The link has ended.
        """
        self._timer.clear()
        self.notifyFinder()

"""
The batch: how many bytes of frames are written to the link at once.

A write costs much the same whatever its size, so a fast link gets large batches.  But
a small write on another stream has to wait for the batch before it.  So a batch is
never larger than what the link has lately sent within L{TARGET_TIME} seconds, or than
one frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MINIMUM: Final = 64 << 10
"""
Bytes of a batch on a slow link: one frame.
"""

MAXIMUM: Final = 4 * MINIMUM
"""
Bytes of a batch on the fastest link.
"""

TARGET_TIME: Final = 0.002
"""
Seconds that a link may take to send a batch.
"""


class BatchSize:
    """
    Fits the size of batches to one link, by how long the link pauses its producer
    after a batch.  A multiplexer makes one for its link.

    @ivar size: bytes of the next batch.
    """

    __slots__ = ("_since", "size")

    def __init__(self) -> None:
        self.size = MINIMUM
        self._since: float | None = None

    def gather(self, next: Callable[[], list[bytes] | None]) -> list[bytes]:
        """
        Make a batch.

        @param next: answers with the next pieces to send; L{None} if there are none.
        @return: the pieces of the batch; empty if there was nothing to send.
        """
        found: list[bytes] = []
        size = 0
        while size < self.size and (pieces := next()) is not None:
            found += pieces
            size += sum(map(len, pieces))
        return found

    def paused(self, now: float) -> None:
        """
        Note that the link takes no more for now.

        @param now: seconds.
        """
        self._since = now

    def resumed(self, now: float) -> None:
        """
        Note that the link takes more, and fit the size to how long that took.

        @param now: seconds.
        """
        if self._since is None:
            return
        taken, self._since = now - self._since, None
        if taken > TARGET_TIME:
            self.size = max(self.size // 2, MINIMUM)
        elif taken * 2 <= TARGET_TIME:
            self.size = min(self.size * 2, MAXIMUM)

"""
The portion: how much is handed to the link at once.

A portion costs its sender much the same whatever its size, so a fast link is served
in large ones.  But a small write on another stream waits for the one before it, so a
portion is never more than a link has lately taken within L{QUICK} seconds, or one
frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

LEAST: Final = 64 << 10
"""
Bytes of a portion on a slow link: one frame.
"""

MOST: Final = 4 * LEAST
"""
Bytes of a portion on the fastest link.
"""

QUICK: Final = 0.002
"""
Seconds that a link may take for a portion.
"""


class BatchSize:
    """
    The size that fits a link, by how long that was full.

    @ivar size: bytes.
    """

    __slots__ = ("_since", "size")

    def __init__(self) -> None:
        self.size = LEAST
        self._since: float | None = None

    def gather(self, next: Callable[[], list[bytes] | None]) -> list[bytes]:
        """
        Ask for pieces until they are a portion, or there are no more.

        @return: all of them; none if there was none.
        """
        found: list[bytes] = []
        size = 0
        while size < self.size and (pieces := next()) is not None:
            found += pieces
            size += sum(map(len, pieces))
        return found

    def filled(self, now: float) -> None:
        """
        The link takes no more for now.
        """
        self._since = now

    def drained(self, now: float) -> None:
        """
        The link takes more.
        """
        if self._since is None:
            return
        taken, self._since = now - self._since, None
        if taken > QUICK:
            self.size = max(self.size // 2, LEAST)
        elif taken * 2 <= QUICK:
            self.size = min(self.size * 2, MOST)

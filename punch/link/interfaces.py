"""
What a link wants of the peer that made it: another path, or a better one.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol


class Want(Enum):
    """
    What a link lacks: nothing, a better path, or any path.
    """

    NOTHING = auto()
    BETTER = auto()
    """
    Its path is relayed.
    """
    ANOTHER = auto()
    """
    It has no path, or one that does not answer.
    """


class PathFinder(Protocol):
    """
    Finds paths for a link; a peer provides it with L{Link.setPathFinder
    <punch.link.transport.Link.setPathFinder>}.
    """

    def wantChanged(self) -> None:
        """
        What the link lacks (C{link.want}) has changed, or the link has ended.
        """

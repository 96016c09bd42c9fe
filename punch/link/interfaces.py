"""
Seekers: who finds paths for a link, and what it wants.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol


class Want(Enum):
    """
    What a link lacks.
    """

    NOTHING = auto()
    BETTER = auto()
    """
    It goes through the relay.
    """
    ANOTHER = auto()
    """
    It has no path, or one that does not answer.
    """


class PathFinder(Protocol):
    """
    Who finds paths for a link.
    """

    def wanted(self) -> None:
        """
        What the link lacks (C{link.want}) has changed, or the link has ended.
        """

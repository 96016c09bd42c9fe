"""
How a link lives, seen as a whole: on a path, suspended without one, and to its end.

A machine that answers with what is to be done; it does nothing itself.  A link is
complete when each side has taken all that the other wrote, and knows it of its own.
What happens to its path after that can't hurt its applications; but the other side
may not know yet, so for a while it may come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol

from automat import TypeMachineBuilder


class Todo(Flag):
    """
    What the link's owner has to do now.
    """

    NOTHING = 0
    SUSPEND = auto()
    """
    Look for another path, for as long as it may take.
    """
    RESUME = auto()
    LINGER = auto()
    """
    Look for another path, for a short while, for the other side's sake.
    """
    END_PATH = auto()
    REPORT_CLEAN = auto()
    REPORT_LOST = auto()


class Life(Protocol):
    """
    The inputs.
    """

    def attached(self) -> Todo:
        """
        There is a (newer) path.
        """

    def completed(self) -> Todo:
        """
        Nothing is left to do.
        """

    def pathDied(self) -> Todo:
        """
        The path is gone, and the other side did not say so.
        """

    def pathEnded(self) -> Todo:
        """
        The other side ended the path on purpose: it will not come back.
        """

    def gaveUp(self) -> Todo:
        """
        We will not wait any longer, or cannot.
        """


@dataclass
class _Nothing:
    """
    The states say all.
    """


_builder = TypeMachineBuilder(Life, _Nothing)
_riding = _builder.state("riding")
_suspended = _builder.state("suspended")
_complete = _builder.state("complete")  # It has a path, which we have ended.
_lingering = _builder.state("lingering")  # It is complete, and has no path.
_ended = _builder.state("ended")


@_suspended.upon(Life.attached).to(_riding)
def _resume(life: Life, _: _Nothing) -> Todo:
    return Todo.RESUME


@_riding.upon(Life.completed).to(_complete)
@_complete.upon(Life.attached).loop()
@_lingering.upon(Life.attached).to(_complete)
def _endPath(life: Life, _: _Nothing) -> Todo:
    return Todo.END_PATH


@_riding.upon(Life.pathDied).to(_suspended)
def _suspend(life: Life, _: _Nothing) -> Todo:
    return Todo.SUSPEND


@_complete.upon(Life.pathDied).to(_lingering)
def _linger(life: Life, _: _Nothing) -> Todo:
    return Todo.LINGER


@_riding.upon(Life.pathEnded).to(_ended)
@_riding.upon(Life.gaveUp).to(_ended)
@_suspended.upon(Life.gaveUp).to(_ended)
def _reportLost(life: Life, _: _Nothing) -> Todo:
    return Todo.REPORT_LOST


@_complete.upon(Life.pathEnded).to(_ended)
@_complete.upon(Life.gaveUp).to(_ended)
@_lingering.upon(Life.gaveUp).to(_ended)
def _reportClean(life: Life, _: _Nothing) -> Todo:
    return Todo.REPORT_CLEAN


@_riding.upon(Life.attached).loop()
@_ended.upon(Life.attached).loop()
@_complete.upon(Life.completed).loop()
@_ended.upon(Life.completed).loop()
@_suspended.upon(Life.completed).loop()
@_lingering.upon(Life.completed).loop()
@_suspended.upon(Life.pathDied).loop()
@_suspended.upon(Life.pathEnded).loop()
@_lingering.upon(Life.pathDied).loop()
@_lingering.upon(Life.pathEnded).loop()
@_ended.upon(Life.pathDied).loop()
@_ended.upon(Life.pathEnded).loop()
@_ended.upon(Life.gaveUp).loop()
def _ignore(life: Life, _: _Nothing) -> Todo:
    return Todo.NOTHING


_make = _builder.build()


def newLife() -> Life:
    """
    The machine of a link on its first path.
    """
    return _make(_Nothing())

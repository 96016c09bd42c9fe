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


class LinkAction(Flag):
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
    CLOSE_PATH = auto()
    REPORT_CLEAN = auto()
    REPORT_LOST = auto()


class LinkState(Protocol):
    """
    The inputs.
    """

    def attached(self) -> LinkAction:
        """
        There is a (newer) path.
        """

    def completed(self) -> LinkAction:
        """
        Nothing is left to do.
        """

    def pathDied(self) -> LinkAction:
        """
        The path is gone, and the other side did not say so.
        """

    def pathEnded(self) -> LinkAction:
        """
        The other side ended the path on purpose: it will not come back.
        """

    def gaveUp(self) -> LinkAction:
        """
        We will not wait any longer, or cannot.
        """


@dataclass
class _Nothing:
    """
    The states say all.
    """


_builder = TypeMachineBuilder(LinkState, _Nothing)
_riding = _builder.state("riding")
_suspended = _builder.state("suspended")
_complete = _builder.state("complete")  # It has a path, which we have ended.
_lingering = _builder.state("lingering")  # It is complete, and has no path.
_ended = _builder.state("ended")


@_suspended.upon(LinkState.attached).to(_riding)
def _resume(life: LinkState, _: _Nothing) -> LinkAction:
    return LinkAction.RESUME


@_riding.upon(LinkState.completed).to(_complete)
@_complete.upon(LinkState.attached).loop()
@_lingering.upon(LinkState.attached).to(_complete)
def _endPath(life: LinkState, _: _Nothing) -> LinkAction:
    return LinkAction.CLOSE_PATH


@_riding.upon(LinkState.pathDied).to(_suspended)
def _suspend(life: LinkState, _: _Nothing) -> LinkAction:
    return LinkAction.SUSPEND


@_complete.upon(LinkState.pathDied).to(_lingering)
def _linger(life: LinkState, _: _Nothing) -> LinkAction:
    return LinkAction.LINGER


@_riding.upon(LinkState.pathEnded).to(_ended)
@_riding.upon(LinkState.gaveUp).to(_ended)
@_suspended.upon(LinkState.gaveUp).to(_ended)
def _reportLost(life: LinkState, _: _Nothing) -> LinkAction:
    return LinkAction.REPORT_LOST


@_complete.upon(LinkState.pathEnded).to(_ended)
@_complete.upon(LinkState.gaveUp).to(_ended)
@_lingering.upon(LinkState.gaveUp).to(_ended)
def _reportClean(life: LinkState, _: _Nothing) -> LinkAction:
    return LinkAction.REPORT_CLEAN


@_riding.upon(LinkState.attached).loop()
@_ended.upon(LinkState.attached).loop()
@_complete.upon(LinkState.completed).loop()
@_ended.upon(LinkState.completed).loop()
@_suspended.upon(LinkState.completed).loop()
@_lingering.upon(LinkState.completed).loop()
@_suspended.upon(LinkState.pathDied).loop()
@_suspended.upon(LinkState.pathEnded).loop()
@_lingering.upon(LinkState.pathDied).loop()
@_lingering.upon(LinkState.pathEnded).loop()
@_ended.upon(LinkState.pathDied).loop()
@_ended.upon(LinkState.pathEnded).loop()
@_ended.upon(LinkState.gaveUp).loop()
def _ignore(life: LinkState, _: _Nothing) -> LinkAction:
    return LinkAction.NOTHING


_make = _builder.build()


def newLinkState() -> LinkState:
    """
    The machine of a link on its first path.
    """
    return _make(_Nothing())

"""
The state of a link: attached to a path, suspended without one, complete, or ended.

The state machine answers with what is to be done, and does nothing itself.  A link is
complete when each side has taken all that the other wrote, and we know it.  After that
the loss of a path cannot hurt the applications; but the other side may not know yet, so
for a while it may come back.
"""

from __future__ import annotations

from enum import Flag, auto
from types import NoneType
from typing import Protocol

from automat import TypeMachineBuilder


class LinkAction(Flag):
    """
    What L{LinkPaths<punch.link.paths.LinkPaths>} has to do after an event.
    """

    NOTHING = 0
    SUSPEND = auto()
    """
    Look for another path, for as long as it may take.
    """
    RESUME = auto()
    """
    Say that there is a path again.
    """
    LINGER = auto()
    """
    Look for another path, for a short while, for the other side's sake.
    """
    CLOSE_PATH = auto()
    """
    End the path, as nothing is left to do on it.
    """
    REPORT_CLEAN = auto()
    """
    End the link without an error.
    """
    REPORT_LOST = auto()
    """
    End the link with an error.
    """


class LinkState(Protocol):
    """
    What can happen to a link.  Each input answers with what is to be done.
    L{newLinkState} makes the machine, and one link has it until it ends.
    """

    def attached(self) -> LinkAction:
        """
        There is a path, or a newer one.
        """

    def completed(self) -> LinkAction:
        """
        Both sides have written all, and taken all.
        """

    def pathDied(self) -> LinkAction:
        """
        The path is gone by an accident.
        """

    def pathEnded(self) -> LinkAction:
        """
        The other side ended the path on purpose: it will not come back.
        """

    def gaveUp(self) -> LinkAction:
        """
        We end the link, or wait for a path no longer.
        """


# The machine needs no data beside its states.
_builder = TypeMachineBuilder(LinkState, NoneType)
_attached = _builder.state("attached")
_suspended = _builder.state("suspended")
_complete = _builder.state("complete")  # It has a path, which we have ended.
_lingering = _builder.state("lingering")  # It is complete, and has no path.
_ended = _builder.state("ended")


@_suspended.upon(LinkState.attached).to(_attached)
def _resume(state: LinkState, _: None) -> LinkAction:
    return LinkAction.RESUME


@_attached.upon(LinkState.completed).to(_complete)
@_complete.upon(LinkState.attached).loop()
@_lingering.upon(LinkState.attached).to(_complete)
def _endPath(state: LinkState, _: None) -> LinkAction:
    return LinkAction.CLOSE_PATH


@_attached.upon(LinkState.pathDied).to(_suspended)
def _suspend(state: LinkState, _: None) -> LinkAction:
    return LinkAction.SUSPEND


@_complete.upon(LinkState.pathDied).to(_lingering)
def _linger(state: LinkState, _: None) -> LinkAction:
    return LinkAction.LINGER


@_attached.upon(LinkState.pathEnded).to(_ended)
@_attached.upon(LinkState.gaveUp).to(_ended)
@_suspended.upon(LinkState.gaveUp).to(_ended)
def _reportLost(state: LinkState, _: None) -> LinkAction:
    return LinkAction.REPORT_LOST


@_complete.upon(LinkState.pathEnded).to(_ended)
@_complete.upon(LinkState.gaveUp).to(_ended)
@_lingering.upon(LinkState.gaveUp).to(_ended)
def _reportClean(state: LinkState, _: None) -> LinkAction:
    return LinkAction.REPORT_CLEAN


@_attached.upon(LinkState.attached).loop()
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
def _ignore(state: LinkState, _: None) -> LinkAction:
    return LinkAction.NOTHING


_make = _builder.build()


def newLinkState() -> LinkState:
    """
    The state machine of a link that is attached to its first path.
    """
    return _make(None)

"""
How a link ends: each direction by a CLOSE of its own, then the path.

A machine in the style of the half-closed states of RFC 9293 section 3.3.2.  It
answers with what is to be done; it does nothing itself.  The path's clean end is
the last acknowledgment: a peer ends its TLS only when it has both sent and
received CLOSE, so whoever hears that end knows that all its bytes arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol

from automat import TypeMachineBuilder

from punch.errors import ProtocolViolation


class Todo(Flag):
    """
    What the link's owner has to do now.
    """

    NOTHING = 0
    SEND_CLOSE = auto()
    TELL_END = auto()
    """
    Tell the application that the peer has finished writing.
    """
    END_PATH = auto()
    REPORT_CLEAN = auto()
    REPORT_LOST = auto()


class Closing(Protocol):
    """
    The inputs.
    """

    def finish(self) -> Todo:
        """
        Our application has written its last byte.
        """

    def peerFinished(self) -> Todo:
        """
        The peer's CLOSE arrived.

        @raise ProtocolViolation: for the second time.
        """

    def pathEnded(self, clean: bool) -> Todo:
        """
        The path is gone; C{clean}: the peer ended it on purpose.
        """


@dataclass
class _Nothing:
    """
    The states say all.
    """


_builder = TypeMachineBuilder(Closing, _Nothing)
_open = _builder.state("open")
_finished = _builder.state("finished")  # We wrote our last byte.
_heard = _builder.state("heard")  # The peer wrote its last byte.
_ending = _builder.state("ending")  # Both did.
_ended = _builder.state("ended")


@_open.upon(Closing.finish).to(_finished)
def _closeOurs(closing: Closing, _: _Nothing) -> Todo:
    return Todo.SEND_CLOSE


@_heard.upon(Closing.finish).to(_ending)
def _closeOursLast(closing: Closing, _: _Nothing) -> Todo:
    return Todo.SEND_CLOSE | Todo.END_PATH


@_open.upon(Closing.peerFinished).to(_heard)
def _tellEnd(closing: Closing, _: _Nothing) -> Todo:
    return Todo.TELL_END


@_finished.upon(Closing.peerFinished).to(_ending)
def _tellEndLast(closing: Closing, _: _Nothing) -> Todo:
    return Todo.TELL_END | Todo.END_PATH


@_heard.upon(Closing.peerFinished).loop()
@_ending.upon(Closing.peerFinished).loop()
def _refuseSecond(closing: Closing, _: _Nothing) -> Todo:
    raise ProtocolViolation("a second CLOSE")


@_open.upon(Closing.pathEnded).to(_ended)
@_finished.upon(Closing.pathEnded).to(_ended)
@_heard.upon(Closing.pathEnded).to(_ended)
def _reportLost(closing: Closing, _: _Nothing, clean: bool) -> Todo:
    return Todo.REPORT_LOST


@_ending.upon(Closing.pathEnded).to(_ended)
def _reportEnd(closing: Closing, _: _Nothing, clean: bool) -> Todo:
    return Todo.REPORT_CLEAN if clean else Todo.REPORT_LOST


@_finished.upon(Closing.finish).loop()
@_ending.upon(Closing.finish).loop()
@_ended.upon(Closing.finish).loop()
@_ended.upon(Closing.peerFinished).loop()
def _ignore(closing: Closing, _: _Nothing) -> Todo:
    return Todo.NOTHING


@_ended.upon(Closing.pathEnded).loop()
def _ignorePath(closing: Closing, _: _Nothing, clean: bool) -> Todo:
    return Todo.NOTHING


_make = _builder.build()


def newClosing() -> Closing:
    """
    The machine of a fresh link.
    """
    return _make(_Nothing())

"""
The events of a session: what the peer did to its streams.

They are not frozen, unlike other events: one is made for each piece of payload, and
a frozen dataclass takes three times as long to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(slots=True)
class Opened:
    """
    The peer opened a stream, on which both sides may send now.
    """

    stream: int


@dataclass(slots=True)
class Received:
    """
    The next bytes of a stream arrived.  They count against its window until
    L{Session.consumed<punch.yamux.session.Session.consumed>} is told of them.
    """

    stream: int
    data: bytes


@dataclass(slots=True)
class Finished:
    """
    The peer will send no more on this stream.  We still may.
    """

    stream: int


@dataclass(slots=True)
class Reset:
    """
    The peer reset this stream: it is over, and the session has forgotten it.
    """

    stream: int


@dataclass(slots=True)
class Completed:
    """
    Both sides have finished, and our last frame was handed out: the stream is
    over, and the session has forgotten it.
    """

    stream: int


@dataclass(slots=True)
class Drained:
    """
    What is queued on this stream was over
    L{HIGH_MARK <punch.yamux.stream.HIGH_MARK>} and has now fallen to
    L{LOW_MARK <punch.yamux.stream.LOW_MARK>}: its writer may resume.
    """

    stream: int


@dataclass(slots=True)
class WentAway:
    """
    The peer accepts no new streams; those that live go on.  C{code} says why:
    one of L{punch.yamux.session}'s or the peer's own.
    """

    code: int


Event: TypeAlias = Opened | Received | Finished | Reset | Completed | Drained | WentAway

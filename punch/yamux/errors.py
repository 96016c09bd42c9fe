"""
The errors with which a session refuses to open a stream.
"""

from __future__ import annotations


class CannotOpen(Exception):
    """
    No stream can be opened; nothing was sent.
    """


class StreamIdsExhausted(CannotOpen):
    """
    All stream ids of this side are used.  Ids never wrap, so only a new link helps.
    """


class StreamLimitReached(CannotOpen):
    """
    Too many streams are open, or wait for the peer to acknowledge them.  There may be
    room later.
    """


class GoneAway(CannotOpen):
    """
    One of the two sides has sent a go-away: it wants no new streams.
    """

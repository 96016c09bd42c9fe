"""
Why a stream cannot be opened.
"""

from __future__ import annotations


class CannotOpen(Exception):
    """
    No stream can be opened; nothing was sent.
    """


class StreamsExhausted(CannotOpen):
    """
    All ids were used: they never wrap, so it takes a new link.
    """


class TooManyStreams(CannotOpen):
    """
    Too many streams live, or wait for the peer to acknowledge them; later there
    may be room.
    """


class GoneAway(CannotOpen):
    """
    One of the two sides has said that it wants no new streams.
    """

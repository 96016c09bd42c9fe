"""
What came of one attempt to connect.
"""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """
    What came of one attempt.  Values are those that events show.
    """

    CONNECTED = "connected"
    REFUSED = "refused"
    TIMED_OUT = "timed out"
    TAKEN = "taken"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    """
    A connection came about, but no path: it broke, or the other side ended it.
    """
    WRONG_PIN = "wrong pin"
    """
    A connection came about, to somebody else.
    """


class Answer(Enum):
    """
    What came of a SYN.
    """

    OPEN = "accepted"
    REFUSED = "refused"
    TIMED_OUT = "dropped"
    UNREACHABLE = "unreachable"
    FAILED = "failed"

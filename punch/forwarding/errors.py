"""
What can go wrong with a forward.  (As in L{punch.errors}, what a person reads is the
docstring.)
"""

from __future__ import annotations

from punch.errors import Misuse
from punch.reasons import Reason
from punch.streams.errors import StreamError


class CannotListen(Misuse):
    """
    A forward's local end cannot be opened; stop the program that has it, or choose
    another.
    """

    reason = Reason.CANNOT_LISTEN


class NoLink(StreamError):
    """
    There is no link to the other side.
    """

    reason = Reason.NO_LINK

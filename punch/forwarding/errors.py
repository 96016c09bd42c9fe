"""
The errors of forwarding.  As in L{punch.errors}, people read the docstring.
"""

from __future__ import annotations

from punch.errors import Misuse
from punch.reasons import Reason
from punch.streams.errors import StreamError


class CannotListen(Misuse):
    """
    The local port of a forward cannot be opened; stop the program that uses it, or
    choose another port.
    """

    reason = Reason.CANNOT_LISTEN


class NoLink(StreamError):
    """
    There is no link to the other side.
    """

    reason = Reason.NO_LINK

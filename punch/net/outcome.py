"""
What came of one attempt to connect.
"""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """
    What came of one attempt to connect.  Events show the values, and the account that
    one peer gives the other names them.
    """

    CONNECTED = "connected"
    """
    There is a connection.
    """
    REFUSED = "refused"
    """
    A RST came back, or a firewall's ICMP message.
    """
    TIMED_OUT = "timed out"
    """
    Nothing came back.
    """
    TAKEN = "taken"
    """
    The four-tuple is in use: an accepted connection already holds it.
    """
    UNREACHABLE = "unreachable"
    """
    There is no route, or an ICMP message said so.
    """
    REJECTED = "rejected"
    """
    There was a connection, but it became no path: it broke, or the other side ended it.
    """
    WRONG_PIN = "wrong pin"
    """
    There was a connection, but to somebody else.
    """
    FAILED = "failed"
    """
    No SYN was sent, or the attempt was given up.
    """

"""
The two roles in an introduction.
"""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    """
    Who we are to the other peer.

    The dialer is the TLS client and the only one to attach a path (ICE:
    controlling, RFC 8445 section 6.1.1); the listener is the TLS server and
    obeys (controlled).
    """

    DIALER = "dialer"
    LISTENER = "listener"

    @property
    def other(self) -> Role:
        """
        The role of the other peer.
        """
        return Role.LISTENER if self is Role.DIALER else Role.DIALER

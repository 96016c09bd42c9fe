"""
The role: which of the two peers of an introduction we are.
"""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    """
    Which of the two peers of an introduction we are.

    The dialer is the TLS client.  It alone decides which path is attached (in ICE's
    words it is controlling, RFC 8445 section 6.1.1).  The listener is the TLS server,
    and follows the dialer (it is controlled).
    """

    DIALER = "dialer"
    LISTENER = "listener"

    @property
    def other(self) -> Role:
        """
        The role of the other peer.
        """
        return Role.LISTENER if self is Role.DIALER else Role.DIALER

"""
The options of TCP that transports of ours have in common.
"""

from __future__ import annotations


class FixedOptions:
    """
    A transport that never delays and whose peer is watched already: there is nothing
    to set (L{twisted.internet.interfaces.ITCPTransport}).
    """

    def getTcpNoDelay(self) -> bool:
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Small writes are never held back.
        """

    def getTcpKeepAlive(self) -> bool:
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        The link's own keepalive is always at work.
        """

"""
The address of one end of a link.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.interfaces import IAddress
from zope.interface import implementer

from punch.address import Address, formatAddress


@implementer(IAddress)
@dataclass(frozen=True)
class PunchAddress:
    """
    One end of a link: whose it is, and where its path ends now.

    C{pin}: SHA-256 of that peer's public key (32 bytes).  C{path}: C{"direct"}.
    """

    pin: bytes
    path: str
    address: Address

    @property
    def host(self) -> str:
        """
        The IP address, where Twisted's protocols look for it.
        """
        return self.address.host

    @property
    def port(self) -> int:
        """
        The TCP port, likewise.
        """
        return self.address.port

    def __str__(self) -> str:
        return f"{self.pin.hex()[:16]} at {formatAddress(self.address)} ({self.path})"

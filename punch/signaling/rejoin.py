"""
The reunion: the two sides of a link meet again, for another path.

The dialer dials the same name, and says by a preface for which link.  Nobody else
can: what the two then prove to each other is the link's own secret.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from punch.link.attach import LINK_SIZE
from punch.signaling.pake import MESSAGE_SIZE

_MARK = b"\x01"


@dataclass(frozen=True)
class Rejoin:
    """
    One, of the link that has this id and this secret.
    """

    link: bytes
    linkSecret: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """
        What the PAKE is made for, whatever name was dialed.
        """
        return f"reunion {self.link.hex()}"

    @property
    def secret(self) -> bytes:
        """
        What the PAKE is made with.
        """
        return hmac.digest(self.linkSecret, b"punch reunion", "sha256")

    @property
    def preface(self) -> bytes:
        """
        What precedes the dialer's PAKE message.
        """
        return _MARK + self.link


def splitPreface(message: bytes) -> tuple[bytes | None, bytes]:
    """
    The link's id, C{None} if none is meant, and the PAKE message.
    """
    end = len(_MARK) + LINK_SIZE
    if len(message) == end + MESSAGE_SIZE and message.startswith(_MARK):
        return message[len(_MARK) : end], message[end:]
    return None, message

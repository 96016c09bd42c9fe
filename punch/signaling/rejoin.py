"""
A rejoin: the two sides of a link meet again through the rendezvous, for another path.

The dialer dials the same name, and says with a preface for which link.  The secret of
the PAKE comes from the link, so nobody else can rejoin it.
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
    The name and the secret of the PAKE by which two peers rejoin one link.

    @ivar link: the link's id.
    @ivar linkSecret: the secret that only the link's two sides know.
    """

    link: bytes
    linkSecret: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """
        The name that goes into the PAKE, whatever name was dialed.
        """
        return f"reunion {self.link.hex()}"

    @property
    def secret(self) -> bytes:
        """
        The secret that goes into the PAKE.
        """
        return hmac.digest(self.linkSecret, b"punch reunion", "sha256")

    @property
    def preface(self) -> bytes:
        """
        The bytes before the dialer's PAKE message.
        """
        return _MARK + self.link


def splitPreface(message: bytes) -> tuple[bytes | None, bytes]:
    """
    Split what a dialer sent into the id of the link that it rejoins, or C{None}, and
    its PAKE message.
    """
    end = len(_MARK) + LINK_SIZE
    if len(message) == end + MESSAGE_SIZE and message.startswith(_MARK):
        return message[len(_MARK) : end], message[end:]
    return None, message

"""
Attachments: by what a new path is tied to a link that both sides know.

The proofs show that who attaches is who held the link before.  Each is tied to its
own path by a C{binding}, which that path's two ends alone know (exported from its
TLS, RFC 8446 section 7.5), so one that is overheard is of no use elsewhere.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from typing import Final

from punch.errors import ProtocolViolation

LINK_SIZE: Final = 16
"""
Bytes of a link's id.
"""

_PROOF_SIZE: Final = 32

_ATTACH: Final = struct.Struct(f"!{LINK_SIZE}sIQ")
_ATTACHED: Final = struct.Struct("!IQQQ")


@dataclass(frozen=True)
class Attach:
    """
    What the dialer asks with ATTACH: to go on with a link on this path.

    C{link}: its id.  C{generation}: of the path, counted from 1.  C{received}: the
    units that it has received.
    """

    link: bytes
    generation: int
    received: int

    def toBytes(self, secret: bytes, binding: bytes) -> bytes:
        """
        The record's payload, with the proof.

        @param secret: the link's.
        @param binding: the path's.
        """
        fields = _ATTACH.pack(self.link, self.generation, self.received)
        return fields + _proof(secret, b"punch attach" + fields + binding)

    @classmethod
    def parse(cls, payload: bytes) -> Attach:
        """
        What a payload says, without regard to its proof: to look for the link.

        @raise ProtocolViolation: the payload is too short.
        """
        return cls(*_ATTACH.unpack(_split(payload, _ATTACH.size)[0]))

    @classmethod
    def verified(cls, payload: bytes, secret: bytes, binding: bytes) -> Attach:
        """
        What a payload says, and proves.

        @raise ProtocolViolation: it is too short, or its proof is wrong.
        """
        fields, proof = _split(payload, _ATTACH.size)
        _check(proof, secret, b"punch attach" + fields + binding)
        return cls(*_ATTACH.unpack(fields))


@dataclass(frozen=True)
class Attached:
    """
    What the listener answers with ATTACHED.

    C{generation}: as in ATTACH.  C{received}: the units that it has received, so
    what the dialer sends on this path begins there.  C{sent}: the units that it
    has ever sent, on any path.  C{start}: where what it sends on this path begins:
    at what ATTACH named, or behind that if an acknowledgment was quicker.
    """

    generation: int
    received: int
    sent: int
    start: int

    def toBytes(self, secret: bytes, binding: bytes, link: bytes) -> bytes:
        """
        The record's payload, with the proof.

        @param secret: the link's.
        @param binding: the path's.
        @param link: its id, which is in the proof only.
        """
        fields = _ATTACHED.pack(self.generation, self.received, self.sent, self.start)
        return fields + _proof(secret, b"punch attached" + link + fields + binding)

    @classmethod
    def verified(
        cls, payload: bytes, secret: bytes, binding: bytes, link: bytes
    ) -> Attached:
        """
        What a payload says, and proves.

        @raise ProtocolViolation: it is too short, or its proof is wrong.
        """
        fields, proof = _split(payload, _ATTACHED.size)
        _check(proof, secret, b"punch attached" + link + fields + binding)
        return cls(*_ATTACHED.unpack(fields))


def _split(payload: bytes, size: int) -> tuple[bytes, bytes]:
    """
    Fields and proof.  What follows them is a later version's.
    """
    end = size + _PROOF_SIZE
    if len(payload) < end:
        raise ProtocolViolation(f"an attachment of {len(payload)} bytes, not {end}")
    return payload[:size], payload[size:end]


def _proof(secret: bytes, message: bytes) -> bytes:
    return hmac.digest(secret, message, "sha256")


def _check(proof: bytes, secret: bytes, message: bytes) -> None:
    if not hmac.compare_digest(proof, _proof(secret, message)):
        raise ProtocolViolation("an attachment with a wrong proof")

"""
The messages ATTACH and ATTACHED, which tie a new path to a link that both sides know.

Each carries a proof (an HMAC under the link's secret) that its sender is the one that
had the link before.  A proof holds for one path only: it includes a C{binding}, which
the two ends of that path alone know (exported from its TLS, RFC 8446 section 7.5).  So
a message that somebody has overheard is of no use on another path.
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
    The dialer's request to go on with a link on this path.

    @ivar link: the link's id.
    @ivar generation: the path's number in its link, from 1.
    @ivar received: the units that the dialer has received.
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
    def verified(cls, payload: bytes, secret: bytes, binding: bytes) -> Attach:
        """
        Read a payload and check its proof.

        @raise ProtocolViolation: it is too short, or its proof is wrong.
        """
        fields, proof = _split(payload, _ATTACH.size)
        _check(proof, secret, b"punch attach" + fields + binding)
        return cls(*_ATTACH.unpack(fields))


@dataclass(frozen=True)
class Attached:
    """
    The listener's answer to ATTACH.

    @ivar generation: as in ATTACH.
    @ivar received: the units that the listener has received, so what the dialer sends
        on this path begins there.
    @ivar sent: the units that the listener has ever sent, on any path.
    @ivar start: the offset at which begins what the listener sends on this path: what
        ATTACH named as received, or more if an acknowledgment was quicker.
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
        @param link: the link's id, which is in the proof only.
        """
        fields = _ATTACHED.pack(self.generation, self.received, self.sent, self.start)
        return fields + _proof(secret, b"punch attached" + link + fields + binding)

    @classmethod
    def verified(
        cls, payload: bytes, secret: bytes, binding: bytes, link: bytes
    ) -> Attached:
        """
        Read a payload and check its proof.

        @raise ProtocolViolation: it is too short, or its proof is wrong.
        """
        fields, proof = _split(payload, _ATTACHED.size)
        _check(proof, secret, b"punch attached" + link + fields + binding)
        return cls(*_ATTACHED.unpack(fields))


def _split(payload: bytes, size: int) -> tuple[bytes, bytes]:
    """
    Divide a payload into fields and proof.  Bytes after them are a later version's.
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

"""
Identities whose signatures are of one length, whatever they sign.

With those, and with nothing else of what L{Identity.make} gives, each run of one
seed has the same segments.
"""

from __future__ import annotations

from itertools import cycle

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from punch.net.identity import Identity
from tests.support.certified import selfSigned


def fixedIdentity(number: int) -> Identity:
    """
    The identity of a number from 0 to 255.
    """
    key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return Identity(key, selfSigned(key, "punch", number + 1))  # type: ignore[arg-type]


_identities = cycle([fixedIdentity(number) for number in range(2)])


def nextIdentity() -> Identity:
    """
    One that the last caller did not get.
    """
    return next(_identities)

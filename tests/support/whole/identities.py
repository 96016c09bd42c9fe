"""
Identities whose signatures are of one length, whatever they sign.

With those, and with nothing else of what L{Identity.make} gives, each run of one
seed has the same segments.
"""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import cycle

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from punch.net.identity import Identity

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "punch")])


def fixedIdentity(number: int) -> Identity:
    """
    The identity of a number from 0 to 255.
    """
    key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
        .public_key(key.public_key())
        .serial_number(number + 1)
        .not_valid_before(datetime(2000, 1, 1, tzinfo=timezone.utc))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=timezone.utc))
        .sign(key, None)
    )
    return Identity(key, certificate)  # type: ignore[arg-type]


_identities = cycle([fixedIdentity(number) for number in range(2)])


def nextIdentity() -> Identity:
    """
    One that the last caller did not get.
    """
    return next(_identities)

"""
Certificates, and TLS options that show them.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from twisted.internet.ssl import CertificateOptions

from punch.net.identity import Identity


def selfSigned(key: Any, host: str, serial: int = 1) -> x509.Certificate:
    """
    A self-signed certificate for the name of a host.

    @param key: a private key of C{cryptography}'s.
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2000, 1, 1, tzinfo=timezone.utc))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=timezone.utc))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), False)
        .sign(key, None if isinstance(key, Ed25519PrivateKey) else SHA256())
    )


def certified(identity: Identity, **more: Any) -> CertificateOptions:
    """
    Options with the key and the certificate of C{identity}, as C{cryptography} has
    them: pyOpenSSL deprecates its own.

    @param more: further arguments of L{CertificateOptions}.
    """
    # Twisted passes them on to pyOpenSSL, but is annotated for pyOpenSSL's alone.
    key: Any = identity.key
    certificate: Any = identity.certificate
    return CertificateOptions(privateKey=key, certificate=certificate, **more)

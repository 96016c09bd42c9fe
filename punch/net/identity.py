"""
The identity of a peer: the key and the self-signed certificate that it shows in TLS,
and the pin by which the other side recognizes it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from punch.errors import BadIdentity


def pinOf(certificate: x509.Certificate) -> bytes:
    """
    The pin of a certificate (RFC 7469): SHA-256 of its public key (SPKI, DER), 32
    bytes.
    """
    public = certificate.public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(spki).digest()


@dataclass(frozen=True)
class Identity:
    """
    A private key and its self-signed certificate.  A peer makes one for itself or
    loads the one that the user keeps in a file.
    """

    key: EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pin(self) -> bytes:
        """
        The pin by which the other side recognizes us.
        """
        return pinOf(self.certificate)

    @classmethod
    def make(cls) -> Identity:
        """
        Make a new identity.  It tells nothing about its maker or the time.
        """
        key = generate_private_key(SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "punch")])
        epoch = datetime(2000, 1, 1, tzinfo=timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(epoch)
            .not_valid_after(epoch + timedelta(days=36500))
            .sign(key, SHA256())
        )
        return cls(key, certificate)

    def toPEM(self) -> bytes:
        """
        Write the private key and then the certificate, as PEM.
        """
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + self.certificate.public_bytes(Encoding.PEM)

    @classmethod
    def fromPEM(cls, pem: bytes) -> Identity:
        """
        Read what L{toPEM} wrote.

        @raise BadIdentity: C{pem} is anything else.
        """
        try:
            key = load_pem_private_key(pem, password=None)
            certificate = x509.load_pem_x509_certificate(pem)
            public = certificate.public_key()
        except (
            ValueError,
            TypeError,
            UnsupportedAlgorithm,
            x509.InvalidVersion,
        ) as bad:
            raise BadIdentity() from bad
        if not isinstance(key, EllipticCurvePrivateKey):
            raise BadIdentity("its key is not an elliptic curve's")
        if key.public_key() != public:
            raise BadIdentity("key and certificate do not belong together")
        return cls(key, certificate)


def loadOrMakeIdentity(path: Path) -> Identity:
    """
    Load the identity in the file at C{path}.  If there is no such file, make one that
    only its owner can read.

    @raise BadIdentity: the file holds no identity, or cannot be read or written.
    """
    try:
        return Identity.fromPEM(path.read_bytes())
    except FileNotFoundError:
        pass
    except BadIdentity as bad:
        raise BadIdentity(f"{path}: {bad.detail or 'not ours'}") from bad
    except OSError as cannot:
        raise BadIdentity(f"{path}: {cannot.strerror}") from cannot
    identity = Identity.make()
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(identity.toPEM())
    except OSError as cannot:
        raise BadIdentity(f"{path}: {cannot.strerror}") from cannot
    return identity


def parsePin(text: str) -> bytes:
    """
    Read a pin of 64 hexadecimal digits, with spaces or colons between them or without.

    @raise ValueError: C{text} is something else.
    """
    pin = bytes.fromhex(text.replace(":", "").strip())
    if len(pin) != 32:
        raise ValueError("a pin has 64 hexadecimal digits")
    return pin

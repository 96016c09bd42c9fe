"""
Tests for L{punch.net.identity}.
"""

from __future__ import annotations

import stat
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509 import load_pem_x509_certificate
from hypothesis import given
from hypothesis import strategies as st

from punch.errors import BadIdentity
from punch.net.identity import Identity, loadOrMakeIdentity, parsePin, pinOf

OURS = Identity.make()
PEM = OURS.toPEM()
PIN = OURS.pin


def test_pin() -> None:
    """
    The pin is SHA-256 of the public key, and each identity's own.
    """
    spki = OURS.key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    assert sha256(spki).digest() == PIN
    assert pinOf(OURS.certificate) == PIN
    assert Identity.make().pin != PIN


def test_discreet() -> None:
    """
    The certificate tells nothing about who made it when.
    """
    certificate, other = OURS.certificate, Identity.make().certificate
    assert certificate.subject == certificate.issuer == other.subject
    assert certificate.not_valid_before_utc == other.not_valid_before_utc
    assert certificate.not_valid_after_utc == other.not_valid_after_utc
    assert certificate.not_valid_before_utc.year == 2000


def test_roundTrip() -> None:
    """
    What is written is read back as the same identity.
    """
    read = Identity.fromPEM(PEM)
    assert read.certificate == OURS.certificate
    assert read.key.private_numbers() == OURS.key.private_numbers()


@given(st.binary() | st.integers(0, len(PEM) - 2).map(lambda end: PEM[:end]))
def test_anyBytes(pem: bytes) -> None:
    """
    Anything else is L{BadIdentity}.
    """
    with pytest.raises(BadIdentity):
        Identity.fromPEM(pem)


@given(st.integers(0, len(PEM) - 1), st.integers(0, 255))
def test_altered(position: int, byte: int) -> None:
    """
    A damaged file is refused or harmless: it never gives another key.
    """
    damaged = PEM[:position] + bytes([byte]) + PEM[position + 1 :]
    try:
        read = Identity.fromPEM(damaged)
    except BadIdentity:
        return
    assert read.pin == PIN


def test_laterVersion() -> None:
    """
    A certificate of a version that does not exist is refused as any other is.
    """
    der = OURS.certificate.public_bytes(Encoding.DER)
    # X.509's version 3 is written as 2.
    damaged = der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"), 1)
    assert damaged != der
    lines = b64encode(damaged).decode()
    body = "\n".join(lines[at : at + 64] for at in range(0, len(lines), 64))
    pem = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    key = PEM[PEM.index(b"-----BEGIN PRIVATE") :].partition(b"-----BEGIN CERT")[0]
    with pytest.raises(BadIdentity):
        Identity.fromPEM(key + pem.encode())


def test_mixed() -> None:
    """
    A key and another's certificate are no identity.
    """
    other = Identity.make()
    with pytest.raises(BadIdentity, match="do not belong together"):
        Identity.fromPEM(Identity(other.key, OURS.certificate).toPEM())


def test_otherSort() -> None:
    """
    Nor is a key of a sort that we don't make.
    """
    key = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    certificate = OURS.certificate.public_bytes(Encoding.PEM)
    with pytest.raises(BadIdentity, match="elliptic curve"):
        Identity.fromPEM(key + certificate)


class TestFile:
    """
    The file in which an identity is kept.
    """

    def test_made(self, tmp_path: Path) -> None:
        """
        It is made on first use, and readable by its owner only; the next time it
        is the same.
        """
        path = tmp_path / "identity.pem"
        made = loadOrMakeIdentity(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert loadOrMakeIdentity(path).pin == made.pin
        certificate = load_pem_x509_certificate(path.read_bytes())
        assert pinOf(certificate) == made.pin

    @pytest.mark.parametrize(
        "content", [b"", b"rubbish", PEM[:100]], ids=["empty", "rubbish", "half"]
    )
    def test_bad(self, tmp_path: Path, content: bytes) -> None:
        """
        A file that holds something else is named, and left as it is.
        """
        path = tmp_path / "notes.txt"
        path.write_bytes(content)
        with pytest.raises(BadIdentity, match=str(path)):
            loadOrMakeIdentity(path)
        assert path.read_bytes() == content

    def test_noFolder(self, tmp_path: Path) -> None:
        """
        A file that cannot be made is named with the reason.
        """
        path = tmp_path / "nowhere" / "identity.pem"
        with pytest.raises(BadIdentity, match="No such file"):
            loadOrMakeIdentity(path)

    def test_folder(self, tmp_path: Path) -> None:
        """
        A file that cannot be read is a bad identity.
        """
        with pytest.raises(BadIdentity, match="directory"):
            loadOrMakeIdentity(tmp_path)


class TestParsePin:
    """
    Pins as people paste them.
    """

    @pytest.mark.parametrize(
        "text", ["", "00" * 31, "00" * 33, "0" * 63, "zz" * 32, "0x" + "00" * 32]
    )
    def test_bad(self, text: str) -> None:
        """
        Anything else is refused.
        """
        with pytest.raises(ValueError, match=r"hex|64"):
            parsePin(text)

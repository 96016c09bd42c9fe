"""
The password-authenticated key exchange (PAKE) of an introduction, and the messages
sealed under its key.

SPAKE2 (RFC 9382's construction, in the C{spake2} package's Ed25519 group) turns the
secret that both sides know into a key that nobody else can compute.  A party without
the secret, in the middle or at the other end, can test one guess in each exchange that
it takes part in, and learns nothing to test guesses against later.  The name is part of
the exchange, so an exchange cannot be moved to another name.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from spake2 import SPAKE2_A, SPAKE2_B

from punch.role import Role

MESSAGE_SIZE = 33
"""
Bytes in a PAKE message: the side, and a group element.
"""


class BadPAKEMessage(ValueError):
    """
    The bytes are not the other side's PAKE message.
    """


class BrokenSeal(ValueError):
    """
    The sealed bytes do not open: the other side has another key, or they were altered.
    """


class Seal:
    """
    Encrypts messages to the other side, and decrypts theirs, in the order in which they
    were sealed.

    L{PAKEExchange.finish} makes it.  The cipher is ChaCha20-Poly1305 (RFC 8439), with
    one key for each direction, and nonces that count.
    """

    def __init__(self, key: bytes, role: Role) -> None:
        self._outward = ChaCha20Poly1305(_deriveKey(key, role))
        self._inward = ChaCha20Poly1305(_deriveKey(key, role.other))
        self._sealed = 0
        self._opened = 0

    def seal(self, plain: bytes) -> bytes:
        """
        Seal the next message to the other side.
        """
        sealed = self._outward.encrypt(self._sealed.to_bytes(12, "big"), plain, None)
        self._sealed += 1
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """
        Open the next message from the other side.

        @raise BrokenSeal: the bytes are not the next message under our key.
        """
        nonce = self._opened.to_bytes(12, "big")
        try:
            plain = self._inward.decrypt(nonce, sealed, None)
        except InvalidTag:
            raise BrokenSeal() from None
        self._opened += 1
        return plain


def _deriveKey(key: bytes, sender: Role) -> bytes:
    info = f"punch/1 sealed by {sender.value}".encode("ascii")
    return HKDFExpand(SHA256(), 32, info).derive(key)


class PAKEExchange:
    """
    Our half of one key exchange.  It is used once.

    @ivar message: what to send to the other side.
    """

    def __init__(self, role: Role, name: str, secret: bytes) -> None:
        """
        @param role: ours.
        @param name: the published name that was dialed.
        @param secret: what both sides know.
        """
        self._role = role
        side = SPAKE2_A if role is Role.DIALER else SPAKE2_B
        self._spake = side(
            secret,
            idA=f"punch/1 dialer of {name}".encode(),
            idB=f"punch/1 listener of {name}".encode(),
        )
        self.message: bytes = self._spake.start()

    def finish(self, message: bytes) -> Seal:
        """
        Read the other side's message.  Whether the secrets are equal shows only when
        the first sealed message opens, or does not.

        @raise BadPAKEMessage: the bytes are not a PAKE message.
        """
        if len(message) != MESSAGE_SIZE:
            raise BadPAKEMessage()
        try:
            key = self._spake.finish(message)
        except Exception as bad:
            # The package's errors have no common base.
            raise BadPAKEMessage() from bad
        return Seal(key, self._role)

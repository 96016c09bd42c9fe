"""
The password-authenticated key exchange of an introduction, and the seals under
its key.

SPAKE2 (RFC 9382's construction, in the C{spake2} package's Ed25519 group) turns
the words that both sides know into a key that nobody else can compute.  A party
without the words, in the middle or at the other end, gets one guess for each
exchange it takes part in, and nothing to test guesses against afterwards.  The
name is bound in, so an exchange cannot be moved to another name.
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
    These bytes are not the other side's PAKE message.
    """


class BrokenSeal(ValueError):
    """
    The seal does not open: the other side has another key, or it was altered.
    """


class Seal:
    """
    Seals messages to the other side and opens theirs, in the order they were
    sealed: ChaCha20-Poly1305 (RFC 8439), one key for each direction, counted
    nonces.
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

        @raise BrokenSeal: it is not the next message under our key.
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
    Our half of one exchange.  It is used once.
    """

    def __init__(self, role: Role, name: str, secret: bytes) -> None:
        """
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
        Take the other side's message; whether the secrets were equal shows when
        the first seal opens, or doesn't.

        @raise BadMessage: it is none.
        """
        if len(message) != MESSAGE_SIZE:
            raise BadPAKEMessage()
        try:
            key = self._spake.finish(message)
        except Exception as bad:
            # The package has no one base for what rubbish makes it raise.
            raise BadPAKEMessage() from bad
        return Seal(key, self._role)

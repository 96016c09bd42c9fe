"""
The greeting: the PAKE messages and sealed messages that pass through the rendezvous.

  1. dialer: its PAKE message, with the dial
  2. listener: its PAKE message, then its sealed details
  3. dialer: its sealed details
  4. either: sealed notes (L{punch.signaling.messages})

The second message tells the dialer whether the secrets are equal, and the third tells
the listener.
"""

from __future__ import annotations

from punch.errors import WrongCode
from punch.role import Role
from punch.signaling.messages import BadDetails, BadNote, Details, Note
from punch.signaling.pake import (
    MESSAGE_SIZE,
    BadPAKEMessage,
    BrokenSeal,
    PAKEExchange,
    Seal,
)


class Greeting:
    """
    What both sides of a greeting can do: once the details are exchanged, send notes.

    Each introduction has one.
    """

    _seal: Seal | None = None

    def writeNote(self, note: Note) -> bytes:
        """
        Seal a note.  Our details must have been sealed before.
        """
        assert self._seal is not None
        return self._seal.seal(note.toBytes())

    def readNote(self, received: bytes) -> Note:
        """
        Open a note of the other side, whose details must have been opened before.

        @raise BadNote: the bytes are not the other side's next note.
        """
        assert self._seal is not None
        try:
            return Note.fromBytes(self._seal.open(received))
        except BrokenSeal as bad:
            raise BadNote("a broken seal") from bad


class DialerGreeting(Greeting):
    """
    The dialer's side of a greeting.

    @ivar message: the PAKE message, which goes out with the dial.
    """

    def __init__(self, name: str, secret: bytes) -> None:
        self._exchange = PAKEExchange(Role.DIALER, name, secret)
        self.message = self._exchange.message

    def answer(self, received: bytes, own: Details) -> tuple[Details, bytes]:
        """
        Read the listener's message.

        @param own: our details.
        @return: the listener's details, and the message to send back.
        @raise WrongCode: the secrets differ.
        """
        try:
            self._seal = seal = self._exchange.finish(received[:MESSAGE_SIZE])
        except BadPAKEMessage as bad:
            raise WrongCode() from bad
        details = _openDetails(seal, received[MESSAGE_SIZE:])
        return details, seal.seal(own.toBytes())


class ListenerGreeting(Greeting):
    """
    The listener's side of a greeting.  Each L{answer} lets the dialer test one guess.
    """

    def __init__(self, name: str, secret: bytes) -> None:
        self._exchange = PAKEExchange(Role.LISTENER, name, secret)

    def answer(self, received: bytes, own: Details) -> bytes:
        """
        Read the dialer's PAKE message.

        @param own: our details.
        @return: the message to send back.
        @raise WrongCode: the bytes are not a PAKE message.
        """
        try:
            self._seal = self._exchange.finish(received)
        except BadPAKEMessage as bad:
            raise WrongCode() from bad
        return self._exchange.message + self._seal.seal(own.toBytes())

    def finish(self, received: bytes) -> Details:
        """
        Read the dialer's sealed details.

        @raise WrongCode: they are not sealed with our secret, or came before L{answer}.
        """
        if self._seal is None:
            raise WrongCode()
        return _openDetails(self._seal, received)


def _openDetails(seal: Seal, sealed: bytes) -> Details:
    try:
        return Details.fromBytes(seal.open(sealed))
    except (BrokenSeal, BadDetails) as bad:
        raise WrongCode() from bad

"""
The greeting: PAKE messages and sealed details, as they pass through the
rendezvous.

  1. dialer: PAKE message (with its dial)
  2. listener: PAKE message, then its details sealed
  3. dialer: its details sealed
  4. either: notes (L{punch.signaling.messages}), sealed

The dialer learns from 2 whether the words are equal, the listener from 3.
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
    What both sides have: once they know each other they send notes.
    """

    _seal: Seal | None = None

    def writeNote(self, note: Note) -> bytes:
        """
        Seal a note.  The details have been sealed before it.
        """
        assert self._seal is not None
        return self._seal.seal(note.toBytes())

    def readNote(self, received: bytes) -> Note:
        """
        Open a note of the other side's, whose details are here.

        @raise BadNote: it is none.
        """
        assert self._seal is not None
        try:
            return Note.fromBytes(self._seal.open(received))
        except BrokenSeal as bad:
            raise BadNote("a broken seal") from bad


class DialerGreeting(Greeting):
    """
    The dialer's side.  C{message} goes out with the dial.
    """

    def __init__(self, name: str, secret: bytes) -> None:
        self._exchange = PAKEExchange(Role.DIALER, name, secret)
        self.message = self._exchange.message

    def answer(self, received: bytes, own: Details) -> tuple[Details, bytes]:
        """
        Take the listener's message.

        @return: the listener's details, and what to send back.
        @raise WrongCode: the words differ.
        """
        try:
            self._seal = seal = self._exchange.finish(received[:MESSAGE_SIZE])
        except BadPAKEMessage as bad:
            raise WrongCode() from bad
        details = _openDetails(seal, received[MESSAGE_SIZE:])
        return details, seal.seal(own.toBytes())


class ListenerGreeting(Greeting):
    """
    The listener's side: to C{answer} is to give the other side a guess.
    """

    def __init__(self, name: str, secret: bytes) -> None:
        self._exchange = PAKEExchange(Role.LISTENER, name, secret)

    def answer(self, received: bytes, own: Details) -> bytes:
        """
        Take the dialer's PAKE message.

        @return: what to send back.
        @raise WrongCode: it is no such message.
        """
        try:
            self._seal = self._exchange.finish(received)
        except BadPAKEMessage as bad:
            raise WrongCode() from bad
        return self._exchange.message + self._seal.seal(own.toBytes())

    def finish(self, received: bytes) -> Details:
        """
        Take the dialer's sealed details.

        @raise WrongCode: they are not sealed under our words, or came untimely.
        """
        if self._seal is None:
            raise WrongCode()
        return _openDetails(self._seal, received)


def _openDetails(seal: Seal, sealed: bytes) -> Details:
    try:
        return Details.fromBytes(seal.open(sealed))
    except (BrokenSeal, BadDetails) as bad:
        raise WrongCode() from bad

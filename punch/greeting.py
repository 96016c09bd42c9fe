"""
The greeting: PAKE messages and sealed details, as they pass through the
rendezvous.

  1. dialer: PAKE message (with its dial)
  2. listener: PAKE message, then its details sealed
  3. dialer: its details sealed

The dialer learns from 2 whether the words are equal, the listener from 3.
"""

from __future__ import annotations

from punch.details import BadDetails, Details
from punch.errors import WrongCode
from punch.pake import MESSAGE_SIZE, BadMessage, BrokenSeal, Exchange, Seal
from punch.role import Role


class DialersGreeting:
    """
    The dialer's side.  C{message} goes out with the dial.
    """

    def __init__(self, name: str, secret: bytes) -> None:
        self._exchange = Exchange(Role.DIALER, name, secret)
        self.message = self._exchange.message

    def answer(self, received: bytes, own: Details) -> tuple[Details, bytes]:
        """
        Take the listener's message.

        @return: the listener's details, and what to send back.
        @raise WrongCode: the words differ.
        """
        try:
            seal = self._exchange.finish(received[:MESSAGE_SIZE])
        except BadMessage as bad:
            raise WrongCode() from bad
        details = _openDetails(seal, received[MESSAGE_SIZE:])
        return details, seal.seal(own.toBytes())


class ListenersGreeting:
    """
    The listener's side: to C{answer} is to give the other side a guess.
    """

    def __init__(self, name: str, secret: bytes) -> None:
        self._exchange = Exchange(Role.LISTENER, name, secret)
        self._seal: Seal | None = None

    def answer(self, received: bytes, own: Details) -> bytes:
        """
        Take the dialer's PAKE message.

        @return: what to send back.
        @raise WrongCode: it is no such message.
        """
        try:
            self._seal = self._exchange.finish(received)
        except BadMessage as bad:
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

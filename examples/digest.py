"""
A service of one question: send bytes, finish, and hear their SHA-256.
"""

from __future__ import annotations

from hashlib import sha256

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IHalfCloseableProtocol)
class Digester(Protocol):
    """
    Hear bytes until the other side has finished, then answer.
    """

    transport: ITCPTransport

    def connectionMade(self) -> None:
        self._digest = sha256()

    def dataReceived(self, data: bytes) -> None:
        self._digest.update(data)

    def readConnectionLost(self) -> None:
        """
        The other side has written its last byte.
        """
        self.transport.write(self._digest.digest())
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        We have; nothing to do.
        """


class Question(Protocol):
    """
    Send bytes and finish; C{answer} fires with what comes back, or fails if the
    link ended early.
    """

    transport: ITCPTransport

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._heard = b""
        self.answer: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._data)
        self.transport.loseWriteConnection()

    def dataReceived(self, data: bytes) -> None:
        self._heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if reason.check(ConnectionDone):
            self.answer.callback(self._heard)
        else:
            self.answer.errback(reason)

"""
The protocols that C{twist punch} can run on a link.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver

_log = Logger(namespace="punch")


class Hello(LineOnlyReceiver):
    """
    The conversation of two strangers: say hello, and repeat the first thing you
    hear.
    """

    delimiter = b"\n"
    transport: ITransport

    def connectionMade(self) -> None:
        self._repeated = False
        self.sendLine(b"hello world!")

    def lineReceived(self, line: bytes) -> None:
        text = line.rstrip(b"\r").decode("utf-8", "backslashreplace")
        _log.info("Heard: {line}", line=text)
        if not self._repeated:
            self._repeated = True
            self.sendLine(line)


class Echo(Protocol):
    """
    Send back whatever comes, until it ends, as fast as it is taken.
    """

    transport: Any

    def connectionMade(self) -> None:
        # What can't be written now is not read.
        self.transport.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


PROTOCOLS: dict[str, Callable[[], Protocol]] = {"hello": Hello, "echo": Echo}
"""
The protocols by name.
"""

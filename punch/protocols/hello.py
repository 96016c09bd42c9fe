"""
The protocols C{hello} and C{echo}, which show that a link works.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver

_log = Logger(namespace="punch")


class HelloProtocol(LineOnlyReceiver):
    """
    Says hello, and repeats the first line that it hears.  It shows that a link works.
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


class EchoProtocol(Protocol):
    """
    Sends back whatever it receives, as fast as the other side takes it.
    """

    transport: Any

    def connectionMade(self) -> None:
        # While we cannot write we do not read.
        self.transport.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

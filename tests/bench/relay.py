"""
The yardstick: a bare relay between endpoints, of which two, with TLS between them,
do the least that any forward by Twisted must do.

C{python -m tests.bench.relay PORT OUTER INNER PEM}: listens with one of them, is a
client with the other; C{tls} or C{plain}.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    wrapClientTLS,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from punch.net.identity import Identity
from tests.support.certified import certified


class Half(Protocol):
    """
    One of two connections that are coupled.
    """

    transport: Any
    other: Half | None = None

    def couple(self, other: Half) -> None:
        """
        What this one receives, the other sends, and at its pace.
        """
        self.other = other
        self.transport.registerProducer(other.transport, True)

    def connectionMade(self) -> None:
        """
        Be quick.
        """
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        """
        Pass it on.
        """
        assert self.other is not None
        self.other.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        End the other, when it has sent all.
        """
        if self.other is not None:
            self.other.transport.unregisterProducer()
            self.other.transport.loseConnection()
            self.other = None


class Accepted(Half):
    """
    The half that came in, and has the other made.
    """

    def __init__(self, onward: Any) -> None:
        self._onward = onward

    def connectionMade(self) -> None:
        """
        Wait for the other half.
        """
        Half.connectionMade(self)
        self.transport.pauseProducing()
        # Not connectProtocol: behind TLS each call of it leaves a class behind.
        connecting = self._onward.connect(Factory.forProtocol(Half))
        connecting.addCallbacks(self._coupleBoth, self._refused)

    def _coupleBoth(self, other: Half) -> None:
        other.couple(self)
        self.couple(other)
        self.transport.resumeProducing()

    def _refused(self, why: Failure) -> None:
        self.transport.abortConnection()


def main(port: str, outer: str, inner: str, pem: str) -> None:
    """
    Say which port we listen on, and relay to C{port} until we are ended.
    """
    from twisted.internet import reactor

    identity = Identity.fromPEM(Path(pem).read_bytes())
    options = certified(identity, raiseMinimumTo=TLSVersion.TLSv1_3)
    onward: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
    if inner == "tls":
        onward = wrapClientTLS(options, onward)
    factory: Any = Factory.forProtocol(lambda: Accepted(onward))
    if outer == "tls":
        factory = TLSMemoryBIOFactory(options, False, factory)
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1", backlog=1024)
    endpoint.listen(factory).addCallback(
        lambda listening: print(f"port {listening.getHost().port}", flush=True)
    )
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

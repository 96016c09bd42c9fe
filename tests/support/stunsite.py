"""
A STUN server, ours or one that does as it is told, and a shared port to ask it from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory

from punch.nat.stun import STUNFramer, decode
from punch.nat.stunclient import CONNECT_TIMEOUT, STUNClient, connectSTUN
from punch.net.sharedport import SharedPort
from punch.testing import MemoryHost, NATBehavior, spin
from tests.support.doubles import noProbe
from tests.support.programs import Recorder, network

SERVER = "192.0.2.1"
PORT = 3478

Answer = Callable[[bytes], bytes]


class Scripted(Recorder):
    """
    Answers each message as it is told.
    """

    def __init__(self, answer: Answer) -> None:
        Recorder.__init__(self)
        self._answer = answer
        self._framer = STUNFramer()

    def dataReceived(self, data: bytes) -> None:
        """
        Answer.
        """
        for message in self._framer.feed(data):
            self.transport.write(self._answer(decode(message).transaction))


class STUNSite:
    """
    A client on its shared port, behind a NAT or not, and a place for a server.
    """

    def __init__(self, behavior: NATBehavior | None = None) -> None:
        self.network = network()
        self.server = self.network.host(SERVER)
        self.nat = None
        if behavior is not None:
            self.nat = self.network.nat("198.51.100.1", behavior)
        address = "192.0.2.2" if behavior is None else "192.168.1.2"
        self.host: MemoryHost = self.network.host(address, behind=self.nat)
        self.shared = SharedPort(self.host, lambda connection: None, probe=noProbe)
        self.shared.open(4000)
        self.listening: Any = None

    def serve(self, factory: Factory[Any]) -> None:
        """
        Have a server listen.
        """
        self.listening = self.server.listenTCP(PORT, factory)

    def script(self, answer: Answer) -> list[Scripted]:
        """
        Have a server answer so.
        """
        made: list[Scripted] = []

        def build() -> Scripted:
            made.append(Scripted(answer))
            return made[-1]

        factory = Factory.forProtocol(build)
        factory.noisy = False
        self.serve(factory)
        return made

    def connect(self, host: str = SERVER) -> Deferred[STUNClient]:
        """
        Connect from the shared port.
        """
        binding = self.shared.binding
        endpoint = HostnameEndpoint(self.host, host, PORT, CONNECT_TIMEOUT, binding)
        return connectSTUN(self.host, endpoint)

    def client(self) -> STUNClient:
        """
        A client that is connected.
        """
        return spin(self.connect(), self.network)

    def end(self) -> None:
        """
        See that nothing is left.
        """
        spin(self.shared.close(), self.network)
        if self.listening is not None:
            self.listening.stopListening()
        self.network.run(1.5)
        assert self.network.openSockets() == []
        assert list(self.network.delayedCalls()) == []

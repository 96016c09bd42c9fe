"""
A rendezvous in memory that is a relay, and clients of it on hosts of their own.
"""

from __future__ import annotations

from typing import Any

from punch.rendezvous.relaypreamble import encodePreamble
from punch.rendezvous.server.factory import RendezvousFactory
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.relay import RelayServer
from punch.testing import MemoryHost, MemoryNetwork, spin
from tests.support.programs import HalfCloser, connect, network
from tests.support.whole.tls import NAME, inside

RELAY = "192.0.2.9"
PORT = 4040
TLS_PORT = 4041


class Site:
    """
    A relay, and hosts.

    @ivar hosts: two, whose addresses are 192.0.2.1 and 192.0.2.2.
    @ivar secure: where the relay listens with TLS.
    """

    def __init__(self, **limits: int) -> None:
        self.network: MemoryNetwork = network()
        host = self.network.host(RELAY)
        self.rendezvous = host
        self.factory = RendezvousFactory(host, Limits(**limits))
        self.listening: Any = host.listenTCP(PORT, self.factory)
        self.network.name(NAME, RELAY)
        self.secure: Any = host.listenTCP(TLS_PORT, inside(self.factory, host))
        self.hosts = [self.network.host(f"192.0.2.{n}") for n in (1, 2)]
        self.run = self.network.run

    @property
    def relay(self) -> RelayServer:
        """
        The relay itself.
        """
        assert self.factory.state.relay is not None
        return self.factory.state.relay

    @property
    def connections(self) -> list[Any]:
        """
        The server's side of all connections.
        """
        return [*self.factory.state.connections]

    def tickets(self) -> tuple[bytes, bytes]:
        """
        Two tickets of an introduction.
        """
        pair = self.relay.issueTickets()
        return pair.listener, pair.dialer

    def connect(self, host: MemoryHost | None = None) -> HalfCloser:
        """
        A client, by default on the first host, who has said nothing yet.
        """
        made = spin(
            connect(host or self.hosts[0], RELAY, kind=HalfCloser), self.network
        )
        assert isinstance(made, HalfCloser)
        return made

    def client(
        self, ticket: bytes, data: bytes = b"", host: MemoryHost | None = None
    ) -> HalfCloser:
        """
        A client who has shown a ticket, with C{data} right behind it.
        """
        made = self.connect(host)
        made.transport.write(encodePreamble(ticket) + data)
        self.run(0.2)
        return made

    def joined(self) -> list[HalfCloser]:
        """
        Two clients, each on a host of its own, who are spliced; what they received
        so far is forgotten.
        """
        pairs = zip(self.tickets(), self.hosts, strict=True)
        clients = [self.client(ticket, b"", host) for ticket, host in pairs]
        self.run(0.2)
        for each in clients:
            assert each.received == b"\0"
            each.received = b""
        return clients

    def open(self) -> list[Any]:
        """
        The sockets that the rendezvous holds, but the one it listens on.
        """
        return [
            each for each in self.rendezvous.sockets() if "LISTEN" not in repr(each)
        ]

    def end(self) -> None:
        """
        Stop the rendezvous, and see that nothing of it is left.
        """
        self.listening.stopListening()
        self.secure.stopListening()
        self.run(1.0)
        assert self.open() == []
        assert list(self.network.delayedCalls()) == []

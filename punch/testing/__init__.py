"""
A network in memory, for testing programs that use TCP across NATs.

Whole programs (Twisted's transports, TLS, AMP, endpoints) run on the hosts of a
L{MemoryNetwork} as they do on a reactor, under one L{twisted.internet.task.Clock}:
without a socket, without a sleep, and the same for the same seed::

    network = MemoryNetwork(Clock(), seed=1)
    home = network.nat("198.51.100.1", NATBehavior())
    host = network.host("192.168.1.2", behind=home)
    server = network.host("192.0.2.1")
    port = server.listenTCP(4040, factory)
    endpoint = TCP4ClientEndpoint(host, "192.0.2.1", 4040)
    protocol = spin(endpoint.connect(otherFactory), network)

A connection's handshake is modelled segment by segment, simultaneous open and
refusals included, and so is what NATs make of it; from then on it is a reliable
stream with latency, loss and flow control.
"""

from punch.nat.behavior import Allocation, Mapping
from punch.testing.behavior import (
    NAT_KINDS,
    Filtering,
    NATBehavior,
    Unsolicited,
)
from punch.testing.host import MemoryHost
from punch.testing.nat import MemoryNAT
from punch.testing.nat64 import MemoryNAT64
from punch.testing.network import MemoryNetwork
from punch.testing.waiting import NeverHappened, spin

__all__ = [
    "NAT_KINDS",
    "Allocation",
    "Filtering",
    "Mapping",
    "MemoryHost",
    "MemoryNAT",
    "MemoryNAT64",
    "MemoryNetwork",
    "NATBehavior",
    "NeverHappened",
    "Unsolicited",
    "spin",
]

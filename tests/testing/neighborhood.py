"""
A NAT and who is around it, for test cases.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from punch.testing import MemoryHost, NATBehavior, spin
from tests.support.programs import Service, connect, network, shared

OUTSIDE = "198.51.100.1"
"""
The NAT's outside address.
"""


class Neighborhood(SynchronousTestCase):
    """
    A host behind a NAT, and three public ones, of which each listens on two ports.
    """

    def setUp(self) -> None:
        """
        Make the public part.
        """
        self.network = network()
        self.addresses = [f"192.0.2.{n}" for n in (1, 2, 3)]
        self.public = [self.network.host(each) for each in self.addresses]
        self.services = {
            (address, port): Service(host, shared(port))
            for address, host in zip(self.addresses, self.public, strict=True)
            for port in (4040, 4041)
        }

    def build(self, **behavior: Any) -> MemoryHost:
        """
        Make the private part.
        """
        self.nat = self.network.nat(OUTSIDE, NATBehavior(**behavior))
        return self.network.host("192.168.1.2", behind=self.nat)

    def observed(self, host: MemoryHost, server: int, port: int = 4040) -> Any:
        """
        Connect from a shared port, and tell as whom the server sees it.
        """
        address = self.addresses[server]
        spin(connect(host, address, port, bindAddress=shared(4000)), self.network)
        self.network.run(1)
        return self.services[address, port].accepted[-1].transport.getPeer()

    def reaches(self, server: int, outside: int, source: int = 4040) -> bool:
        """
        Can a public host connect to an outside port?
        """
        attempt = connect(
            self.public[server], OUTSIDE, outside, shared(source), timeout=3
        )
        try:
            spin(attempt, self.network)
        except (TimeoutError, ConnectionRefusedError):
            return False
        return True

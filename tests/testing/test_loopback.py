"""
Two programs, or one, on one host.
"""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectError, ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase

from punch.testing import spin
from tests.support.programs import Service, connect, network, shared


class LoopbackTests(SynchronousTestCase):
    """
    Two programs on one host.
    """

    def setUp(self) -> None:
        """
        Make the host.
        """
        self.network = network()
        self.host = self.network.host("192.0.2.1")

    def test_instant(self) -> None:
        """
        Programs on one host reach each other, by any of its addresses, in no time.
        """
        service = Service(self.host)
        for address in ("127.0.0.1", "192.0.2.1", "127.0.0.53", "0.0.0.0"):
            spin(connect(self.host, address), self.network, 0)
        self.network.run(0)
        assert len(service.accepted) == 4

    def test_refused(self) -> None:
        """
        Loopback refuses at once.
        """
        refused = connect(self.host, "127.0.0.1")
        with pytest.raises(ConnectionRefusedError):
            spin(refused, self.network, 0)

    def test_survivesCut(self) -> None:
        """
        Loopback works on a host whose link is cut.
        """
        self.host.cut()
        Service(self.host)
        spin(connect(self.host, "127.0.0.1"), self.network, 0)

    def test_notReachedFromOutside(self) -> None:
        """
        Who listens on loopback is not reached over the link.
        """
        Service(self.host, interface="127.0.0.1")
        other = self.network.host("192.0.2.2")
        refused = connect(other, "192.0.2.1")
        with pytest.raises(ConnectionRefusedError):
            spin(refused, self.network)

    def test_loopbackSourceStays(self) -> None:
        """
        A socket bound to loopback cannot connect to another host.
        """
        self.network.host("192.0.2.2")
        failing = connect(self.host, "192.0.2.2", bindAddress=("127.0.0.1", 0))
        with pytest.raises(ConnectError):
            spin(failing, self.network)

    def test_crossing(self) -> None:
        """
        Two connects that cross on loopback are refused: the kernel answers each
        SYN before the other is sent.
        """
        for _ in range(50):
            attempts = [
                connect(self.host, "127.0.0.1", 4001, bindAddress=shared(4000)),
                connect(self.host, "127.0.0.1", 4000, bindAddress=shared(4001)),
            ]
            for each in attempts:
                with pytest.raises(ConnectionRefusedError):
                    spin(each, self.network)

    def test_self(self) -> None:
        """
        A socket that connects to itself is connected to itself.
        """
        protocol = spin(
            connect(self.host, "127.0.0.1", 4000, bindAddress=shared(4000)),
            self.network,
        )
        assert protocol.transport.getPeer() == protocol.transport.getHost()
        protocol.transport.write(b"echo")
        self.network.run(0)
        assert protocol.received == b"echo"
        protocol.transport.loseConnection()
        self.network.run(1)
        assert self.network.openSockets() == []
        assert self.network.clock.getDelayedCalls() == []

    def test_selfBeforeListener(self) -> None:
        """
        It does so even if it listens on that port.
        """
        service = Service(self.host, shared(4000))
        protocol = spin(
            connect(self.host, "127.0.0.1", 4000, bindAddress=shared(4000)),
            self.network,
        )
        protocol.transport.write(b"me")
        self.network.run(1)
        assert (protocol.received, service.accepted) == (b"me", [])

    def test_listenerWins(self) -> None:
        """
        Of two programs that listen and connect to each other, the second to
        connect finds the four-tuple taken: it has accepted the first.
        """
        services = [Service(self.host, shared(each)) for each in (4000, 4001)]
        first = connect(self.host, "127.0.0.1", 4001, bindAddress=shared(4000))
        second = connect(self.host, "127.0.0.1", 4000, bindAddress=shared(4001))
        spin(first, self.network)
        with pytest.raises(ConnectError):
            spin(second, self.network)
        self.network.run(0)
        assert [len(each.accepted) for each in services] == [0, 1]

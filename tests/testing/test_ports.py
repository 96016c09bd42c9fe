"""
Who may hold a local port: Linux's rules, as a program meets them.
"""

from __future__ import annotations

from errno import EADDRINUSE, EADDRNOTAVAIL
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, ConnectBindError, ConnectError
from twisted.internet.tcp import makeBinding
from twisted.trial.unittest import SynchronousTestCase

from punch.testing import spin
from punch.testing.ports import Claim
from tests.support.programs import Service, connect, network, shared


class ListenTests(SynchronousTestCase):
    """
    Listening on one host.
    """

    def setUp(self) -> None:
        """
        Make it.
        """
        self.network = network()
        self.host = self.network.host("192.0.2.1", "192.0.2.11")

    def assertCannotListen(self, number: int, port: Any, interface: str = "") -> None:
        """
        Listening fails with an C{errno}.
        """
        with pytest.raises(CannotListenError) as caught:
            Service(self.host, port, interface)
        assert caught.value.socketError.errno == number

    def test_twice(self) -> None:
        """
        A port on which somebody listens cannot be listened on again.
        """
        Service(self.host)
        self.assertCannotListen(EADDRINUSE, 4040)
        self.assertCannotListen(EADDRINUSE, 4040, "192.0.2.1")
        self.assertCannotListen(EADDRINUSE, makeBinding("", 4040))

    def test_apart(self) -> None:
        """
        Two addresses are two places to listen.
        """
        for interface in ("192.0.2.1", "192.0.2.11", "127.0.0.1"):
            Service(self.host, interface=interface)
        self.assertCannotListen(EADDRINUSE, 4040)

    def test_shared(self) -> None:
        """
        With SO_REUSEPORT on both, two can listen on one port.
        """
        services = [Service(self.host, shared(4040)) for _ in range(2)]
        client = self.network.host("192.0.2.2")
        for _ in range(20):
            spin(connect(client, "192.0.2.1"), self.network)
        self.network.run(1)
        accepted = [len(each.accepted) for each in services]
        assert sum(accepted) == 20
        assert all(accepted)

    def test_onlyOneShares(self) -> None:
        """
        SO_REUSEPORT on one of two is not enough, whichever came first.
        """
        Service(self.host, shared(4040))
        self.assertCannotListen(EADDRINUSE, 4040)
        Service(self.host, 4041)
        self.assertCannotListen(EADDRINUSE, shared(4041))

    def test_strangersAddress(self) -> None:
        """
        A host listens on its own addresses only; one without IPv6 has none of it.
        """
        self.assertCannotListen(EADDRNOTAVAIL, 4040, "192.0.2.2")
        self.assertCannotListen(EADDRNOTAVAIL, 4040, "::")
        self.assertCannotListen(EADDRNOTAVAIL, 4040, "::1")

    def test_families(self) -> None:
        """
        IPv4 and IPv6 do not get into each other's way.
        """
        self.host = self.network.host("192.0.2.3", "2001:db8::3")
        Service(self.host)
        Service(self.host, interface="::")
        self.assertCannotListen(EADDRINUSE, 4040, "::1")

    def test_specificFirst(self) -> None:
        """
        A connection goes to who listens on its very address.
        """
        anywhere = Service(self.host, shared(4040))
        there = Service(self.host, shared(4040, "192.0.2.11"), "192.0.2.11")
        client = self.network.host("192.0.2.2")
        spin(connect(client, "192.0.2.11"), self.network)
        self.network.run(1)
        assert (len(anywhere.accepted), len(there.accepted)) == (0, 1)

    def test_anyPort(self) -> None:
        """
        Port 0 is one that nobody has.
        """
        ports = {Service(self.host, 0).address.port for _ in range(50)}
        assert len(ports) == 50
        assert 0 not in ports

    def test_again(self) -> None:
        """
        A port can be listened on again at once, even with connections left.
        """
        service = Service(self.host)
        client = self.network.host("192.0.2.2")
        spin(connect(client, "192.0.2.1"), self.network)
        self.network.run(1)
        spin(service.listening.stopListening(), self.network)
        Service(self.host)


class BindTests(SynchronousTestCase):
    """
    Connecting from a chosen port.
    """

    def setUp(self) -> None:
        """
        Make a client, and two servers that listen.
        """
        self.network = network()
        self.host = self.network.host("192.0.2.1")
        self.servers = [self.network.host(f"192.0.2.{n}") for n in (2, 3)]
        self.services = [Service(each) for each in self.servers]

    def assertFails(
        self, connecting: Deferred[Any], kind: type[ConnectError], number: int
    ) -> None:
        """
        An attempt fails with an error and C{errno}.
        """
        with pytest.raises(kind) as caught:
            spin(connecting, self.network)
        assert type(caught.value) is kind
        assert caught.value.osError == number

    def test_chosen(self) -> None:
        """
        The other end sees the port that was chosen, by binding or by tuple.
        """
        spin(connect(self.host, "192.0.2.2", bindAddress=shared(4000)), self.network)
        spin(connect(self.host, "192.0.2.2", bindAddress=("", 4001)), self.network)
        self.network.run(1)
        seen = [each.transport.getPeer().port for each in self.services[0].accepted]
        assert seen == [4000, 4001]

    def test_oneToMany(self) -> None:
        """
        With both options one port listens and connects to many at once.
        """
        Service(self.host, shared(4000))
        for address in ("192.0.2.2", "192.0.2.3"):
            spin(connect(self.host, address, bindAddress=shared(4000)), self.network)

    def test_reuseAddressAlone(self) -> None:
        """
        With SO_REUSEADDR alone, a port on which somebody listens is taken.
        """
        Service(self.host, 4000)
        binding = makeBinding("", 4000, reuseAddress=True)
        connecting = connect(self.host, "192.0.2.2", bindAddress=binding)
        self.assertFails(connecting, ConnectBindError, EADDRINUSE)

    def test_connectFirst(self) -> None:
        """
        The other way round it is not.
        """
        binding = makeBinding("", 4000, reuseAddress=True)
        spin(connect(self.host, "192.0.2.2", bindAddress=binding), self.network)
        Service(self.host, 4000)

    def test_strangersAddress(self) -> None:
        """
        A socket cannot be bound to another host's address.
        """
        connecting = connect(self.host, "192.0.2.2", bindAddress=("192.0.2.3", 0))
        self.assertFails(connecting, ConnectBindError, EADDRNOTAVAIL)

    def test_taken(self) -> None:
        """
        A four-tuple that is connected, or connecting, cannot be connected again.
        """
        for address in ("192.0.2.2", "192.0.2.9"):
            first = connect(self.host, address, bindAddress=shared(4000))
            self.network.run(1)
            second = connect(self.host, address, bindAddress=shared(4000))
            self.assertFails(second, ConnectError, EADDRNOTAVAIL)
            first.addErrback(lambda failure: None)
            first.cancel()

    def test_takenByAccepting(self) -> None:
        """
        Neither can one that was accepted, or is about to be.
        """
        Service(self.host, shared(4000))
        peer = self.network.host("192.0.2.4")
        connect(peer, "192.0.2.1", 4000, bindAddress=shared(4000))
        self.network.run(0.05)
        early = connect(self.host, "192.0.2.4", 4000, bindAddress=shared(4000))
        self.assertFails(early, ConnectError, EADDRNOTAVAIL)
        self.network.run(1)
        late = connect(self.host, "192.0.2.4", 4000, bindAddress=shared(4000))
        self.assertFails(late, ConnectError, EADDRNOTAVAIL)

    def test_freedByClosing(self) -> None:
        """
        A four-tuple is free again when both ends have closed.
        """
        for _ in range(3):
            protocol = spin(
                connect(self.host, "192.0.2.2", bindAddress=shared(4000)), self.network
            )
            protocol.transport.loseConnection()
            self.network.run(0.2)

    def test_freedByRefusal(self) -> None:
        """
        And when it was refused.
        """
        for _ in range(3):
            refused = connect(self.host, "192.0.2.2", 9, bindAddress=shared(4000))
            with pytest.raises(ConnectError):
                spin(refused, self.network)


_claims = st.builds(
    Claim,
    st.sampled_from(["0.0.0.0", "192.0.2.1", "127.0.0.1", "::", "2001:db8::1"]),
    st.just(4040),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


class ClaimTests(SynchronousTestCase):
    """
    The rule itself.
    """

    @given(_claims, _claims)
    def test_listening(self, one: Claim, other: Claim) -> None:
        """
        Only that the older of two listens makes a difference between them.
        """
        if one.isListening == other.isListening:
            assert one.conflicts(other) == other.conflicts(one)
        if not one.overlaps(other):
            assert not one.conflicts(other)

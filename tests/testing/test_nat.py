"""
What NATs let out, let in, and call it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from punch.testing import (
    NAT_KINDS,
    Allocation,
    Filtering,
    Mapping,
    MemoryHost,
    NATBehavior,
    Unsolicited,
    spin,
)
from punch.testing.mappings import MappingTable, NoFreePort

from .programs import Service, connect, network, shared

OUTSIDE = "198.51.100.1"
DESTINATIONS = [(0, 4040), (0, 4041), (1, 4040), (1, 4041)]


class NATTests(SynchronousTestCase):
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

    def test_translated(self) -> None:
        """
        The server sees the outside address; the way takes the NAT's latency too.
        """
        host = self.build()
        self.assertEqual(self.observed(host, 0).host, OUTSIDE)
        before = self.network.clock.seconds()
        protocol = spin(connect(host, self.addresses[0]), self.network)
        self.assertAlmostEqual(self.network.clock.seconds() - before, 0.09)
        self.assertEqual(protocol.transport.getPeer().host, self.addresses[0])

    def test_bytes(self) -> None:
        """
        Bytes pass both ways.
        """
        host = self.build()
        protocol = spin(connect(host, self.addresses[0]), self.network)
        protocol.transport.write(b"out")
        self.network.run(1)
        accepted = self.services[self.addresses[0], 4040].accepted[0]
        accepted.transport.write(b"in")
        self.network.run(1)
        self.assertEqual((protocol.received, accepted.received), (b"in", b"out"))

    def test_endpointIndependentMapping(self) -> None:
        """
        Everybody sees the same port.
        """
        host = self.build(allocation=Allocation.RANDOM)
        seen = {self.observed(host, n, port).port for n, port in DESTINATIONS}
        self.assertEqual(len(seen), 1)

    def test_addressDependentMapping(self) -> None:
        """
        Each address sees another.
        """
        host = self.build(mapping=Mapping.ADDRESS_DEPENDENT)
        seen = [self.observed(host, n, port).port for n, port in DESTINATIONS]
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(seen[2], seen[3])
        self.assertNotEqual(seen[0], seen[2])

    def test_addressAndPortDependentMapping(self) -> None:
        """
        Each address and port sees another.
        """
        host = self.build(mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT)
        seen = {self.observed(host, n, port).port for n, port in DESTINATIONS}
        self.assertEqual(len(seen), 4)

    def test_preserve(self) -> None:
        """
        The inside port is kept, for the first who has it.
        """
        host = self.build()
        other = self.network.host("192.168.1.3", behind=self.nat)
        self.assertEqual(self.observed(host, 0).port, 4000)
        self.assertEqual(self.observed(other, 0).port, 4001)

    def test_sequential(self) -> None:
        """
        Each mapping's port follows the last.
        """
        host = self.build(
            mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT,
            allocation=Allocation.SEQUENTIAL,
        )
        seen = [self.observed(host, n, port).port for n, port in DESTINATIONS]
        first, last = self.nat.behavior.ports
        for one, following in pairwise(seen):
            self.assertEqual(following, first if one == last else one + 1)

    def test_endpointIndependentFiltering(self) -> None:
        """
        Anybody gets in by a mapped port.
        """
        host = self.build(filtering=Filtering.ENDPOINT_INDEPENDENT)
        inside = Service(host, shared(4000))
        self.observed(host, 0)
        self.assertTrue(self.reaches(1, 4000))
        self.network.run(1)
        self.assertEqual(len(inside.accepted), 1)

    def test_addressDependentFiltering(self) -> None:
        """
        Only who was addressed gets in, from any port.
        """
        host = self.build(filtering=Filtering.ADDRESS_DEPENDENT)
        Service(host, shared(4000))
        self.observed(host, 0)
        self.assertTrue(self.reaches(0, 4000, source=9999))
        self.assertFalse(self.reaches(1, 4000))

    def test_addressAndPortDependentFiltering(self) -> None:
        """
        Only from the port that was addressed.
        """
        host = self.build()
        Service(host, shared(4000))
        self.observed(host, 0)
        self.assertFalse(self.reaches(0, 4000, source=9999))
        attempt = connect(host, self.addresses[1], 7777, bindAddress=shared(4000))
        self.assertRaises(ConnectionRefusedError, spin, attempt, self.network)
        self.assertFalse(self.reaches(1, 4000, source=7777))

    def test_unmapped(self) -> None:
        """
        By a port that stands for nobody nobody gets in.
        """
        self.build(filtering=Filtering.ENDPOINT_INDEPENDENT)
        self.assertFalse(self.reaches(0, 4000))

    def test_unsolicited(self) -> None:
        """
        An unsolicited SYN meets silence, or is refused a round trip later.
        """
        for unsolicited, error, instant in (
            (Unsolicited.DROP, TimeoutError, 3.0),
            (Unsolicited.RESET, ConnectionRefusedError, 0.05),
            (Unsolicited.REJECT, ConnectionRefusedError, 0.05),
        ):
            self.setUp()
            self.build(unsolicited=unsolicited)
            attempt = connect(self.public[0], OUTSIDE, 4000, timeout=3)
            self.assertRaises(error, spin, attempt, self.network)
            self.assertAlmostEqual(self.network.clock.seconds(), instant)

    def test_resetEndsSession(self) -> None:
        """
        After a refusal has passed, its sender is unsolicited again, but the port
        stays the same for others.
        """
        host = self.build()
        Service(host, shared(4000))
        before = self.observed(host, 0).port
        refused = connect(host, self.addresses[1], 9999, bindAddress=shared(4000))
        self.assertRaises(ConnectionRefusedError, spin, refused, self.network)
        self.assertFalse(self.reaches(1, before, source=9999))
        self.assertEqual(self.observed(host, 2).port, before)

    def test_resetEndsDependentMapping(self) -> None:
        """
        A mapping for one destination goes with its session.
        """
        host = self.build(mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT)
        refused = connect(host, self.addresses[1], 9999, bindAddress=shared(4000))
        self.assertRaises(ConnectionRefusedError, spin, refused, self.network)
        self.assertEqual(len(self.nat.mappings), 0)

    def test_lifetime(self) -> None:
        """
        A silent mapping is forgotten; bytes keep it.
        """
        host = self.build(
            lifetime=60.0, allocation=Allocation.RANDOM, ports=(5000, 60000)
        )
        port = self.observed(host, 0).port
        accepted = self.services[self.addresses[0], 4040].accepted[0]
        for _ in range(3):
            self.network.run(50)
            accepted.transport.write(b".")
        self.network.run(50)
        self.assertEqual(self.observed(host, 1).port, port)
        self.network.run(61)
        self.assertNotEqual(self.observed(host, 2).port, port)

    def test_forgottenConnection(self) -> None:
        """
        A connection that its NAT has forgotten is silent, both ways.
        """
        host = self.build()
        protocol = spin(connect(host, self.addresses[0]), self.network)
        self.network.run(1)
        accepted = self.services[self.addresses[0], 4040].accepted[0]
        self.nat.reset()
        for each in (protocol, accepted):
            each.transport.write(b"lost")
        self.network.run(60)
        self.assertEqual((protocol.received, accepted.received), (b"", b""))
        self.assertTrue(protocol.isOpen and accepted.isOpen)

    def test_forgottenConnectionReset(self) -> None:
        """
        A NAT that resets says so to who speaks from outside.
        """
        host = self.build(unsolicited=Unsolicited.RESET)
        spin(connect(host, self.addresses[0]), self.network)
        self.network.run(1)
        accepted = self.services[self.addresses[0], 4040].accepted[0]
        self.nat.reset()
        accepted.transport.write(b"lost")
        self.network.run(1)
        assert accepted.reason is not None
        accepted.reason.trap(ConnectionLost)

    def test_sameNAT(self) -> None:
        """
        Two hosts behind one NAT reach each other by their inside addresses, and do
        not cross the NAT's outer link.
        """
        host = self.build()
        other = self.network.host("192.168.1.3", behind=self.nat)
        service = Service(other)
        spin(connect(host, "192.168.1.3"), self.network)
        self.assertAlmostEqual(self.network.clock.seconds(), 0.08)
        self.network.run(1)
        peer = service.accepted[0].transport.getPeer()
        self.assertEqual(peer.host, "192.168.1.2")
        self.assertEqual(len(self.nat.mappings), 0)

    def test_noHairpin(self) -> None:
        """
        By their outside addresses they do not, ordinarily.
        """
        host = self.build()
        other = self.network.host("192.168.1.3", behind=self.nat)
        Service(other, shared(4000))
        self.observed(other, 0)
        attempt = connect(host, OUTSIDE, 4000, timeout=3)
        self.assertRaises(TimeoutError, spin, attempt, self.network)

    def test_noHairpinReset(self) -> None:
        """
        A NAT that resets answers those inside as well.
        """
        host = self.build(unsolicited=Unsolicited.RESET)
        attempt = connect(host, OUTSIDE, 4000)
        self.assertRaises(ConnectionRefusedError, spin, attempt, self.network)

    def test_hairpin(self) -> None:
        """
        With hairpinning they do, and see each other outside.
        """
        host = self.build(hairpin=True, filtering=Filtering.ENDPOINT_INDEPENDENT)
        other = self.network.host("192.168.1.3", behind=self.nat)
        service = Service(other, shared(4000))
        self.observed(other, 0)
        protocol = spin(connect(host, OUTSIDE, 4000), self.network)
        protocol.transport.write(b"hairpin")
        self.network.run(1)
        self.assertEqual(service.accepted[0].received, b"hairpin")
        self.assertEqual(service.accepted[0].transport.getPeer().host, OUTSIDE)

    def test_nested(self) -> None:
        """
        Behind two NATs the outer one's address is seen, and both must let in.
        """
        outer = self.network.nat(OUTSIDE, NATBehavior())
        inner = self.network.nat("100.64.0.2", NATBehavior(), behind=outer)
        host = self.network.host("192.168.1.2", behind=inner)
        self.nat = inner
        seen = self.observed(host, 0)
        self.assertEqual((seen.host, seen.port), (OUTSIDE, 4000))
        self.assertFalse(self.reaches(1, 4000))
        Service(host, shared(4000))
        accepted = self.services[self.addresses[0], 4040].accepted[0]
        accepted.transport.write(b"in")
        self.network.run(1)
        self.assertEqual((len(inner.mappings), len(outer.mappings)), (1, 1))

    def test_nestedLatency(self) -> None:
        """
        The links add up.
        """
        outer = self.network.nat(OUTSIDE, NATBehavior(), latency=0.1)
        inner = self.network.nat("100.64.0.2", NATBehavior(), 0.01, behind=outer)
        host = self.network.host("192.168.1.2", behind=inner, latency=0.001)
        spin(connect(host, self.addresses[0]), self.network)
        self.assertAlmostEqual(self.network.clock.seconds(), 2 * 0.131)

    def test_sameOuterNAT(self) -> None:
        """
        Two NATs behind one outer NAT reach each other inside it.
        """
        outer = self.network.nat(OUTSIDE, NATBehavior())
        inner = [
            self.network.nat(f"100.64.0.{n}", NATBehavior(), behind=outer)
            for n in (2, 3)
        ]
        hosts = [self.network.host("192.168.1.2", behind=each) for each in inner]
        attempts = [
            connect(hosts[n], f"100.64.0.{3 - n}", 4000, bindAddress=shared(4000))
            for n in (0, 1)
        ]
        for each in attempts:
            spin(each, self.network)
        self.assertEqual(len(outer.mappings), 0)

    def test_IPv6PassesBy(self) -> None:
        """
        A host behind a NAT may have a public IPv6 address, too.
        """
        self.build()
        host = self.network.host("192.168.1.9", "2001:db8::9", behind=self.nat)
        Service(host, interface="::")
        other = self.network.host("2001:db8::8")
        spin(connect(other, "2001:db8::9"), self.network)

    def test_noSimultaneousOpen(self) -> None:
        """
        A NAT without simultaneous open drops a SYN even if it was solicited, but
        lets one in that answers nothing.
        """
        host = self.build(
            simultaneousOpen=False, filtering=Filtering.ENDPOINT_INDEPENDENT
        )
        service = Service(host, shared(4000))
        self.observed(host, 0)
        pending = connect(host, "192.0.2.99", bindAddress=shared(4000))
        pending.addErrback(lambda failure: None)
        self.network.run(0.5)
        stranger = self.network.host("192.0.2.99")
        crossing = connect(stranger, OUTSIDE, 4000, shared(4040), timeout=0.3)
        self.assertRaises(TimeoutError, spin, crossing, self.network)
        pending.cancel()
        self.assertTrue(self.reaches(1, 4000))
        self.network.run(1)
        self.assertEqual(len(service.accepted), 1)

    def test_strict(self) -> None:
        """
        A strict NAT lets our SYN-ACK out only with the number of our last SYN.
        """
        for strict, expected in ((False, True), (True, False)):
            self.setUp()
            host = self.build(strict=strict)
            Service(host, shared(4000))
            self.observed(host, 0)
            abandoned = connect(host, self.addresses[1], 9, bindAddress=shared(4000))
            abandoned.addErrback(lambda failure: None)
            self.network.run(0.03)
            abandoned.cancel()
            self.public[1].cut()
            self.network.run(1)
            self.public[1].mend()
            self.assertEqual(self.reaches(1, 4000, source=9), expected)

    def test_laboratoryKinds(self) -> None:
        """
        There is a behavior for each kind of the laboratory that is one NAT.
        """
        self.assertEqual(
            set(NAT_KINDS), {"none", "drop", "reset", "reject", "full-cone", "random"}
        )

    def test_addressTaken(self) -> None:
        """
        Two cannot have one address in one realm.
        """
        self.assertRaises(ValueError, self.network.host, "192.0.2.1")
        self.assertRaises(ValueError, self.network.nat, "192.0.2.1", NATBehavior())
        self.assertRaises(ValueError, self.network.host, "no address")

    def test_noFreePort(self) -> None:
        """
        When every port is taken, what needs another is lost.
        """
        host = self.build(ports=(5000, 5000))
        self.assertEqual(self.observed(host, 0).port, 5000)
        attempt = connect(host, self.addresses[0], timeout=3)
        self.assertRaises(TimeoutError, spin, attempt, self.network)


_endpoints = st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(1, 65535))


class MappingTableTests(SynchronousTestCase):
    """
    The table alone.
    """

    @settings(deadline=None)
    @given(
        st.builds(
            NATBehavior,
            mapping=st.sampled_from(Mapping),
            filtering=st.sampled_from(Filtering),
            allocation=st.sampled_from(Allocation),
            ports=st.just((2000, 2019)),
        ),
        st.lists(st.tuples(_endpoints, _endpoints), max_size=40),
    )
    def test_onePortOneInside(
        self, behavior: NATBehavior, flows: list[tuple[Any, Any]]
    ) -> None:
        """
        However ports are given, one stands for one inside address, is in range,
        and leads back to it; only when none is left is there no mapping.
        """
        made = network()
        table = MappingTable(behavior, made.clock.seconds, made.random)
        for internal, remote in flows:
            mapping = table.outbound(internal, remote)
            if mapping is None:
                try:
                    mapping = table.create(internal, remote)
                except NoFreePort:
                    self.assertEqual(len(table), 20)
                    continue
            self.assertEqual(mapping.internal, internal)
            self.assertTrue(2000 <= mapping.port <= 2019)
            self.assertIs(table.inbound(mapping.port), mapping)

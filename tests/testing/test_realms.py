"""
Realms within realms: neighbors behind one NAT, NATs behind NATs.
"""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionRefusedError, TimeoutError

from punch.testing import Filtering, NATBehavior, Unsolicited, spin
from tests.support.programs import Service, connect, shared

from .neighborhood import OUTSIDE, Neighborhood


class RealmTests(Neighborhood):
    """
    Hosts behind one NAT, and NATs behind another.
    """

    def test_sameNAT(self) -> None:
        """
        Two hosts behind one NAT reach each other by their inside addresses, and do
        not cross the NAT's outer link.
        """
        host = self.build()
        other = self.network.host("192.168.1.3", behind=self.nat)
        service = Service(other)
        spin(connect(host, "192.168.1.3"), self.network)
        assert self.network.clock.seconds() == pytest.approx(0.08)
        self.network.run(1)
        peer = service.accepted[0].transport.getPeer()
        assert peer.host == "192.168.1.2"
        assert len(self.nat.mappings) == 0

    def test_noHairpin(self) -> None:
        """
        By their outside addresses they do not, ordinarily.
        """
        host = self.build()
        other = self.network.host("192.168.1.3", behind=self.nat)
        Service(other, shared(4000))
        self.observed(other, 0)
        attempt = connect(host, OUTSIDE, 4000, timeout=3)
        with pytest.raises(TimeoutError):
            spin(attempt, self.network)

    def test_noHairpinReset(self) -> None:
        """
        A NAT that resets answers those inside as well.
        """
        host = self.build(unsolicited=Unsolicited.RESET)
        attempt = connect(host, OUTSIDE, 4000)
        with pytest.raises(ConnectionRefusedError):
            spin(attempt, self.network)

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
        assert service.accepted[0].received == b"hairpin"
        assert service.accepted[0].transport.getPeer().host == OUTSIDE

    def test_nested(self) -> None:
        """
        Behind two NATs the outer one's address is seen, and both must let in.
        """
        outer = self.network.nat(OUTSIDE, NATBehavior())
        inner = self.network.nat("100.64.0.2", NATBehavior(), behind=outer)
        host = self.network.host("192.168.1.2", behind=inner)
        self.nat = inner
        seen = self.observed(host, 0)
        assert (seen.host, seen.port) == (OUTSIDE, 4000)
        assert not self.reaches(1, 4000)
        Service(host, shared(4000))
        accepted = self.services[self.addresses[0], 4040].accepted[0]
        accepted.transport.write(b"in")
        self.network.run(1)
        assert (len(inner.mappings), len(outer.mappings)) == (1, 1)

    def test_nestedLatency(self) -> None:
        """
        The links add up.
        """
        outer = self.network.nat(OUTSIDE, NATBehavior(), latency=0.1)
        inner = self.network.nat("100.64.0.2", NATBehavior(), 0.01, behind=outer)
        host = self.network.host("192.168.1.2", behind=inner, latency=0.001)
        spin(connect(host, self.addresses[0]), self.network)
        assert self.network.clock.seconds() == pytest.approx(2 * 0.131)

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
        assert len(outer.mappings) == 0

    def test_IPv6PassesBy(self) -> None:
        """
        A host behind a NAT may have a public IPv6 address, too.
        """
        self.build()
        host = self.network.host("192.168.1.9", "2001:db8::9", behind=self.nat)
        Service(host, interface="::")
        other = self.network.host("2001:db8::8")
        spin(connect(other, "2001:db8::9"), self.network)

    def test_addressTaken(self) -> None:
        """
        Two cannot have one address in one realm.
        """
        with pytest.raises(ValueError, match=r"192\.0\.2\.1 is taken"):
            self.network.host("192.0.2.1")
        with pytest.raises(ValueError, match=r"192\.0\.2\.1 is taken"):
            self.network.nat("192.0.2.1", NATBehavior())
        with pytest.raises(ValueError, match="no address"):
            self.network.host("no address")

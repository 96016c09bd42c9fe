"""
What NATs let out, let in, and call it.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, TimeoutError

from punch.testing import (
    NAT_KINDS,
    Allocation,
    Filtering,
    Mapping,
    Unsolicited,
    spin,
)
from tests.support.programs import Service, connect, shared, tcp

from .neighborhood import OUTSIDE, Neighborhood

DESTINATIONS = [(0, 4040), (0, 4041), (1, 4040), (1, 4041)]


class NATTests(Neighborhood):
    """
    A host behind a NAT.
    """

    def test_translated(self) -> None:
        """
        The server sees the outside address; the way takes the NAT's latency too.
        """
        host = self.build()
        assert self.observed(host, 0).host == OUTSIDE
        before = self.network.clock.seconds()
        protocol = spin(connect(host, self.addresses[0]), self.network)
        assert self.network.clock.seconds() - before == pytest.approx(0.09)
        assert protocol.transport.getPeer().host == self.addresses[0]

    def test_lossyWire(self) -> None:
        """
        What the NAT's outer wire loses comes later.
        """
        host = self.build()
        self.nat.loss = self.nat.jitter = 0.2
        for _ in range(20):
            protocol = spin(connect(host, self.addresses[0]), self.network)
            protocol.transport.write(b"out")
        self.network.run(100)
        accepted = self.services[self.addresses[0], 4040].accepted
        assert [each.received for each in accepted] == [b"out"] * 20

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
        assert (protocol.received, accepted.received) == (b"in", b"out")

    def test_endpointIndependentMapping(self) -> None:
        """
        Everybody sees the same port.
        """
        host = self.build(allocation=Allocation.RANDOM)
        seen = {self.observed(host, n, port).port for n, port in DESTINATIONS}
        assert len(seen) == 1

    def test_addressDependentMapping(self) -> None:
        """
        Each address sees another.
        """
        host = self.build(mapping=Mapping.ADDRESS_DEPENDENT)
        seen = [self.observed(host, n, port).port for n, port in DESTINATIONS]
        assert seen[0] == seen[1]
        assert seen[2] == seen[3]
        assert seen[0] != seen[2]

    def test_addressAndPortDependentMapping(self) -> None:
        """
        Each address and port sees another.
        """
        host = self.build(mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT)
        seen = {self.observed(host, n, port).port for n, port in DESTINATIONS}
        assert len(seen) == 4

    def test_preserve(self) -> None:
        """
        The inside port is kept, for the first who has it.
        """
        host = self.build()
        other = self.network.host("192.168.1.3", behind=self.nat)
        assert self.observed(host, 0).port == 4000
        assert self.observed(other, 0).port == 4001

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
            assert following == (first if one == last else one + 1)

    def test_endpointIndependentFiltering(self) -> None:
        """
        Anybody gets in by a mapped port.
        """
        host = self.build(filtering=Filtering.ENDPOINT_INDEPENDENT)
        inside = Service(host, shared(4000))
        self.observed(host, 0)
        assert self.reaches(1, 4000)
        self.network.run(1)
        assert len(inside.accepted) == 1

    def test_addressDependentFiltering(self) -> None:
        """
        Only who was addressed gets in, from any port.
        """
        host = self.build(filtering=Filtering.ADDRESS_DEPENDENT)
        Service(host, shared(4000))
        self.observed(host, 0)
        assert self.reaches(0, 4000, source=9999)
        assert not self.reaches(1, 4000)

    def test_addressAndPortDependentFiltering(self) -> None:
        """
        Only from the port that was addressed.
        """
        host = self.build()
        Service(host, shared(4000))
        self.observed(host, 0)
        assert not self.reaches(0, 4000, source=9999)
        attempt = connect(host, self.addresses[1], 7777, bindAddress=shared(4000))
        with pytest.raises(ConnectionRefusedError):
            spin(attempt, self.network)
        assert not self.reaches(1, 4000, source=7777)

    def test_unmapped(self) -> None:
        """
        By a port that stands for nobody nobody gets in.
        """
        self.build(filtering=Filtering.ENDPOINT_INDEPENDENT)
        assert not self.reaches(0, 4000)

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
            with pytest.raises(error):
                spin(attempt, self.network)
            assert self.network.clock.seconds() == pytest.approx(instant)

    def test_resetEndsSession(self) -> None:
        """
        After a refusal has passed, its sender is unsolicited again, but the port
        stays the same for others.
        """
        host = self.build()
        Service(host, shared(4000))
        before = self.observed(host, 0).port
        refused = connect(host, self.addresses[1], 9999, bindAddress=shared(4000))
        with pytest.raises(ConnectionRefusedError):
            spin(refused, self.network)
        assert not self.reaches(1, before, source=9999)
        assert self.observed(host, 2).port == before

    def test_abortEndsSession(self) -> None:
        """
        So it does after an abort, by either end.
        """
        host = self.build()
        Service(host, shared(4000))
        for byHost in (True, False):
            ours = spin(
                connect(host, self.addresses[0], bindAddress=shared(4000)),
                self.network,
            )
            self.network.run(1)
            theirs = self.services[self.addresses[0], 4040].accepted[-1]
            tcp(ours if byHost else theirs).abortConnection()
            self.network.run(1)
            assert not ours.isOpen
            assert not theirs.isOpen
            assert not self.reaches(0, 4000)

    def test_resetEndsDependentMapping(self) -> None:
        """
        A mapping for one destination goes with its session.
        """
        host = self.build(mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT)
        refused = connect(host, self.addresses[1], 9999, bindAddress=shared(4000))
        with pytest.raises(ConnectionRefusedError):
            spin(refused, self.network)
        assert len(self.nat.mappings) == 0

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
        assert self.observed(host, 1).port == port
        self.network.run(61)
        assert self.observed(host, 2).port != port

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
        assert (protocol.received, accepted.received) == (b"", b"")
        assert protocol.isOpen
        assert accepted.isOpen

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
        assert accepted.lostBy(ConnectionLost)

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
        with pytest.raises(TimeoutError):
            spin(crossing, self.network)
        pending.cancel()
        assert self.reaches(1, 4000)
        self.network.run(1)
        assert len(service.accepted) == 1

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
            assert self.reaches(1, 4000, source=9) == expected

    def test_laboratoryKinds(self) -> None:
        """
        There is a behavior for each kind of the laboratory that is one NAT.
        """
        assert set(NAT_KINDS) == {
            "none",
            "drop",
            "reset",
            "reject",
            "full-cone",
            "random",
        }

    def test_silentSession(self) -> None:
        """
        A session that was silent for too long lets nothing in, though others keep
        its mapping.
        """
        host = self.build(lifetime=60.0, filtering=Filtering.ADDRESS_DEPENDENT)
        Service(host, shared(4000))
        silent = spin(
            connect(host, self.addresses[0], bindAddress=shared(4000)), self.network
        )
        self.network.run(40)
        self.observed(host, 1)
        self.network.run(40)
        accepted = self.services[self.addresses[0], 4040].accepted[0]
        accepted.transport.write(b"late")
        silent.transport.write(b"late, too")
        assert not self.reaches(0, 4000, source=9999)
        assert silent.received == accepted.received == b""
        assert self.reaches(1, 4000, source=9999)

    def test_noFreePort(self) -> None:
        """
        When every port is taken, what needs another is lost.
        """
        host = self.build(ports=(5000, 5000))
        assert self.observed(host, 0).port == 5000
        attempt = connect(host, self.addresses[0], timeout=3)
        with pytest.raises(TimeoutError):
            spin(attempt, self.network)


class PopulationTests(Neighborhood):
    """
    What NATs in the field do besides.
    """

    def test_poisoning(self) -> None:
        """
        After a NAT has refused a stranger, nothing passes between those two for ten
        seconds; others are not concerned, and then it is over.
        """
        host = self.build(unsolicited=Unsolicited.RESET, poisoning=10.0)
        assert not self.reaches(0, 4000, source=4050)
        assert self.observed(host, 1).port == 4000
        attempt = connect(host, self.addresses[0], 4050, shared(4000), timeout=3)
        with pytest.raises(TimeoutError):
            spin(attempt, self.network)
        self.network.run(10)
        attempt = connect(host, self.addresses[0], 4050, shared(4000), timeout=3)
        with pytest.raises(ConnectionRefusedError):  # by the host, who was reached
            spin(attempt, self.network)

    def test_transitory(self) -> None:
        """
        A mapping that nobody answered is forgotten sooner than one in use.
        """
        host = self.build(transitory=30.0)
        self.network.block(OUTSIDE, self.addresses[0])
        attempt = connect(host, self.addresses[0], bindAddress=shared(4001), timeout=1)
        with pytest.raises(TimeoutError):
            spin(attempt, self.network)
        self.observed(host, 1)
        assert self.nat.mappings.inbound(4001) is not None
        self.network.run(30)
        assert self.nat.mappings.inbound(4001) is None
        assert self.nat.mappings.inbound(4000) is not None

    def test_crossTraffic(self) -> None:
        """
        Where others take ports too, the next port is not the very next.
        """
        host = self.build(
            mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT,
            allocation=Allocation.SEQUENTIAL,
            crossTraffic=0.5,
            ports=(5000, 60000),
        )
        first = self.observed(host, 0).port
        self.network.run(200)
        taken = self.observed(host, 1).port - first
        assert 70 < taken < 130

    def test_reachable(self) -> None:
        """
        A NAT that lets out to few ports refuses the others itself.
        """
        host = self.build(unsolicited=Unsolicited.RESET, reachable=frozenset({4040}))
        assert self.observed(host, 0).port == 4000
        with pytest.raises(ConnectionRefusedError):
            spin(connect(host, self.addresses[0], 4041), self.network)
        assert not self.services[self.addresses[0], 4041].accepted

    def test_strangerAnswered(self) -> None:
        """
        A NAT whose mappings depend on the remote end, and which lets anybody in, lets
        out what answers them.
        """
        host = self.build(
            mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT,
            filtering=Filtering.ENDPOINT_INDEPENDENT,
            allocation=Allocation.RANDOM,
        )
        port = self.observed(host, 0).port
        Service(host, shared(4000))
        assert self.reaches(1, port)

"""
Connections that cross: simultaneous open, and what prevents it.
"""

from __future__ import annotations

from errno import ECONNREFUSED
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionRefusedError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from punch.testing import (
    NAT_KINDS,
    MemoryHost,
    MemoryNetwork,
    NATBehavior,
    Unsolicited,
    spin,
)

from .programs import Recorder, Service, connect, network, shared

A, B = "198.51.100.1", "203.0.113.1"


class Pair:
    """
    Two peers, each listening on a shared port behind a NAT of its own.
    """

    def __init__(
        self,
        one: NATBehavior | None,
        other: NATBehavior | None,
        made: MemoryNetwork | None = None,
        **link: float,
    ) -> None:
        self.network = network() if made is None else made
        self.hosts = [
            self._host(address, inner, behavior, link)
            for address, inner, behavior in (
                (A, "192.168.1.2", one),
                (B, "192.168.1.2", other),
            )
        ]
        self.services = [Service(each, shared(4000)) for each in self.hosts]
        self.outcomes: list[Any] = [None, None]

    def _host(
        self,
        address: str,
        inner: str,
        behavior: NATBehavior | None,
        link: dict[str, float],
    ) -> MemoryHost:
        if behavior is None:
            return self.network.host(address, **link)
        nat = self.network.nat(address, behavior)
        return self.network.host(inner, behind=nat, **link)

    def connect(self, side: int) -> Deferred[Recorder]:
        """
        One side connects to the other's outside address.
        """
        connecting = connect(
            self.hosts[side], (B, A)[side], 4000, bindAddress=shared(4000)
        )

        def remember(outcome: object) -> None:
            self.outcomes[side] = outcome

        connecting.addBoth(remember)
        return connecting

    def connections(self) -> list[list[Recorder]]:
        """
        What each side has that is open, accepted or connected.
        """
        result = []
        for service, outcome in zip(self.services, self.outcomes, strict=True):
            found = [each for each in service.accepted if each.isOpen]
            if isinstance(outcome, Recorder) and outcome.isOpen:
                found.append(outcome)
            result.append(found)
        return result

    def exchange(self) -> bool:
        """
        Do both sides have one connection, and is it the same?
        """
        found = self.connections()
        if [len(each) for each in found] != [1, 1]:
            return False
        [one], [other] = found
        one.transport.write(b"from one")
        other.transport.write(b"from other")
        self.network.run(2)
        return (one.received, other.received) == (b"from other", b"from one")


class SimultaneousOpenTests(SynchronousTestCase):
    """
    Two peers that connect to each other at once.
    """

    def test_drop(self) -> None:
        """
        Through two silent NATs both connects succeed in one round trip, and
        nothing is accepted.
        """
        pair = Pair(NAT_KINDS["drop"], NAT_KINDS["drop"])
        pair.connect(0)
        pair.connect(1)
        self.assertTrue(pair.network.runUntil(lambda: all(pair.outcomes), 5))
        self.assertAlmostEqual(pair.network.clock.seconds(), 0.1)
        self.assertTrue(pair.exchange())
        self.assertEqual([each.accepted for each in pair.services], [[], []])

    def test_skewed(self) -> None:
        """
        If the second comes after the first SYN was dropped, the second is a plain
        connection: it is accepted from the first's still open attempt.
        """
        pair = Pair(NAT_KINDS["drop"], NAT_KINDS["drop"])
        pair.connect(0)
        pair.network.run(0.3)
        pair.connect(1)
        pair.network.run(0.16)
        self.assertTrue(all(pair.outcomes))
        self.assertTrue(pair.exchange())

    def test_reset(self) -> None:
        """
        NATs that answer an unsolicited SYN do no harm if both start together.
        """
        pair = Pair(NAT_KINDS["reset"], NAT_KINDS["reset"])
        pair.connect(0)
        pair.connect(1)
        pair.network.run(0.2)
        self.assertTrue(pair.exchange())

    def test_resetSkewed(self) -> None:
        """
        If they do not, both are refused: the first by the other's NAT, and the
        second by the first's, whose session the first refusal has ended.
        """
        pair = Pair(NAT_KINDS["reset"], NAT_KINDS["reset"])
        pair.connect(0)
        pair.network.run(0.1)
        pair.connect(1)
        pair.network.run(5)
        for outcome in pair.outcomes:
            outcome.trap(ConnectionRefusedError)
            self.assertEqual(outcome.value.osError, ECONNREFUSED)

    def test_lockStep(self) -> None:
        """
        Both retrying on one fixed period, apart by more than the way takes, never
        meet.
        """
        pair = Pair(NAT_KINDS["reset"], NAT_KINDS["reset"])
        clock = pair.network.clock
        for attempt in range(50):
            clock.callLater(attempt * 0.2, pair.connect, 0)
            clock.callLater(attempt * 0.2 + 0.1, pair.connect, 1)
        pair.network.run(15)
        for outcome in pair.outcomes:
            outcome.trap(ConnectionRefusedError)

    def test_reject(self) -> None:
        """
        An ICMP refusal refuses the attempt too, but leaves the NAT's session: the
        other's SYN comes through to the listener.
        """
        pair = Pair(NATBehavior(), NATBehavior(unsolicited=Unsolicited.REJECT))
        pair.connect(0)
        pair.network.run(0.5)
        pair.outcomes[0].trap(ConnectionRefusedError)
        pair.connect(1)
        pair.network.run(0.5)
        self.assertIsInstance(pair.outcomes[1], Recorder)
        self.assertTrue(pair.exchange())

    def test_sequenceTrap(self) -> None:
        """
        A NAT that tracks sequence numbers drops the answer of a listener in the
        place of an attempt that has died; a fresh attempt repairs it.
        """
        pair = Pair(NAT_KINDS["drop"], NAT_KINDS["reject"])
        pair.connect(0)
        pair.network.run(0.5)
        pair.connect(1)
        pair.network.run(3)
        self.assertIsNone(pair.outcomes[1])
        self.assertEqual(pair.services[0].accepted, [])
        # The half-open connection holds the four-tuple until it is given up.
        taken = pair.connect(0)
        pair.network.run(0)
        self.assertIsInstance(pair.outcomes[0], Failure)
        taken.cancel()

    def test_oneSidePublic(self) -> None:
        """
        A peer with a public address accepts.
        """
        pair = Pair(NAT_KINDS["drop"], NAT_KINDS["none"])
        pair.connect(0)
        pair.network.run(0.2)
        self.assertEqual(len(pair.services[1].accepted), 1)
        self.assertTrue(pair.exchange())

    def test_publicBoth(self) -> None:
        """
        Between public hosts that connect at once there is one connection, too.
        """
        pair = Pair(None, None)
        pair.connect(0)
        pair.connect(1)
        pair.network.run(0.2)
        self.assertTrue(pair.exchange())
        self.assertEqual([each.accepted for each in pair.services], [[], []])

    def test_zeroLatency(self) -> None:
        """
        Even links that take no time let SYNs cross, unlike loopback.
        """
        pair = Pair(None, None, latency=0.0)
        pair.connect(0)
        pair.connect(1)
        pair.network.run(0)
        self.assertTrue(pair.exchange())

    @settings(deadline=None, max_examples=60)
    @given(
        st.integers(0, 2**32),
        st.floats(0, 0.3),
        st.floats(0, 0.3),
        st.floats(0, 0.2),
        st.floats(0, 1),
        st.sampled_from(["none", "drop", "full-cone"]),
        st.sampled_from(["none", "drop", "full-cone"]),
    )
    def test_anyLink(
        self,
        seed: int,
        skew: float,
        loss: float,
        jitter: float,
        duplicates: float,
        one: str,
        other: str,
    ) -> None:
        """
        Whatever is lost, late or doubled: with NATs that let a solicited SYN in
        and refuse nothing, both end up with the same one connection.
        """
        pair = Pair(
            NAT_KINDS[one],
            NAT_KINDS[other],
            network(seed),
            loss=loss,
            jitter=jitter,
            duplicates=duplicates,
        )
        pair.connect(0)
        pair.network.run(skew)
        pair.connect(1)
        pair.network.run(29)
        found = pair.connections()
        if loss == 0:
            self.assertTrue(all(found))
        if all(found):
            for host in pair.hosts:
                host.loss = 0.0
            self.assertTrue(pair.exchange(), pair.connections())


class LoopbackTests(SynchronousTestCase):
    """
    Two programs, or one, on one host.
    """

    def setUp(self) -> None:
        """
        Make the host.
        """
        self.network = network()
        self.host = self.network.host("192.0.2.1")

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
                self.assertRaises(ConnectionRefusedError, spin, each, self.network)

    def test_self(self) -> None:
        """
        A socket that connects to itself is connected to itself.
        """
        protocol = spin(
            connect(self.host, "127.0.0.1", 4000, bindAddress=shared(4000)),
            self.network,
        )
        self.assertEqual(protocol.transport.getPeer(), protocol.transport.getHost())
        protocol.transport.write(b"echo")
        self.network.run(0)
        self.assertEqual(protocol.received, b"echo")
        protocol.transport.loseConnection()
        self.network.run(1)
        self.assertEqual(self.network.openSockets(), [])
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

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
        self.assertEqual((protocol.received, service.accepted), (b"me", []))

    def test_listenerWins(self) -> None:
        """
        Of two programs that listen and connect to each other, the second to
        connect finds the four-tuple taken: it has accepted the first.
        """
        services = [Service(self.host, shared(each)) for each in (4000, 4001)]
        first = connect(self.host, "127.0.0.1", 4001, bindAddress=shared(4000))
        second = connect(self.host, "127.0.0.1", 4000, bindAddress=shared(4001))
        spin(first, self.network)
        self.assertRaises(ConnectError, spin, second, self.network)
        self.network.run(0)
        self.assertEqual([len(each.accepted) for each in services], [0, 1])


class IncarnationTests(SynchronousTestCase):
    """
    Connections that follow each other on one four-tuple.
    """

    def setUp(self) -> None:
        """
        Make a server and a client of one port.
        """
        self.network = network()
        self.server = self.network.host("192.0.2.1")
        self.client = self.network.host("192.0.2.2")
        self.service = Service(self.server)

    def connect(self) -> Deferred[Recorder]:
        """
        Connect on the one four-tuple.
        """
        return connect(self.client, "192.0.2.1", bindAddress=shared(4000))

    def test_staleRefusal(self) -> None:
        """
        The refusal of an attempt does not refuse the next.
        """
        self.service.listening.stopListening()
        first = self.connect()
        first.addErrback(lambda failure: None)
        self.network.run(0.05)
        first.cancel()
        Service(self.server)
        second = self.connect()
        spin(second, self.network)

    def test_halfOpen(self) -> None:
        """
        After a crash that the server knows nothing of, the new connection's SYN is
        challenged, resets the old connection, and succeeds when sent again.
        """
        old = spin(self.connect(), self.network)
        self.network.run(1)
        self.client.cut()
        old.transport.abortConnection()
        self.network.run(1)
        self.client.mend()
        before = self.network.clock.seconds()
        new = spin(self.connect(), self.network)
        self.assertAlmostEqual(self.network.clock.seconds() - before, 1.08)
        self.network.run(1)
        reason = self.service.accepted[0].reason
        assert reason is not None
        new.transport.write(b"new")
        self.network.run(1)
        self.assertEqual(self.service.accepted[1].received, b"new")

"""
Connections that cross: simultaneous open, and what prevents it.
"""

from __future__ import annotations

from errno import ECONNREFUSED
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
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
from tests.support.programs import Recorder, Service, connect, network, shared

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
        **link: Any,
    ) -> None:
        self.network = network() if made is None else made
        self.hosts = [self._host(A, one, link), self._host(B, other, link)]
        self.services = [Service(each, shared(4000)) for each in self.hosts]
        self.outcomes: list[Any] = [None, None]

    def _host(
        self, address: str, behavior: NATBehavior | None, link: dict[str, Any]
    ) -> MemoryHost:
        if behavior is None:
            return self.network.host(address, **link)
        nat = self.network.nat(address, behavior)
        return self.network.host("192.168.1.2", behind=nat, **link)

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


@pytest.mark.parametrize(
    ("kind", "link", "seconds"),
    [
        pytest.param("drop", {}, 0.1, id="through silent NATs"),
        pytest.param("reset", {}, 0.1, id="through NATs that refuse"),
        pytest.param("none", {}, 0.08, id="between public hosts"),
        # Unlike loopback.
        pytest.param("none", {"latency": 0.0}, 0.0, id="over links that take no time"),
    ],
)
def test_together(kind: str, link: dict[str, Any], seconds: float) -> None:
    """
    When both start at once, both connects succeed in one round trip, and nothing is
    accepted.
    """
    pair = Pair(NAT_KINDS[kind], NAT_KINDS[kind], **link)
    pair.connect(0)
    pair.connect(1)
    assert pair.network.runUntil(lambda: all(pair.outcomes), seconds + 0.001)
    assert pair.network.clock.seconds() == pytest.approx(seconds)
    assert pair.exchange()
    assert [each.accepted for each in pair.services] == [[], []]


class SimultaneousOpenTests(SynchronousTestCase):
    """
    Two peers that connect to each other at once.
    """

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
        assert all(pair.outcomes)
        assert pair.exchange()

    def test_resetSkewed(self) -> None:
        """
        If they do not start together, NATs that answer an unsolicited SYN refuse both:
        the first is refused by the other's NAT, and the second by the first's, whose
        session the first refusal has ended.
        """
        pair = Pair(NAT_KINDS["reset"], NAT_KINDS["reset"])
        pair.connect(0)
        pair.network.run(0.1)
        pair.connect(1)
        pair.network.run(5)
        for outcome in pair.outcomes:
            outcome.trap(ConnectionRefusedError)
            assert outcome.value.osError == ECONNREFUSED

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

    def test_immediateRetry(self) -> None:
        """
        Both retrying at once when refused do meet: the skew, and a round trip.
        """
        pair = Pair(NAT_KINDS["reset"], NAT_KINDS["reset"])

        def dial(side: int) -> None:
            pair.connect(side).addCallback(
                lambda ignored: (
                    dial(side) if isinstance(pair.outcomes[side], Failure) else None
                )
            )

        dial(0)
        pair.network.clock.callLater(0.3, dial, 1)
        pair.network.run(0.3 + 0.1 + 0.06)
        assert pair.exchange()

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
        assert isinstance(pair.outcomes[1], Recorder)
        assert pair.exchange()

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
        assert pair.outcomes[1] is None
        assert pair.services[0].accepted == []
        # The half-open connection holds the four-tuple until it is given up.
        taken = pair.connect(0)
        pair.network.run(0)
        assert isinstance(pair.outcomes[0], Failure)
        taken.cancel()

    def test_cancelledHalfOpen(self) -> None:
        """
        An attempt that is cancelled when the other's SYN has come is finished, not
        abandoned: the other end connects, and hears the end.
        """
        pair = Pair(NAT_KINDS["drop"], NAT_KINDS["drop"])
        cancelled = pair.connect(0)
        pair.connect(1)
        pair.network.run(0.06)
        cancelled.cancel()
        pair.network.run(1)
        assert isinstance(pair.outcomes[0], Failure)
        assert not pair.outcomes[1].isOpen
        assert [each.stack.connections() for each in pair.hosts] == [[], []]

    def test_oneSidePublic(self) -> None:
        """
        A peer with a public address accepts.
        """
        pair = Pair(NAT_KINDS["drop"], NAT_KINDS["none"])
        pair.connect(0)
        pair.network.run(0.2)
        assert len(pair.services[1].accepted) == 1
        assert pair.exchange()

    @settings(max_examples=60)
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
            assert all(found)
        if all(found):
            for host in pair.hosts:
                host.loss = 0.0
            assert pair.exchange(), pair.connections()


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
        assert self.network.clock.seconds() - before == pytest.approx(1.08)
        self.network.run(1)
        reason = self.service.accepted[0].reason
        assert reason is not None
        new.transport.write(b"new")
        self.network.run(1)
        assert self.service.accepted[1].received == b"new"

"""
What a host answers to single segments (RFC 9293 section 3.10.7).
"""

from __future__ import annotations

from errno import ECONNREFUSED

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from punch.testing.segment import Segment, SegmentKind
from tests.support.programs import Recorder, Service, connect, network, shared

LOCAL = ("192.0.2.1", 4000)
REMOTE = ("192.0.2.2", 4000)
THEIRS = 1000
"""
The sequence number of the other end.
"""


class SegmentTests(SynchronousTestCase):
    """
    A host that hears from another that is not there.
    """

    def setUp(self) -> None:
        """
        Make the host.
        """
        self.network = network()
        self.host = self.network.host(LOCAL[0], latency=0.0)
        self.trace = self.network.trace()
        self.outcomes: list[Recorder | Failure] = []

    def hear(
        self,
        kind: SegmentKind,
        sequence: int | None,
        acknowledgment: int | None,
        payload: bytes = b"",
    ) -> list[str]:
        """
        Have a segment arrive.

        @return: what is sent at once.
        """
        segment = Segment(kind, REMOTE, LOCAL, sequence, acknowledgment)
        segment.payload = payload
        segment.error = ECONNREFUSED
        del self.trace[:]
        self.host.receive(segment)
        self.network.run(0)
        sent = [each.partition(" sent ")[2] for each in self.trace]
        return [each.partition(": ")[2] for each in sent if each]

    def connect(self) -> int:
        """
        Begin to connect.

        @return: our sequence number.
        """
        connecting = connect(self.host, REMOTE[0], 4000, bindAddress=shared(4000))
        connecting.addBoth(self.outcomes.append)
        self.network.run(0)
        [tcb] = self.host.stack.connections()
        return tcb.sequence

    def listen(self) -> Service:
        """
        Listen.
        """
        return Service(self.host, shared(4000))

    def test_closed(self) -> None:
        """
        Where there is nothing, all but refusals are refused.
        """
        assert self.hear(SegmentKind.SYN, THEIRS, None) == ["R seq None ack 1000"]
        assert self.hear(SegmentKind.ACK, THEIRS, 5) == ["R seq 5 ack None"]
        assert self.hear(SegmentKind.DATA, THEIRS, 5, b"x") == ["R seq 5 ack None"]
        assert self.hear(SegmentKind.RST, THEIRS, 5) == []
        assert self.hear(SegmentKind.UNREACHABLE, None, 5) == []

    def test_connecting(self) -> None:
        """
        An attempt ignores what is not for it; an ACK of something else is refused.
        """
        ours = self.connect()
        other = ours + 1
        assert self.hear(SegmentKind.RST, None, other) == []
        assert self.hear(SegmentKind.RST, THEIRS, None) == []
        assert self.hear(SegmentKind.UNREACHABLE, None, other) == []
        assert self.hear(SegmentKind.ACK, THEIRS, other) == [f"R seq {other} ack None"]
        assert self.hear(SegmentKind.SYN_ACK, THEIRS, other) == [
            f"R seq {other} ack None"
        ]
        assert self.hear(SegmentKind.DATA, THEIRS, ours, b"x") == []
        assert self.outcomes == []
        assert self.hear(SegmentKind.SYN_ACK, THEIRS, ours) == [
            f". seq {ours} ack 1000"
        ]
        assert isinstance(self.outcomes[0], Recorder)

    def test_refused(self) -> None:
        """
        It is refused by a RST, or an ICMP message, that is for it.
        """
        for kind in (SegmentKind.RST, SegmentKind.UNREACHABLE):
            ours = self.connect()
            assert self.hear(kind, None, ours) == []
            assert isinstance(self.outcomes.pop(), Failure)
            assert self.host.stack.connections() == []

    def test_crossing(self) -> None:
        """
        A SYN makes it half open; the refusal of its own SYN comes too late then.
        """
        ours = self.connect()
        assert self.hear(SegmentKind.SYN, THEIRS, None) == [f"S. seq {ours} ack 1000"]
        assert self.hear(SegmentKind.RST, None, ours) == []
        assert self.outcomes == []
        assert self.hear(SegmentKind.ACK, THEIRS, ours) == []
        assert isinstance(self.outcomes[0], Recorder)

    def test_halfOpen(self) -> None:
        """
        A half-open connection answers its SYN again, challenges another's, and
        refuses an ACK of something else.
        """
        service = self.listen()
        [answer] = self.hear(SegmentKind.SYN, THEIRS, None)
        [tcb] = self.host.stack.connections()
        ours = tcb.sequence
        assert answer == f"S. seq {ours} ack 1000"
        assert self.hear(SegmentKind.SYN, THEIRS, None) == [answer]
        assert self.hear(SegmentKind.SYN, THEIRS + 1, None) == [
            f". seq {ours} ack 1000"
        ]
        assert self.hear(SegmentKind.ACK, THEIRS, 5) == ["R seq 5 ack None"]
        assert self.hear(SegmentKind.RST, THEIRS + 1, None) == []
        assert service.accepted == []
        assert self.hear(SegmentKind.DATA, THEIRS, ours, b"first") == []
        assert [each.received for each in service.accepted] == [b"first"]

    def test_halfOpenReset(self) -> None:
        """
        A RST in its place ends it; nobody hears of it.
        """
        service = self.listen()
        self.hear(SegmentKind.SYN, THEIRS, None)
        assert self.hear(SegmentKind.RST, THEIRS, None) == []
        assert self.host.stack.connections() == []
        assert service.accepted == []

    def test_halfOpenForgotten(self) -> None:
        """
        So does a minute of silence, after five more answers.
        """
        self.listen()
        self.hear(SegmentKind.SYN, THEIRS, None)
        self.network.run(64)
        assert sum(" sent " in each for each in self.trace) == 6
        assert self.host.stack.connections() == []

    def test_established(self) -> None:
        """
        A connection ignores what is of another, and answers SYNs with ACKs.
        """
        service = self.listen()
        self.hear(SegmentKind.SYN, THEIRS, None)
        [tcb] = self.host.stack.connections()
        ours = tcb.sequence
        self.hear(SegmentKind.ACK, THEIRS, ours)
        ack = f". seq {ours} ack 1000"
        assert self.hear(SegmentKind.SYN, THEIRS, None) == [ack]
        assert self.hear(SegmentKind.SYN, THEIRS + 1, None) == [ack]
        assert self.hear(SegmentKind.SYN_ACK, THEIRS, ours) == [ack]
        assert self.hear(SegmentKind.ACK, THEIRS, 5) == []
        assert self.hear(SegmentKind.DATA, THEIRS + 1, ours, b"x") == []
        assert self.hear(SegmentKind.RST, THEIRS + 1, ours) == []
        assert self.hear(SegmentKind.UNREACHABLE, None, ours) == []
        [protocol] = service.accepted
        assert protocol.isOpen
        assert protocol.received == b""
        assert self.hear(SegmentKind.RST, THEIRS, ours) == []
        assert not protocol.isOpen

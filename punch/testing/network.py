"""
The network: hosts and NATs under one clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import ENETUNREACH
from ipaddress import IPv6Network
from itertools import count
from random import Random

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock

from punch.testing.behavior import NATBehavior
from punch.testing.host import MemoryHost, canonicalIP
from punch.testing.interfaces import Hop, Socket, Step
from punch.testing.nat import MemoryNAT
from punch.testing.nat64 import MemoryNAT64
from punch.testing.realm import Realm
from punch.testing.segment import Segment, SegmentKind
from punch.testing.timeline import Timeline

_FIRST_DESCRIPTOR = 1_000_000
"""
Beyond what the process can have, so that nobody takes them for its own.
"""


class MemoryNetwork:
    """
    Hosts and NATs in memory, under one clock; what happens depends on the seed and
    on nothing else (but programs that use TLS bring randomness of their own).

    Let time pass by L{run}, L{runUntil} or L{spin<punch.testing.spin>}.  Advancing the
    clock by hand works, but all that is due within one step happens at its end.

    @ivar clock: the time of all.
    @ivar random: the chance of all.
    @ivar names: what the hosts' resolvers know.
    @ivar segmentSize: bytes that a segment carries at most.  With few, protocols
        get their bytes in small pieces.
    @ivar refusesUnknown: whether an address that nobody has is answered with an
        ICMP network unreachable, instead of silence.
    """

    def __init__(
        self,
        clock: Clock,
        seed: int,
        *,
        segmentSize: int = 16384,
        refusesUnknown: bool = False,
    ) -> None:
        self.clock = clock
        self.random = Random(seed)
        self.names: dict[str, tuple[str, ...]] = {}
        self.segmentSize = segmentSize
        self.refusesUnknown = refusesUnknown
        self.timeline = Timeline(clock)
        self.initialSequence = count(1).__next__
        self.descriptor = count(_FIRST_DESCRIPTOR).__next__
        self._hosts: list[MemoryHost] = []
        self._trace: list[str] | None = None
        self._public = Realm(self)

    # Building it.

    def host(
        self,
        *addresses: str,
        behind: MemoryNAT | None = None,
        latency: float = 0.02,
        loss: float = 0.0,
        jitter: float = 0.0,
        duplicates: float = 0.0,
    ) -> MemoryHost:
        """
        Add a host; IPv6 addresses are public even behind a NAT.

        @raise ValueError: an address is another host's, or none.
        """
        inner = self._public if behind is None else behind.inside
        is64 = isinstance(behind, MemoryNAT64)
        host = MemoryHost(self, addresses, (inner, inner if is64 else self._public))
        if is64:
            for each in host.addresses:
                self._public.attach(each, host)
        host.latency = latency
        host.loss = loss
        host.jitter = jitter
        host.duplicates = duplicates
        self._hosts.append(host)
        return host

    def nat(
        self,
        address: str,
        behavior: NATBehavior,
        latency: float = 0.005,
        behind: MemoryNAT | None = None,
        *,
        loss: float = 0.0,
        jitter: float = 0.0,
    ) -> MemoryNAT:
        """
        Add a NAT, perhaps behind another.

        Where the latency is matters: a session lives from the SYN that passes out
        until the refusal that passes in, and that is as long as the wires outside
        are.  Real NATs are near their hosts.

        @param address: its outside address.
        @param latency: seconds over its outer wire, one way.
        @raise ValueError: the address is another's, or none.
        """
        outside = self._public if behind is None else behind.inside
        nat = MemoryNAT(self, canonicalIP(address), behavior, outside)
        nat.latency = latency
        nat.loss = loss
        nat.jitter = jitter
        return nat

    def nat64(
        self,
        address: str,
        behavior: NATBehavior,
        latency: float = 0.005,
        *,
        prefix: str = "64:ff9b::/96",
    ) -> MemoryNAT64:
        """
        Add a NAT64, for hosts that have IPv6 alone.  It is no DNS64: say what a name
        resolves to inside with L{name} and L{MemoryNAT64.synthesized}.

        @param address: its outside address.
        @param prefix: with which IPv4 addresses are seen inside.
        @raise ValueError: the address is another's, or none; or this is no prefix.
        """
        network = IPv6Network(prefix)
        nat = MemoryNAT64(self, canonicalIP(address), behavior, self._public, network)
        nat.latency = latency
        return nat

    def name(self, name: str, *addresses: str) -> None:
        """
        Let the hosts' resolvers know a name; without addresses, forget it.
        """
        self.names[name.lower()] = tuple(canonicalIP(each) for each in addresses)

    # Letting time pass.

    def block(self, one: str, other: str) -> None:
        """
        From now on everything between two public addresses vanishes, silently.
        """
        self._public.blocked.add(frozenset((one, other)))

    def unblock(self, one: str, other: str) -> None:
        """
        No longer.
        """
        self._public.blocked.discard(frozenset((one, other)))

    def run(self, seconds: float) -> None:
        """
        Let time pass, stopping at each delayed call.
        """
        self.runUntil(lambda: False, seconds)

    def runUntil(self, condition: Callable[[], object], limit: float) -> bool:
        """
        Let time pass until a condition holds, C{limit} seconds at most.

        @return: whether it holds.
        """
        deadline = self.clock.seconds() + limit
        while not condition():
            due = min(
                (call.getTime() for call in self.clock.getDelayedCalls()),
                default=deadline,
            )
            if due >= deadline:
                self.clock.advance(max(0.0, deadline - self.clock.seconds()))
                return bool(condition())
            self.clock.advance(max(0.0, due - self.clock.seconds()))
        return True

    # Looking at it.

    def openSockets(self) -> list[Socket]:
        """
        What the programs have not closed: listening ports, connections, and
        connections that are being made.
        """
        return [socket for host in self._hosts for socket in host.sockets()]

    def delayedCalls(self) -> Sequence[IDelayedCall]:
        """
        What the programs have yet to do; the network's own call is left out.
        """
        wake = self.timeline.wake
        return [call for call in self.clock.getDelayedCalls() if call is not wake]

    def trace(self) -> list[str]:
        """
        Begin to record what passes.

        @return: the record: a list to which each segment that is sent, received
            and dropped adds a line.
        """
        if self._trace is None:
            self._trace = []
        return self._trace

    # What its parts need.

    def record(self, event: str, segment: Segment) -> None:
        """
        Add a line to the record, if anybody wants one.
        """
        if self._trace is not None:
            self._trace.append(f"{self.clock.seconds():.6f} {event} {segment}")

    def carry(self, segment: Segment, delay: float, hop: Hop) -> None:
        """
        Bring a segment where it is in C{delay} seconds, and farther.

        Handshakes and resets meet each NAT at the instant that they are there: who
        was first decides.  The others go the whole way in one step.
        """
        if not segment.isExpress:
            self.timeline.after(delay, self._pass, segment, hop)
            return
        while not hop.isHost:
            step = hop.receive(segment)
            if step is None:
                return
            delay += step[0]
            hop = step[1]
        self.timeline.after(delay, hop.receive, segment)

    def _pass(self, segment: Segment, hop: Hop) -> None:
        step = hop.receive(segment)
        if step is not None:
            self.carry(segment, *step)

    def forward(self, segment: Segment) -> Step | None:
        """
        A segment is for an address that nobody has.
        """
        self.drop(segment)
        if self.refusesUnknown and segment.kind is SegmentKind.SYN:
            self.carry(segment.unreachable(ENETUNREACH), 0.0, self._public)
        return None

    def drop(self, segment: Segment) -> None:
        """
        A segment is lost; who sent it learns, if it is one that is resent.
        """
        self.record("dropped", segment)
        if segment.sender is not None:
            segment.sender.lost(segment)

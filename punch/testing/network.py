"""
The network in memory: hosts and NATs under one clock.
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
The first socket number, higher than any file descriptor of the process.
"""


class MemoryNetwork:
    """
    Hosts and NATs in memory, under one clock.  A test makes it and adds the hosts and
    NATs.  What happens depends only on the seed; programs that use TLS have randomness
    of their own.

    Let time pass by L{run}, L{runUntil} or L{spin<punch.testing.spin>}.  If you advance
    the clock yourself, all that is due within one step happens at its end.

    @ivar clock: the time of all hosts.
    @ivar random: the randomness of the network.
    @ivar names: the addresses of the names that the hosts' resolvers know.
    @ivar segmentSize: bytes that a segment carries at most.  With a small size
        protocols get their bytes in small pieces.
    @ivar refusesUnknown: whether a SYN to an address that no host has is answered with
        an ICMP network unreachable, instead of silence.
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
        Add a host.  Its IPv6 addresses are public even behind a NAT.

        @param addresses: its IP addresses.
        @param behind: the NAT in front of it; L{None} for a public host.
        @param latency: seconds that a segment takes over its wire, one way.
        @param loss: the probability that its wire loses a segment.
        @param jitter: seconds that a segment takes longer at most, at random.
        @param duplicates: the probability that a SYN or SYN-ACK arrives twice.
        @raise ValueError: another host has an address, or it is no IP address.
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

        A session lives from the SYN that passes out until the refusal that passes in,
        so it matters on which side of the NAT the latency is.  Real NATs are near their
        hosts.

        @param address: its outside address.
        @param latency: seconds that a segment takes over its outside wire, one way.
        @param behind: the NAT in front of this one.
        @param loss: the probability that its outside wire loses a segment.
        @param jitter: seconds that a segment takes longer at most, at random.
        @raise ValueError: another node has the address, or it is no IP address.
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
        Add a NAT64, for hosts that have IPv6 alone.  It is no DNS64: set what a name
        resolves to inside with L{name} and L{MemoryNAT64.synthesized}.

        @param address: its outside address.
        @param latency: seconds that a segment takes over its outside wire, one way.
        @param prefix: the prefix by which inside hosts reach IPv4 addresses.
        @raise ValueError: another node has the address, or it is no IP address, or the
            prefix is none.
        """
        network = IPv6Network(prefix)
        nat = MemoryNAT64(self, canonicalIP(address), behavior, self._public, network)
        nat.latency = latency
        return nat

    def name(self, name: str, *addresses: str) -> None:
        """
        Set the addresses of a host name; without addresses, forget the name.
        """
        self.names[name.lower()] = tuple(canonicalIP(each) for each in addresses)

    # Letting time pass.

    def block(self, one: str, other: str) -> None:
        """
        From now on lose all segments between two public addresses, without notice.
        """
        self._public.blocked.add(frozenset((one, other)))

    def unblock(self, one: str, other: str) -> None:
        """
        Undo L{block}.
        """
        self._public.blocked.discard(frozenset((one, other)))

    def run(self, seconds: float) -> None:
        """
        Let C{seconds} seconds pass, and make each delayed call at its time.
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
        The sockets that the programs have not closed: listening ports, connections, and
        attempts to connect.
        """
        return [socket for host in self._hosts for socket in host.sockets()]

    def delayedCalls(self) -> Sequence[IDelayedCall]:
        """
        The delayed calls of the programs, without the network's own.
        """
        wake = self.timeline.wake
        return [call for call in self.clock.getDelayedCalls() if call is not wake]

    def trace(self) -> list[str]:
        """
        Start to record the segments.

        @return: a list to which each segment that is sent, received or dropped adds a
            line.
        """
        if self._trace is None:
            self._trace = []
        return self._trace

    # What its parts need.

    def record(self, event: str, segment: Segment) -> None:
        """
        Add a line to the trace, if there is one.
        """
        if self._trace is not None:
            self._trace.append(f"{self.clock.seconds():.6f} {event} {segment}")

    def carry(self, segment: Segment, delay: float, hop: Hop) -> None:
        """
        Bring a segment to a hop in C{delay} seconds, and on from there.

        Handshake segments and resets pass each NAT at the time at which they arrive
        there, since their order decides.  The others go the whole way in one step.
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
        Drop a segment for an address that no node has, or answer it.
        """
        self.drop(segment)
        if self.refusesUnknown and segment.kind is SegmentKind.SYN:
            self.carry(segment.unreachable(ENETUNREACH), 0.0, self._public)
        return None

    def drop(self, segment: Segment) -> None:
        """
        Note that a segment is lost, and tell its sender if that resends it.
        """
        self.record("dropped", segment)
        if segment.sender is not None:
            segment.sender.lost(segment)

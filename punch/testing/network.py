"""
The network in memory: hosts and NATs under one clock.
"""

from __future__ import annotations

from errno import ENETUNREACH
from ipaddress import IPv6Network

from twisted.internet.task import Clock

from punch.testing.behavior import NATBehavior
from punch.testing.host import MemoryHost
from punch.testing.medium import Medium, Step
from punch.testing.nat import MemoryNAT
from punch.testing.nat64 import MemoryNAT64
from punch.testing.realm import Realm
from punch.testing.segment import Segment, SegmentKind, canonicalIP


class MemoryNetwork(Medium):
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
        Medium.__init__(self, clock, seed, segmentSize)
        self.refusesUnknown = refusesUnknown
        self._public = Realm(self, self._forward)

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

    def _forward(self, segment: Segment) -> Step | None:
        """
        Drop a segment for an address that no node has, or answer it.
        """
        self.drop(segment)
        if self.refusesUnknown and segment.kind is SegmentKind.SYN:
            self.carry(segment.unreachable(ENETUNREACH), 0.0, self._public)
        return None

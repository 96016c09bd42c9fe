"""
A NAT64 in memory (RFC 6146): a NAT for hosts that have IPv6 alone.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

from punch.net.nat64 import Prefix
from punch.testing.behavior import NATBehavior
from punch.testing.medium import Medium, Step
from punch.testing.nat import MemoryNAT
from punch.testing.realm import Realm
from punch.testing.segment import Segment


class MemoryNAT64(MemoryNAT):
    """
    A NAT64 with one outside address.  IPv6 itself passes in both directions.
    L{MemoryNetwork.nat64<punch.testing.MemoryNetwork.nat64>} makes it.

    @ivar prefix: the prefix by which inside hosts reach IPv4 addresses.
    """

    def __init__(
        self,
        network: Medium,
        address: str,
        behavior: NATBehavior,
        outside: Realm,
        prefix: IPv6Network,
    ) -> None:
        MemoryNAT.__init__(self, network, address, behavior, outside)
        self.prefix = Prefix(prefix.network_address, prefix.prefixlen)

    def synthesized(self, address: str) -> str:
        """
        The IPv6 address by which inside hosts reach an IPv4 address.
        """
        return str(self.prefix.synthesized(IPv4Address(address)))

    def forward(self, segment: Segment) -> Step | None:
        """
        Send a segment from inside out; translate it if it is for an IPv4 address.
        """
        host, port = segment.destination
        embedded = self.prefix.embedded(IPv6Address(host))
        if embedded is not None:
            segment.destination = (str(embedded), port)
            return MemoryNAT.forward(self, segment)
        return self.overWire(segment, self._outside)

    def _enter(self, segment: Segment) -> Step | None:
        self._translateSource(segment)
        return MemoryNAT._enter(self, segment)

    def _answer(self, answer: Segment, isInside: bool) -> None:
        if isInside:
            self._translateSource(answer)
        MemoryNAT._answer(self, answer, isInside)

    def _translateSource(self, segment: Segment) -> None:
        """
        Replace the source of a segment that goes in by an IPv6 address.
        """
        host, port = segment.source
        segment.source = (self.synthesized(host), port)

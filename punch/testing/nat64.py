"""
The NAT64 (RFC 6146): a NAT whose inside has IPv6 alone.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

from punch.net.nat64 import Prefix
from punch.testing.behavior import NATBehavior
from punch.testing.interfaces import Network, Step
from punch.testing.nat import MemoryNAT
from punch.testing.realm import Realm
from punch.testing.segment import Segment


class MemoryNAT64(MemoryNAT):
    """
    A NAT64 with one outside address.  IPv6 itself passes both ways.

    @ivar prefix: with which IPv4 addresses are seen inside.
    """

    def __init__(
        self,
        network: Network,
        address: str,
        behavior: NATBehavior,
        outside: Realm,
        prefix: IPv6Network,
    ) -> None:
        MemoryNAT.__init__(self, network, address, behavior, outside)
        self.prefix = Prefix(prefix.network_address, prefix.prefixlen)

    def synthesized(self, address: str) -> str:
        """
        The IPv6 address at which an IPv4 address is seen inside.
        """
        return str(self.prefix.synthesized(IPv4Address(address)))

    def forward(self, segment: Segment) -> Step | None:
        """
        A segment goes out.
        """
        host, port = segment.destination
        embedded = self.prefix.embedded(IPv6Address(host))
        if embedded is not None:
            segment.destination = (str(embedded), port)
            return MemoryNAT.forward(self, segment)
        delay = self.wireDelay()
        if delay is None:
            self.drop(segment)
            return None
        return delay, self._outside

    def _enter(self, segment: Segment) -> Step | None:
        self._translateSource(segment)
        return MemoryNAT._enter(self, segment)

    def _answer(self, answer: Segment, isInside: bool) -> None:
        if isInside:
            self._translateSource(answer)
        MemoryNAT._answer(self, answer, isInside)

    def _translateSource(self, segment: Segment) -> None:
        """
        What goes in seems to come from IPv6.
        """
        host, port = segment.source
        segment.source = (self.synthesized(host), port)

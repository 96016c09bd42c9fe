"""
The NAT64 (RFC 6146): a user-space NAT whose inside has IPv6 alone, and reaches IPv4
at addresses made of a prefix and an IPv4 address.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from random import Random

from punch.testing import NATBehavior

from . import packet as ip
from . import packet6 as ip6
from . import tcp
from .usernat import Passage, UserNAT

_PREFIX = IPv6Address("64:ff9b::").packed[:12]
_HOST = IPv4Address("192.0.0.2").packed
"""
The inside host as the part of it knows it that translates IPv4 to IPv4.
"""


def through64(address: str) -> str:
    """
    Where an IPv4 address is, seen from inside.
    """
    return str(IPv6Address(_PREFIX + IPv4Address(address).packed))


class NAT64(UserNAT):
    """
    A NAT64 between a leg of the wire and the party at its end.  IPv6 itself passes.
    """

    def __init__(
        self,
        address: str,
        behavior: NATBehavior,
        seconds: Callable[[], float],
        random: Random,
        host: str,
    ) -> None:
        """
        @param address: the outside one.
        @param host: the party's IPv6 address.
        """
        UserNAT.__init__(self, address, behavior, seconds, random)
        self._host = IPv6Address(host).packed

    def leave(self, packet: bytes) -> Passage:
        """
        A packet comes from inside.
        """
        if not ip6.isIPv6(packet):
            return Passage()
        if not ip6.destination(packet).startswith(_PREFIX):
            return Passage(outward=packet)
        if packet[6] != tcp.PROTOCOL or ip6.source(packet) != self._host:
            return Passage()
        ends = _HOST + ip6.destination(packet)[12:]
        segment = tcp.underOtherEnds(packet[40:], packet[8:40], ends)
        return self._translated(
            UserNAT.leave(self, ip.packed(tcp.PROTOCOL, ends, segment))
        )

    def enter(self, packet: bytes) -> Passage:
        """
        A packet comes from outside.
        """
        if ip6.isIPv6(packet):
            return Passage(inward=packet)
        return self._translated(UserNAT.enter(self, packet))

    def _translated(self, passage: Passage) -> Passage:
        """
        The same, with what goes in as IPv6; ICMP does not.
        """
        inward = passage.inward
        if inward is None or not tcp.isTCP(inward):
            return passage._replace(inward=None)
        ends = _PREFIX + ip.source(inward) + self._host
        head = ip.headerSize(inward)
        segment = tcp.underOtherEnds(inward[head:], inward[12:20], ends)
        return passage._replace(inward=ip6.packed(tcp.PROTOCOL, ends, segment))

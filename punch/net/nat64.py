"""
Synthesis: the IPv6 addresses by which a host that has no IPv4 reaches IPv4 through a
NAT64 (RFC 6146).

Such an address is a prefix of the network's with the IPv4 address in it (RFC 6052
section 2.2).  Where the prefix is not the well-known one it shows in what a name of
well-known IPv4 addresses resolves to (RFC 7050).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from punch.net.address import Address, ipOf, isLocal, tcpAddress

WELL_KNOWN_PREFIX = IPv6Address("64:ff9b::")
"""
The prefix that is nobody's own (RFC 6052 section 2.1); 96 bits of it.
"""

IPV4_ONLY_NAME = "ipv4only.arpa"
"""
The name that has IPv4 addresses only; what else it resolves to was synthesized.
"""

_ITS_ADDRESSES = (IPv4Address("192.0.0.170"), IPv4Address("192.0.0.171"))

_LENGTHS = (96, 64, 56, 48, 40, 32)

_RESERVED = 8
"""
The byte of a synthesized address that is always zero.
"""


@dataclass(frozen=True)
class Prefix:
    """
    The prefix of a NAT64.

    C{network}: its first address.  C{length}: in bits; 32, 40, 48, 56, 64 or 96.
    """

    network: IPv6Address
    length: int

    def synthesized(self, ip: IPv4Address) -> IPv6Address:
        """
        Where C{ip} is, seen from behind the NAT64.
        """
        made = bytearray(self.network.packed)
        for place, byte in zip(_places(self.length), ip.packed, strict=True):
            made[place] = byte
        return IPv6Address(bytes(made))

    def embedded(self, ip: IPv6Address) -> IPv4Address | None:
        """
        The IPv4 address of which C{ip} was made; L{None} if of none.
        """
        found = IPv4Address(bytes(ip.packed[each] for each in _places(self.length)))
        return found if self.synthesized(found) == ip else None

    def toIPv6(self, address: Address) -> Address:
        """
        Where we connect to reach C{address}.
        """
        ip = ipOf(address)
        if isinstance(ip, IPv6Address) or isLocal(address):
            return address
        return tcpAddress(str(self.synthesized(ip)), address.port)

    def toIPv4(self, address: Address) -> Address:
        """
        Who that is whom we see at C{address}.
        """
        ip = ipOf(address)
        found = self.embedded(ip) if isinstance(ip, IPv6Address) else None
        return address if found is None else tcpAddress(str(found), address.port)


def _places(length: int) -> list[int]:
    """
    The bytes in which the IPv4 address stands.
    """
    first = length // 8
    return [each for each in range(first, first + 5) if each != _RESERVED][:4]


def prefixOf(ip: IPv6Address, embedded: Iterable[IPv4Address]) -> Prefix | None:
    """
    The prefix with which C{ip} was made of one of these IPv4 addresses.
    """
    for length in _LENGTHS:
        known = set(_places(length))
        bare = bytes(0 if n in known else byte for n, byte in enumerate(ip.packed))
        prefix = Prefix(IPv6Address(bare), length)
        if not any(bare[length // 8 :]) and prefix.embedded(ip) in set(embedded):
            return prefix
    return None


def wellKnownPrefix(ip: IPv6Address) -> Prefix | None:
    """
    The well-known prefix, if C{ip} has it.
    """
    prefix = Prefix(WELL_KNOWN_PREFIX, 96)
    return None if prefix.embedded(ip) is None else prefix


def prefixIn(ips: Iterable[IPv6Address]) -> Prefix | None:
    """
    The prefix, by what L{IPV4_ONLY_NAME} resolves to (RFC 7050 section 3).
    """
    found = (prefixOf(each, _ITS_ADDRESSES) for each in ips)
    return next((each for each in found if each is not None), None)

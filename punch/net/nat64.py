"""
The prefix of a NAT64 (RFC 6146), by which a host without IPv4 reaches IPv4 addresses.

Such a host connects to an IPv6 address that is the network's prefix with the IPv4
address in it (RFC 6052 section 2.2).  A prefix that is not the well-known one is found
by resolving a name that has well-known IPv4 addresses only (RFC 7050).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from punch.net.address import Address, ipOf, isLocal, tcpAddress

WELL_KNOWN_PREFIX = IPv6Address("64:ff9b::")
"""
The well-known prefix, of 96 bits, that any network may use (RFC 6052 section 2.1).
"""

IPV4_ONLY_NAME = "ipv4only.arpa"
"""
A name that has IPv4 addresses only.  An IPv6 address that it resolves to was
synthesized.
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

    @ivar network: the first address with this prefix.
    @ivar length: its length in bits: 32, 40, 48, 56, 64 or 96.
    """

    network: IPv6Address
    length: int

    def synthesized(self, ip: IPv4Address) -> IPv6Address:
        """
        The IPv6 address by which a host behind the NAT64 reaches C{ip}.
        """
        made = bytearray(self.network.packed)
        for place, byte in zip(_places(self.length), ip.packed, strict=True):
            made[place] = byte
        return IPv6Address(bytes(made))

    def embedded(self, ip: IPv6Address) -> IPv4Address | None:
        """
        The IPv4 address from which C{ip} was synthesized; L{None} if C{ip} was not
        synthesized with this prefix.
        """
        found = IPv4Address(bytes(ip.packed[each] for each in _places(self.length)))
        return found if self.synthesized(found) == ip else None

    def toIPv6(self, address: Address) -> Address:
        """
        The address to connect to, from behind the NAT64, to reach C{address}.
        """
        ip = ipOf(address)
        if isinstance(ip, IPv6Address) or isLocal(address):
            return address
        return tcpAddress(str(self.synthesized(ip)), address.port)

    def toIPv4(self, address: Address) -> Address:
        """
        The address outside the NAT64 that we see as C{address}.
        """
        ip = ipOf(address)
        found = self.embedded(ip) if isinstance(ip, IPv6Address) else None
        return address if found is None else tcpAddress(str(found), address.port)


def _places(length: int) -> list[int]:
    """
    The indices of the four bytes in which the IPv4 address stands.
    """
    first = length // 8
    return [each for each in range(first, first + 5) if each != _RESERVED][:4]


def prefixOf(ip: IPv6Address, embedded: Iterable[IPv4Address]) -> Prefix | None:
    """
    The prefix with which C{ip} was synthesized from one of these IPv4 addresses;
    L{None} if it was not.
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
    The well-known prefix if C{ip} has it, else L{None}.
    """
    prefix = Prefix(WELL_KNOWN_PREFIX, 96)
    return None if prefix.embedded(ip) is None else prefix


def prefixIn(ips: Iterable[IPv6Address]) -> Prefix | None:
    """
    The prefix that shows in what L{IPV4_ONLY_NAME} resolves to (RFC 7050 section 3);
    L{None} if none does.
    """
    found = (prefixOf(each, _ITS_ADDRESSES) for each in ips)
    return next((each for each in found if each is not None), None)

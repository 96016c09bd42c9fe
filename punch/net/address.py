"""
Addresses: of a TCP port at an IP address, of a server that a user names, and of one
end of a link.

On our wires an address is text, C{192.0.2.1:4040} or C{[2001:db8::1]:4040} (RFC 3986
section 3.2.2, RFC 5952).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address as IPv4
from ipaddress import IPv6Address as IPv6
from ipaddress import IPv6Network, ip_address, ip_network
from typing import TypeAlias

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from zope.interface import implementer

Address: TypeAlias = IPv4Address | IPv6Address

_SHAPE = re.compile(
    r"(?:\[(?P<v6>[0-9a-fA-F:.]{2,45})\]|(?P<v4>[0-9.]{7,15})):(?P<port>[0-9]{1,5})"
)


class BadAddress(ValueError):
    """
    What was read is not an IP address with a TCP port.
    """


def tcpAddress(host: str, port: int) -> Address:
    """
    Make the address of a TCP C{port} at an IP C{host}.  An IPv4-mapped IPv6 address
    becomes IPv4.

    @raise BadAddress: C{host} is not an IP address without a zone, or C{port}
        is not in 1..65535.
    """
    try:
        ip = ip_address(host)
    except ValueError:
        raise BadAddress(host) from None
    if not 0 < port < 65536 or "%" in host:
        raise BadAddress(f"{host} {port}")
    if isinstance(ip, IPv6):
        if ip.ipv4_mapped is None:
            return IPv6Address("TCP", str(ip), port)
        ip = ip.ipv4_mapped
    return IPv4Address("TCP", str(ip), port)


def parseAddress(text: str) -> Address:
    """
    Read the text form of an address, which L{formatAddress} writes.

    @raise BadAddress: C{text} is anything else.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise BadAddress(text[:60])
    return tcpAddress(match["v6"] or match["v4"], int(match["port"]))


def parseAddresses(texts: Iterable[str], host: str) -> list[Address]:
    """
    Read those of C{texts} that are addresses, and pass over the others.

    @param host: the IP address that a text without one, such as C{":4041"}, means.
    """
    found = []
    for text in texts:
        where = f"[{host}]{text}" if ":" in host else f"{host}{text}"
        with suppress(BadAddress):
            found.append(parseAddress(where if text.startswith(":") else text))
    return found


def formatAddress(address: Address) -> str:
    """
    Write the text form of an address, which L{parseAddress} reads.
    """
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    return f"{address.host}:{address.port}"


def ipOf(address: Address) -> IPv4 | IPv6:
    """
    The IP address alone, as an object that answers C{is_loopback} and the like.
    """
    return ip_address(address.host.partition("%")[0])


_LOCAL = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "::/127",
        "fc00::/7",
        "fe80::/10",
    )
)


def isLocal(address: Address) -> bool:
    """
    Whether an address means another host in each network (RFC 6890).  A NAT64 does
    not translate such an address.
    """
    ip = ipOf(address)
    return any(ip.version == net.version and ip in net for net in _LOCAL)


def leavesLink(host: str) -> bool:
    """
    Whether an IP address of this host may be reached from beyond its network link.
    """
    ip = ip_address(host)
    return not (ip.is_loopback or ip.is_link_local)


def addressKey(host: str) -> Hashable:
    """
    What counts as one address where there is a limit for each.  For IPv6 that is the
    network of 64 bits, from which a host can choose any address.
    """
    if ":" not in host:
        return host
    network = IPv6Network((host.partition("%")[0], 64), strict=False)
    return network.network_address


def splitHostPort(text: str) -> tuple[str, int]:
    """
    Split C{HOST:PORT}, in which an IPv6 address stands in brackets.

    @raise ValueError: C{text} is something else; the message says what.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("write an IPv6 address in brackets")
    if not colon or not host or not port.isascii() or not port.isdigit():
        raise ValueError("not HOST:PORT")
    if not 0 < int(port) < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    return host, int(port)


@dataclass(frozen=True)
class HostPort:
    """
    Where a server is, as its user writes it: a host name or IP address, and a TCP
    port.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> HostPort:
        """
        Read C{HOST:PORT}.

        @raise ValueError: C{text} is something else; the message says what.
        """
        return cls(*splitHostPort(text))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@implementer(IAddress)
@dataclass(frozen=True)
class PunchAddress:
    """
    One end of a link: what a link's C{getPeer} and C{getHost} answer with.

    @ivar pin: SHA-256 of that peer's public key, 32 bytes.
    @ivar path: the kind of the link's path, such as C{"direct"}.
    @ivar address: where that path ends now.
    """

    pin: bytes
    path: str
    address: Address

    @property
    def host(self) -> str:
        """
        The IP address, where Twisted's protocols look for it.
        """
        return self.address.host

    @property
    def port(self) -> int:
        """
        The TCP port, likewise.
        """
        return self.address.port

    def __str__(self) -> str:
        return f"{self.pin.hex()[:16]} at {formatAddress(self.address)} ({self.path})"

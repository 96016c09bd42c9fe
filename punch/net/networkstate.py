"""
The network state of this host, compared with an earlier one to see a change.
"""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from ipaddress import ip_address

import ifaddr

_SIOCGIFFLAGS = 0x8913
_UP = 0x1
_RUNNING = 0x40
"""
From linux/sockios.h and linux/if.h.
"""

_INTERNET_HOSTS = (
    (socket.AF_INET, "198.41.0.4"),
    (socket.AF_INET6, "2001:503:ba3e::2:30"),
)
"""
A host on the internet: root server A.  Connecting a datagram socket sends nothing.
"""


@dataclass(frozen=True)
class NetworkState:
    """
    The addresses that this host has and uses.

    @ivar addresses: at which others may reach it, of interfaces that are up.
    @ivar running: those of them whose interface has a carrier, such as a plugged
        cable; the kernel may take a second to know.
    @ivar sources: from which it would reach the internet, over IPv4 and over IPv6;
        C{""} if it could not.
    """

    addresses: frozenset[str]
    running: frozenset[str]
    sources: tuple[str, ...]


def networkState() -> NetworkState:
    """
    Read the network state of this host, which takes up to a millisecond.

    @raise OSError: the system cannot tell, for lack of descriptors.
    """
    found = [
        (ip.ip if isinstance(ip.ip, str) else ip.ip[0], flags)
        for adapter in ifaddr.get_adapters()
        for flags in [_flags(adapter.name)]
        for ip in adapter.ips
    ]
    found = [(address, flags) for address, flags in found if _isReachable(address)]
    return NetworkState(
        frozenset(address for address, flags in found if flags & _UP),
        frozenset(address for address, flags in found if flags & _RUNNING),
        tuple(_source(family, host) for family, host in _INTERNET_HOSTS),
    )


def _isReachable(address: str) -> bool:
    """
    Whether others may reach this host at an address.  IPv6's link-local addresses are
    left out: they change with every container that is started.
    """
    ip = ip_address(address)
    return not (ip.is_loopback or (ip.version == 6 and ip.is_link_local))


def _flags(interface: str) -> int:
    """
    The flags of an interface.  Where we cannot know, it is up and running.
    """
    if sys.platform != "linux":
        return _UP | _RUNNING
    from fcntl import ioctl  # Not every platform has it.

    request = struct.pack("16s16x", interface.encode())
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            answer = ioctl(asking, _SIOCGIFFLAGS, request)
    except OSError:
        return _UP | _RUNNING
    [flags] = struct.unpack_from("H", answer, 16)
    return int(flags)


def _source(family: int, host: str) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""

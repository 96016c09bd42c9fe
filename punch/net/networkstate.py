"""
The vantage: where this host stands in its network, to see whether that has changed.
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

_FAR = ((socket.AF_INET, "198.41.0.4"), (socket.AF_INET6, "2001:503:ba3e::2:30"))
"""
Somebody far away: the root server A.  To connect a datagram socket sends nothing.
"""


@dataclass(frozen=True)
class NetworkState:
    """
    Where this host stands in its network.

    C{addresses}: those at which others may reach it, of interfaces that are up.
    C{running}: those of them whose interface has its cable in, or whatever it has;
    the kernel may take a second to say so.  C{sources}: from which it would reach
    somebody far away, by IPv4 and by IPv6; C{""} if it could not.
    """

    addresses: frozenset[str]
    running: frozenset[str]
    sources: tuple[str, ...]


def networkState() -> NetworkState:
    """
    Look; it takes up to a millisecond.

    @raise OSError: the system cannot say, for lack of descriptors.
    """
    found = [
        (ip.ip if isinstance(ip.ip, str) else ip.ip[0], flags)
        for adapter in ifaddr.get_adapters()
        for flags in [_flags(adapter.name)]
        for ip in adapter.ips
    ]
    found = [(address, flags) for address, flags in found if _counts(address)]
    return NetworkState(
        frozenset(address for address, flags in found if flags & _UP),
        frozenset(address for address, flags in found if flags & _RUNNING),
        tuple(_source(family, far) for family, far in _FAR),
    )


def _counts(address: str) -> bool:
    """
    Whether others may reach us there.  IPv6's link-local addresses would be a change
    with every container that is started.
    """
    ip = ip_address(address)
    return not (ip.is_loopback or (ip.version == 6 and ip.is_link_local))


def _flags(interface: str) -> int:
    """
    An interface's flags; where we cannot know, it is up and running.
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


def _source(family: int, far: str) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""

"""
The IP addresses of this host's interfaces, of which host candidates are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import TypeAlias

import ifaddr

_TABLE = Path("/proc/net/if_inet6")

_DAD_FAILED, _DEPRECATED, _TENTATIVE = 0x08, 0x20, 0x40
"""
Flags of an address of IPv6 (linux/if_addr.h).
"""

HostAddresses: TypeAlias = Callable[[], Iterable[str]]
"""
Asks for the IP addresses of this host, loopback included.
"""


def hostAddresses() -> list[str]:
    """
    The IP addresses of this host's interfaces, IPv4 and IPv6, without zones.

    Addresses from which the kernel makes no new connection come last, where we can
    know them.  With privacy extensions a host has one for each of the last days (RFC
    8981).
    """
    found = [
        ip.ip if isinstance(ip.ip, str) else ip.ip[0]
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]
    unusable = _unusable()
    return sorted(found, key=lambda each: each in unusable)


def _unusable() -> set[str]:
    """
    The IPv6 addresses from which the kernel makes no new connection.
    """
    found: set[str] = set()
    try:
        lines = _TABLE.read_text(encoding="ascii").splitlines()
    except OSError:
        return found
    for digits, _, _, _, flags, _ in map(str.split, lines):
        if int(flags, 16) & (_DAD_FAILED | _DEPRECATED | _TENTATIVE):
            found.add(str(ip_address(bytes.fromhex(digits))))
    return found

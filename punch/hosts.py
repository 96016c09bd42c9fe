"""
The addresses of this host's interfaces: where host candidates come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import TypeAlias

import ifaddr

HostAddresses: TypeAlias = Callable[[], Iterable[str]]
"""
Asks for the IP addresses of this host, loopback included.
"""


def hostAddresses() -> list[str]:
    """
    The IP addresses of this host's interfaces, IPv4 and IPv6, without zones.
    """
    return [
        ip.ip if isinstance(ip.ip, str) else ip.ip[0]
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]


def isOutward(address: str) -> bool:
    """
    Whether an address of ours may lead beyond our link.
    """
    ip = ip_address(address)
    return not (ip.is_loopback or ip.is_link_local)

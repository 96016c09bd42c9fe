"""
Tests for L{punch.hosts}.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

import ifaddr
import pytest

from punch.hosts import hostAddresses, isOutward


@dataclass
class _IP:
    ip: str | tuple[str, int, int]


@dataclass
class _Adapter:
    ips: list[_IP]


def test_here() -> None:
    """
    This host has its loopback address, and only IP addresses.
    """
    found = hostAddresses()
    assert "127.0.0.1" in found
    for each in found:
        assert "%" not in each
        ip_address(each)


def test_bothFamilies(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    All interfaces count, IPv4 and IPv6, without the zones.
    """
    adapters = [
        _Adapter([_IP("127.0.0.1"), _IP(("::1", 0, 0))]),
        _Adapter([]),
        _Adapter([_IP(("fe80::1", 0, 2)), _IP("192.0.2.1")]),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    assert list(hostAddresses()) == ["127.0.0.1", "::1", "fe80::1", "192.0.2.1"]


@pytest.mark.parametrize(
    ("address", "leads"),
    [
        ("192.0.2.1", True),
        ("10.0.0.1", True),
        ("2001:db8::1", True),
        ("fd00::1", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("169.254.1.1", False),
        ("fe80::1", False),
    ],
)
def test_isOutward(address: str, leads: bool) -> None:
    """
    Loopback and link-local addresses lead nowhere.
    """
    assert isOutward(address) is leads

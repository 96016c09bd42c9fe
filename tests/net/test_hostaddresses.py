"""
Tests for L{punch.net.hostaddresses}.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import ifaddr
import pytest

from punch.net.hostaddresses import hostAddresses


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


def test_unusable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    What is offered last is what no connection comes from: an address of a day that is
    over, or one that may be somebody else's.
    """
    table = tmp_path / "if_inet6"
    table.write_text(
        "20010db8000000000000000000000001 02 40 00 21     eth0\n"
        "20010db8000000000000000000000002 02 40 00 01     eth0\n"
        "20010db8000000000000000000000003 02 40 00 40     eth0\n"
        "00000000000000000000000000000001 01 80 10 80       lo\n"
    )
    monkeypatch.setattr("punch.net.hostaddresses._TABLE", table)
    ips = [_IP((f"2001:db8::{n}", 0, 0)) for n in (1, 2, 3)]
    adapters = [_Adapter([*ips, _IP("192.0.2.1"), _IP(("::1", 0, 0))])]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    expected = ["2001:db8::2", "192.0.2.1", "::1", "2001:db8::1", "2001:db8::3"]
    assert hostAddresses() == expected


def test_noTable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    Where the system does not tell, all are alike.
    """
    monkeypatch.setattr("punch.net.hostaddresses._TABLE", tmp_path / "nothing")
    assert "127.0.0.1" in hostAddresses()

"""
Tests for L{punch.net.address}.
"""

from __future__ import annotations

from ipaddress import IPv4Address as IPv4
from ipaddress import IPv6Address as IPv6
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address

from punch.net.address import (
    Address,
    BadAddress,
    HostPort,
    ipOf,
    leavesLink,
    parseAddress,
    tcpAddress,
)
from tests.support.strategies import addresses


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1:4040", IPv4Address("TCP", "192.0.2.1", 4040)),
        ("[2001:db8::1]:1", IPv6Address("TCP", "2001:db8::1", 1)),
        ("[2001:DB8:0:0::1]:65535", IPv6Address("TCP", "2001:db8::1", 65535)),
        ("[::ffff:192.0.2.1]:80", IPv4Address("TCP", "192.0.2.1", 80)),
        ("192.0.2.1:00080", IPv4Address("TCP", "192.0.2.1", 80)),
    ],
)
def test_read(text: str, address: Address) -> None:
    """
    Both families are read, into one form each.
    """
    assert parseAddress(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.0.2.1",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:-1",
        "192.0.2.1:4040 ",
        "192.0.2.1:4040\n",
        "192.0.2.256:1",
        "192.0.2.01:1",
        "192.0.2:1",
        "[192.0.2.1]x:1",
        "2001:db8::1:4040",
        "[fe80::1%eth0]:1",
        "[:::]:1",
        "host.example:1",
        "\N{ARABIC-INDIC DIGIT ONE}92.0.2.1:1",
        "192.0.2.1:\N{ARABIC-INDIC DIGIT ONE}",
    ],
)
def test_refused(text: str) -> None:
    """
    Nothing else is.
    """
    with pytest.raises(BadAddress):
        parseAddress(text)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("fe80::1%eth0", 1),
        ("localhost", 1),
        ("", 1),
        ("192.0.2.1", 0),
        ("192.0.2.1", 65536),
        ("192.0.2.1", -1),
    ],
)
def test_noAddress(host: str, port: int) -> None:
    """
    Names, zones and impossible ports make no address.
    """
    with pytest.raises(BadAddress):
        tcpAddress(host, port)


@given(st.ip_addresses(v=4), st.integers(1, 65535))
def test_mapped(ip: IPv4, port: int) -> None:
    """
    An IPv4 address is the same address when a socket of IPv6 shows it.
    """
    assert tcpAddress(f"::ffff:{ip}", port) == tcpAddress(str(ip), port)


@given(addresses)
def test_ipOf(address: Address) -> None:
    """
    The IP address comes without the port.
    """
    assert ipOf(address) == ip_address(address.host)
    assert isinstance(ipOf(address), IPv6 if isinstance(address, IPv6Address) else IPv4)


def test_ipOfZoned() -> None:
    """
    A zone is no part of the IP address.
    """
    assert ipOf(IPv6Address("TCP", "fe80::1%eth0", 1)) == IPv6("fe80::1")


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
def test_leavesLink(address: str, leads: bool) -> None:
    """
    Loopback and link-local addresses lead nowhere.
    """
    assert leavesLink(address) is leads


@pytest.mark.parametrize("text", ["stun.example.org:3478", "[2001:db8::1]:1"])
def test_hostPort(text: str) -> None:
    """
    The text form is read and written.
    """
    assert str(HostPort.parse(text)) == text

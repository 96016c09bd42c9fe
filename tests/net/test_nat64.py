"""
Tests of L{punch.net.nat64}.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.net.address import tcpAddress
from punch.net.nat64 import Prefix, prefixIn, prefixOf, wellKnownPrefix

LENGTHS = (32, 40, 48, 56, 64, 96)

ips4 = st.integers(0, 2**32 - 1).map(IPv4Address)
ips6 = st.integers(0, 2**128 - 1).map(IPv6Address)


@st.composite
def prefixes(draw: st.DrawFn) -> Prefix:
    """
    Any prefix that a NAT64 may have: its reserved byte is zero.
    """
    length = draw(st.sampled_from(LENGTHS))
    network = bytearray(draw(ips6).packed)
    network[length // 8 :] = bytes(16 - length // 8)
    network[8] = 0
    return Prefix(IPv6Address(bytes(network)), length)


@pytest.mark.parametrize(
    ("network", "length", "synthesized"),
    [
        ("2001:db8::", 32, "2001:db8:c000:221::"),
        ("2001:db8:100::", 40, "2001:db8:1c0:2:21::"),
        ("2001:db8:122::", 48, "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::", 56, "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::", 64, "2001:db8:122:344:c0:2:2100:0"),
        ("2001:db8:122:344::", 96, "2001:db8:122:344::192.0.2.33"),
        ("64:ff9b::", 96, "64:ff9b::192.0.2.33"),
    ],
)
def test_ofTheRFC(network: str, length: int, synthesized: str) -> None:
    """
    The examples of RFC 6052 section 2.4.
    """
    prefix = Prefix(IPv6Address(network), length)
    made = prefix.synthesized(IPv4Address("192.0.2.33"))
    assert made == IPv6Address(synthesized)


@given(prefixes(), ips4)
def test_thereAndBack(prefix: Prefix, ip: IPv4Address) -> None:
    """
    What was synthesized shows of what, and with which prefix.
    """
    made = prefix.synthesized(ip)
    assert prefix.embedded(made) == ip
    found = prefixOf(made, [ip])
    assert found is not None
    assert found.synthesized(ip) == made


@given(prefixes(), ips6)
def test_others(prefix: Prefix, ip: IPv6Address) -> None:
    """
    An address embeds one of IPv4 only if it is the one made of that.
    """
    embedded = prefix.embedded(ip)
    assert embedded is None or prefix.synthesized(embedded) == ip


@given(prefixes())
def test_named(prefix: Prefix) -> None:
    """
    The prefix shows in what a resolver makes of the name that has no IPv6 addresses,
    whatever else it says.
    """
    ours = prefix.synthesized(IPv4Address("192.0.0.171"))
    found = prefixIn([IPv6Address("2001:db8::1"), ours])
    assert found is not None
    assert found.synthesized(IPv4Address("192.0.0.171")) == ours


def test_unnamed() -> None:
    """
    Where nothing was synthesized there is no prefix.
    """
    assert prefixIn([]) is None
    assert prefixIn([IPv6Address("2001:db8::1")]) is None


def test_wellKnown() -> None:
    """
    The well-known prefix is known without asking anybody.
    """
    prefix = wellKnownPrefix(IPv6Address("64:ff9b::c000:201"))
    assert prefix == Prefix(IPv6Address("64:ff9b::"), 96)
    assert wellKnownPrefix(IPv6Address("64:ff9b:1::c000:201")) is None
    assert wellKnownPrefix(IPv6Address("2001:db8::c000:201")) is None


@given(prefixes(), ips4.filter(lambda ip: ip.is_global), st.integers(1, 65535))
def test_addresses(prefix: Prefix, ip: IPv4Address, port: int) -> None:
    """
    We connect to a public address by way of the NAT64, and who comes from there is
    known by it.
    """
    address = tcpAddress(str(ip), port)
    toIPv6 = prefix.toIPv6(address)
    assert toIPv6 == tcpAddress(str(prefix.synthesized(ip)), port)
    assert prefix.toIPv4(toIPv6) == address


@pytest.mark.parametrize(
    "ip", ["10.0.0.2", "192.168.1.2", "172.31.0.1", "100.64.0.1", "169.254.1.1", "::1"]
)
def test_local(ip: str) -> None:
    """
    A NAT64 leads neither to private addresses nor to IPv6's own.
    """
    prefix, address = Prefix(IPv6Address("64:ff9b::"), 96), tcpAddress(ip, 4040)
    assert prefix.toIPv6(address) == address
    assert prefix.toIPv4(address) == address

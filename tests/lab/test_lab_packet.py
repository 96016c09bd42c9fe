"""
Tests of L{tests.lab.packet}.
"""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from .packet import aged, checksum, destination, isIPv4, source, timeExceeded
from .packets import A, B, packet

_ROUTER = IPv4Address("192.0.2.254").packed


def test_addresses() -> None:
    """
    Source and destination are read from their places.
    """
    assert (source(packet()), destination(packet())) == (A, B)


def test_isIPv4() -> None:
    """
    Neither IPv6 nor a torn header is an IPv4 packet.
    """
    assert isIPv4(packet())
    assert not isIPv4(b"\x60" + bytes(39))
    assert not isIPv4(packet()[:19])


def test_checksumOfRFC1071() -> None:
    """
    The numerical example of RFC 1071 section 3: its sum is 0xddf2.
    """
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@given(st.integers(2, 255), st.integers(0, 65535), st.data())
def test_aged(ttl: int, mark: int, data: st.DataObject) -> None:
    """
    An aged packet is the one that would have been sent with the smaller time to
    live, checksum included.
    """
    hops = data.draw(st.integers(0, ttl - 1))
    assert aged(packet(ttl, mark=mark), hops) == packet(ttl - hops, mark=mark)


def test_tooOld() -> None:
    """
    A packet does not live to a time to live of zero.
    """
    assert aged(packet(ttl=4), 4) is None


def test_timeExceeded() -> None:
    """
    The answer goes from the router to the source, both its checksums are right,
    and it quotes the header and eight bytes.
    """
    old = packet(payload=b"12345678more")
    answer = timeExceeded(old, _ROUTER)
    assert answer is not None
    assert (source(answer), destination(answer)) == (_ROUTER, A)
    assert checksum(answer[:20]) == 0
    assert checksum(answer[20:]) == 0
    assert answer[20:22] == b"\x0b\x00"
    assert answer[28:] == old[:28]


def test_noErrorAboutICMP() -> None:
    """
    ICMP gets no time exceeded, so errors cannot breed errors.
    """
    assert timeExceeded(packet(protocol=1), _ROUTER) is None

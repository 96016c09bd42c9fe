"""
Tests of L{tests.lab.packet6}, and of what L{tests.lab.core} makes of such packets.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import packet as ip
from .core import ROUTER6, Core, Leg
from .packet import checksum
from .packet6 import (
    ICMP,
    aged,
    destination,
    isIPv6,
    packed,
    pseudoHeader,
    source,
    timeExceeded,
)
from .tcp import PROTOCOL, underOtherEnds

_A = IPv6Address("2001:db8:a::2").packed
_B = IPv6Address("2001:db8:b::2").packed


def packet(
    hops: int = 64, protocol: int = PROTOCOL, payload: bytes = b"12345"
) -> bytes:
    """
    A packet from A to B.
    """
    made = packed(protocol, _A + _B, payload)
    return made[:7] + bytes((hops,)) + made[8:]


def core() -> Core:
    """
    A core four hops wide between the networks of A (20 ms away) and B (30 ms away).
    """
    legs = [
        Leg("a", "198.51.100.1", 0.02, network="2001:db8:a::"),
        Leg("b", "203.0.113.1", 0.03, network="2001:db8:b::"),
    ]
    return Core(legs, 4)


def test_packet() -> None:
    """
    What was packed is read again.
    """
    assert isIPv6(packet())
    assert not isIPv6(packet()[:39])
    assert not isIPv6(ip.packed(PROTOCOL, bytes(8), bytes(40)))
    assert (source(packet()), destination(packet())) == (_A, _B)
    assert packet()[40:] == b"12345"


@given(st.integers(1, 255), st.integers(0, 255))
def test_aged(before: int, hops: int) -> None:
    """
    A packet that is older is the one that would have been sent with fewer hops left, or
    gone.
    """
    expected = packet(before - hops) if hops < before else None
    assert aged(packet(before), hops) == expected


def test_delivery() -> None:
    """
    A packet arrives at its network after both legs' latencies, four hops older.
    """
    delivery = core().carry("a", packet(64), 100.0)
    assert delivery is not None
    assert delivery.due == pytest.approx(100.05)
    assert delivery[1:] == ("b", packet(60))


def test_foreignSource() -> None:
    """
    What comes from no address of the sender's network goes nowhere: a link-local one,
    or one of the LAN's own.
    """
    assert core().carry("b", packet(), 0.0) is None
    for local in ("fe80::1", "fd00::1", "::"):
        ends = IPv6Address(local).packed + _B
        assert core().carry("a", packed(PROTOCOL, ends, b""), 0.0) is None


@pytest.mark.parametrize("size", [5, 6, 1400])
def test_timeExceeded(size: int) -> None:
    """
    What ran out of hops is answered by the core, one leg away; the answer's checksum is
    right, it quotes the packet, and is no longer than any link takes.
    """
    old = packet(4, payload=bytes(size))
    delivery = core().carry("a", old, 100.0)
    assert delivery is not None
    assert delivery.due == pytest.approx(100.04)
    answer = delivery.packet
    assert (delivery.leg, source(answer), destination(answer)) == (
        "a",
        ROUTER6.packed,
        _A,
    )
    assert answer[40:42] == b"\x03\x00"
    message = answer[40:]
    assert checksum(pseudoHeader(answer[8:40], ICMP, len(message)) + message) == 0
    assert old.startswith(message[8:][:45])
    assert len(answer) <= 1280


def test_noErrorAboutICMP() -> None:
    """
    ICMP gets no time exceeded, so errors cannot breed errors.
    """
    assert timeExceeded(packet(protocol=ICMP), ROUTER6.packed) is None


@given(st.binary(min_size=20, max_size=60).filter(lambda data: len(data) % 2 == 0))
def test_underOtherEnds(segment: bytes) -> None:
    """
    A segment that goes from IPv6 to IPv4 has a right checksum if it had one.
    """
    four = IPv4Address("192.0.2.1").packed + IPv4Address("203.0.113.1").packed
    bare = segment[:16] + bytes(2) + segment[18:]
    summed = checksum(pseudoHeader(_A + _B, PROTOCOL, len(bare)) + bare)
    whole = bare[:16] + summed.to_bytes(2, "big") + bare[18:]
    made = underOtherEnds(whole, _A + _B, four)
    pseudo = four + bytes((0, PROTOCOL)) + len(made).to_bytes(2, "big")
    assert checksum(pseudo + made) == 0

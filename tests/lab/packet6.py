"""
The IPv6 packet as a router sees it; what L{tests.lab.packet} has for IPv4.
"""

from __future__ import annotations

import struct

from .packet import checksum

_HEADER = 40
_TIME_EXCEEDED = 3
_MOST_QUOTED = 1280 - _HEADER - 8

ICMP = 58


def isIPv6(packet: bytes) -> bool:
    """
    Is this an IPv6 packet with a whole header?
    """
    return len(packet) >= _HEADER and packet[0] >> 4 == 6


def source(packet: bytes) -> bytes:
    """
    The sixteen bytes of the address that it comes from.
    """
    return packet[8:24]


def destination(packet: bytes) -> bytes:
    """
    The sixteen bytes of the address that it goes to.
    """
    return packet[24:40]


def aged(packet: bytes, hops: int) -> bytes | None:
    """
    The packet after C{hops} routers, or L{None} if one of them had to discard it.
    """
    if packet[7] <= hops:
        return None
    return packet[:7] + bytes((packet[7] - hops,)) + packet[8:]


def packed(protocol: int, ends: bytes, payload: bytes) -> bytes:
    """
    A new packet.

    @param ends: the sixteen bytes of the source's address, and the destination's.
    """
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload


def pseudoHeader(ends: bytes, protocol: int, size: int) -> bytes:
    """
    What the checksums of the layer above cover beside their own (RFC 8200 section
    8.1).
    """
    return ends + struct.pack("!IHBB", size, 0, 0, protocol)


def timeExceeded(packet: bytes, router: bytes) -> bytes | None:
    """
    What C{router} sends back for a packet whose hops ran out (RFC 4443 section 3.3),
    or L{None} if nothing may be sent: nobody answers an ICMP error.
    """
    if packet[6] == ICMP:
        return None
    quoted = packet[:_MOST_QUOTED]
    quoted += bytes(len(quoted) % 2)
    ends = router + source(packet)
    message = struct.pack("!BBHI", _TIME_EXCEEDED, 0, 0, 0) + quoted
    summed = checksum(pseudoHeader(ends, ICMP, len(message)) + message)
    return packed(ICMP, ends, message[:2] + summed.to_bytes(2, "big") + message[4:])

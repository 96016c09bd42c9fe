"""
The IPv4 packet as a router sees it: addresses, time to live, checksum.
"""

from __future__ import annotations

import struct

_HEADER = 20
_ICMP = 1
_TIME_EXCEEDED = 11


def isIPv4(packet: bytes) -> bool:
    """
    Is this an IPv4 packet with a whole header?
    """
    return len(packet) >= _HEADER and packet[0] >> 4 == 4


def source(packet: bytes) -> bytes:
    """
    The four bytes of the address that it comes from.
    """
    return packet[12:16]


def destination(packet: bytes) -> bytes:
    """
    The four bytes of the address that it goes to.
    """
    return packet[16:20]


def checksum(data: bytes) -> int:
    """
    The Internet checksum (RFC 1071) of an even number of bytes; 0 over data that
    holds its own right checksum.
    """
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def aged(packet: bytes, hops: int) -> bytes | None:
    """
    The packet after C{hops} routers, its checksum adjusted (RFC 1624), or
    L{None} if one of them had to discard it.
    """
    if packet[8] <= hops:
        return None
    total = (~int.from_bytes(packet[10:12], "big") & 0xFFFF) + 0xFFFF - (hops << 8)
    total = (total & 0xFFFF) + (total >> 16)
    return b"".join(
        (
            packet[:8],
            bytes((packet[8] - hops, packet[9])),
            (~total & 0xFFFF).to_bytes(2, "big"),
            packet[12:],
        )
    )


def timeExceeded(packet: bytes, router: bytes) -> bytes | None:
    """
    What C{router} sends back for a packet whose time to live ran out (RFC 792),
    or L{None} if nothing may be sent: nobody answers an ICMP error (RFC 1122).
    """
    if packet[9] == _ICMP:
        return None
    quoted = packet[: (packet[0] & 15) * 4 + 8]
    quoted += bytes(len(quoted) % 2)
    message = struct.pack("!BBHI", _TIME_EXCEEDED, 0, 0, 0) + quoted
    message = message[:2] + checksum(message).to_bytes(2, "big") + message[4:]
    header = struct.pack(
        "!BBHHHBBH4s4s",
        *(0x45, 0, _HEADER + len(message), 0, 0, 64, _ICMP, 0),
        *(router, source(packet)),
    )
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + message

"""
The IPv4 packet as a router sees it: addresses, time to live, checksum.
"""

from __future__ import annotations

import struct

_HEADER = 20
_TIME_EXCEEDED = 11
_UNREACHABLE, _PORT = 3, 3

ICMP = 1


def isIPv4(packet: bytes) -> bool:
    """
    Is this an IPv4 packet with a whole header?
    """
    return len(packet) >= _HEADER and packet[0] >> 4 == 4


def headerSize(packet: bytes) -> int:
    """
    How many bytes its IP header has.
    """
    return (packet[0] & 15) * 4


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
    return _complement(sum(_words(data)))


def aged(packet: bytes, hops: int) -> bytes | None:
    """
    The packet after C{hops} routers, its checksum adjusted (RFC 1624), or
    L{None} if one of them had to discard it.
    """
    if packet[8] <= hops:
        return None
    after = bytes((packet[8] - hops, packet[9]))
    summed = adjusted(packet[10:12], packet[8:10], after)
    return packet[:8] + after + summed + packet[12:]


def packed(
    protocol: int, ends: bytes, payload: bytes, ttl: int = 64, identification: int = 0
) -> bytes:
    """
    A new packet.

    @param ends: the four bytes of the source's address, and the destination's.
    """
    size = _HEADER + len(payload)
    header = struct.pack(
        "!BBHHHBBH8s", 0x45, 0, size, identification, 0, ttl, protocol, 0, ends
    )
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + payload


def adjusted(summed: bytes, before: bytes, after: bytes) -> bytes:
    """
    A checksum, when some of what it covers has changed (RFC 1624).
    """
    total: int = ~int.from_bytes(summed, "big") & 0xFFFF
    total += sum(0xFFFF - word for word in _words(before))
    total += sum(_words(after))
    return _complement(total).to_bytes(2, "big")


def _complement(total: int) -> int:
    """
    A sum of 16-bit words as a checksum: its carries added, its bits inverted.
    """
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"!{len(data) // 2}H", data)


def timeExceeded(packet: bytes, router: bytes) -> bytes | None:
    """
    What C{router} sends back for a packet whose time to live ran out (RFC 792),
    or L{None} if nothing may be sent: nobody answers an ICMP error (RFC 1122).
    """
    if packet[9] == ICMP:
        return None
    quoted = packet[: headerSize(packet) + 8]
    return icmpError((_TIME_EXCEEDED, 0), quoted, router + source(packet))


def portUnreachable(packet: bytes, router: bytes) -> bytes:
    """
    What C{router} sends back for a TCP segment that it refuses by ICMP.
    """
    quoted = packet[: headerSize(packet) + 8]
    return icmpError((_UNREACHABLE, _PORT), quoted, router + source(packet))


def icmpError(what: tuple[int, int], quoted: bytes, ends: bytes) -> bytes:
    """
    A packet with an ICMP error (RFC 792).

    @param what: type and code.
    @param quoted: of the packet that it is about, the header and eight bytes.
    """
    message = struct.pack("!BBHI", *what, 0, 0) + quoted + bytes(len(quoted) % 2)
    summed = checksum(message).to_bytes(2, "big")
    return packed(ICMP, ends, message[:2] + summed + message[4:])


def quotedIn(packet: bytes) -> bytes | None:
    """
    What an ICMP error quotes: the header and eight bytes of a packet; L{None} if
    this is none.
    """
    head = headerSize(packet)
    if packet[9] != ICMP or len(packet) < head + 8:
        return None
    if packet[head] not in (_UNREACHABLE, _TIME_EXCEEDED):
        return None
    quoted = packet[head + 8 :]
    if not isIPv4(quoted) or len(quoted) < headerSize(quoted) + 8:
        return None
    return quoted[: headerSize(quoted) + 8]

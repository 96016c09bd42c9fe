"""
The TCP segment in a packet, as a NAT sees it.
"""

from __future__ import annotations

import struct
from socket import inet_aton, inet_ntoa

from punch.testing.segment import Segment, SegmentKind, SocketAddress

from . import packet as ip

PROTOCOL = 6

_HEADER = 20
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_WORD = 0xFFFFFFFF


def isTCP(packet: bytes) -> bool:
    """
    Is this an IPv4 packet with a whole TCP header?
    """
    return (
        ip.isIPv4(packet)
        and packet[9] == PROTOCOL
        and len(packet) >= ip.headerSize(packet) + _HEADER
    )


def endsOf(packet: bytes) -> tuple[SocketAddress, SocketAddress]:
    """
    The addresses and ports that it comes from and goes to.
    """
    head = ip.headerSize(packet)
    source, destination = struct.unpack_from("!HH", packet, head)
    return (
        (inet_ntoa(packet[12:16]), source),
        (inet_ntoa(packet[16:20]), destination),
    )


def segmentOf(packet: bytes) -> Segment:
    """
    What the rules of a NAT need to know of it.
    """
    head = ip.headerSize(packet)
    source, destination = endsOf(packet)
    sequence, acknowledgment = struct.unpack_from("!II", packet, head + 4)
    flags = packet[head + 13]
    if not flags & (_SYN | _RST):
        return Segment(SegmentKind.ACK, source, destination)
    if flags & _RST:
        # The answer to a SYN has no sequence number, but the SYN's plus one.
        answers = flags & _ACK and not sequence
        acknowledged = (acknowledgment - 1) & _WORD
        return Segment(
            SegmentKind.RST,
            source,
            destination,
            None if answers else sequence,
            acknowledged,
        )
    kind = SegmentKind.SYN_ACK if flags & _ACK else SegmentKind.SYN
    return Segment(kind, source, destination, sequence)


def readdressed(
    packet: bytes, source: SocketAddress, destination: SocketAddress
) -> bytes:
    """
    The same from and to other addresses and ports, its checksums adjusted.
    """
    head = ip.headerSize(packet)
    before = packet[12:20] + packet[head : head + 4]
    hosts = inet_aton(source[0]) + inet_aton(destination[0])
    ports = struct.pack("!HH", source[1], destination[1])
    made = bytearray(packet)
    made[10:12] = ip.adjusted(packet[10:12], before[:8], hosts)
    made[12:20] = hosts
    made[head : head + 4] = ports
    place = slice(head + 16, head + 18)
    made[place] = ip.adjusted(packet[place], before, hosts + ports)
    return bytes(made)


def underOtherEnds(segment: bytes, before: bytes, after: bytes) -> bytes:
    """
    A segment whose packet gets other IP addresses: its checksum covers them.

    @param before: both addresses, of whatever family, one after the other.
    """
    place = slice(16, 18)
    made = bytearray(segment)
    made[place] = ip.adjusted(segment[place], before, after)
    return bytes(made)


def refusal(packet: bytes) -> bytes:
    """
    The RST that answers it (RFC 9293 section 3.10.7.1).
    """
    head = ip.headerSize(packet)
    source, destination = struct.unpack_from("!HH", packet, head)
    sequence, acknowledgment = struct.unpack_from("!II", packet, head + 4)
    flags = packet[head + 13]
    if flags & _ACK:
        numbers = (acknowledgment, 0, 5 << 4, _RST)
    else:
        size = len(packet) - head - (packet[head + 12] >> 4) * 4
        size += bool(flags & _SYN) + bool(flags & _FIN)
        numbers = (0, (sequence + size) & _WORD, 5 << 4, _RST | _ACK)
    made = struct.pack("!HHIIBBHHH", destination, source, *numbers, 0, 0, 0)
    ends = ip.destination(packet) + ip.source(packet)
    pseudo = ends + struct.pack("!HH", PROTOCOL, len(made))
    summed = ip.checksum(pseudo + made).to_bytes(2, "big")
    return ip.packed(PROTOCOL, ends, made[:16] + summed + made[18:])

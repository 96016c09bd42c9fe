"""
IPv4 and TCP packets made for tests.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from socket import inet_aton

from punch.testing.segment import SocketAddress

from .packet import checksum, packed

A = IPv4Address("198.51.100.1").packed
B = IPv4Address("203.0.113.1").packed

SYN, ACK, RST, FIN = 2, 16, 4, 1


def packet(
    ttl: int = 64, protocol: int = 6, payload: bytes = b"12345678", mark: int = 0
) -> bytes:
    """
    A packet from A to B with a right checksum; C{mark} is its identification.
    """
    return packed(protocol, A + B, payload, ttl, mark)


def tcpPacket(
    one: SocketAddress,
    other: SocketAddress,
    flags: int = SYN,
    numbers: tuple[int, int] = (1000, 0),
    payload: bytes = b"",
) -> bytes:
    """
    A packet from one to the other, its checksums right.
    """
    ends = inet_aton(one[0]) + inet_aton(other[0])
    head = (one[1], other[1], *numbers, 5 << 4, flags, 1024)
    made = struct.pack("!HHIIBBHHH", *head, 0, 0) + payload
    pseudo = ends + struct.pack("!HH", 6, len(made))
    summed = checksum(pseudo + made + bytes(len(made) % 2)).to_bytes(2, "big")
    return packed(6, ends, made[:16] + summed + made[18:])


def isRight(packet: bytes) -> bool:
    """
    Are both checksums those of its contents?
    """
    segment = packet[20:]
    pseudo = packet[12:20] + struct.pack("!HH", 6, len(segment))
    covered = pseudo + segment + bytes(len(segment) % 2)
    return checksum(packet[:20]) == checksum(covered) == 0

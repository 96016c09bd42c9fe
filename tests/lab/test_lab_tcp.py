"""
Tests of L{tests.lab.tcp}.
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.testing.segment import SegmentKind, SocketAddress

from .packet import destination, source
from .packets import ACK, FIN, RST, SYN, isRight, tcpPacket
from .tcp import isTCP, readdressed, refusal, segmentOf

A: SocketAddress = ("192.168.1.2", 5000)
B: SocketAddress = ("203.0.113.1", 443)


_addresses = st.tuples(st.ip_addresses(v=4).map(str), st.integers(0, 65535))


def test_isTCP() -> None:
    """
    Another protocol is not TCP, nor is a torn header.
    """
    whole = tcpPacket(A, B)
    assert isTCP(whole)
    assert not isTCP(whole[:39])
    assert not isTCP(whole[:9] + b"\x11" + whole[10:])


@given(_addresses, _addresses, _addresses, _addresses, st.binary(max_size=9))
def test_readdressed(
    one: SocketAddress,
    other: SocketAddress,
    newOne: SocketAddress,
    newOther: SocketAddress,
    payload: bytes,
) -> None:
    """
    A packet with other addresses and ports is the one that would have been sent
    from there to there, up to the two spellings of a checksum's zero.
    """
    made = readdressed(tcpPacket(one, other, ACK, payload=payload), newOne, newOther)
    wanted = tcpPacket(newOne, newOther, ACK, payload=payload)
    assert isRight(made)
    assert made[:10] + made[12:36] == wanted[:10] + wanted[12:36]
    assert made[38:] == wanted[38:]


@pytest.mark.parametrize(
    ("flags", "numbers", "kind", "known"),
    [
        (SYN, (7, 0), SegmentKind.SYN, (7, None)),
        (SYN | ACK, (7, 9), SegmentKind.SYN_ACK, (7, None)),
        (ACK, (7, 9), SegmentKind.ACK, (None, None)),
        (FIN | ACK, (7, 9), SegmentKind.ACK, (None, None)),
        (RST | ACK, (0, 8), SegmentKind.RST, (None, 7)),
        (RST, (9, 0), SegmentKind.RST, (9, 0xFFFFFFFF)),
    ],
)
def test_segmentOf(
    flags: int,
    numbers: tuple[int, int],
    kind: SegmentKind,
    known: tuple[int | None, int | None],
) -> None:
    """
    A NAT's rules hear the kind, and the numbers by which attempts are told apart:
    of a RST that answers a SYN, the SYN's.
    """
    segment = segmentOf(tcpPacket(A, B, flags, numbers))
    assert (segment.source, segment.destination) == (A, B)
    assert segment.kind is kind
    assert (segment.sequence, segment.acknowledgment) == known


@pytest.mark.parametrize(
    ("flags", "payload", "sequence", "acknowledgment"),
    [
        (SYN, b"", 0, 1001),
        (SYN, b"fast", 0, 1005),
        (ACK, b"data", 500, 0),
    ],
)
def test_refusal(
    flags: int, payload: bytes, sequence: int, acknowledgment: int
) -> None:
    """
    The RST goes back, its checksums right, with the numbers of RFC 9293.
    """
    refused = tcpPacket(A, B, flags, (1000, 500), payload)
    answer = refusal(refused)
    assert isRight(answer)
    assert (source(answer), destination(answer)) == (
        destination(refused),
        source(refused),
    )
    ports, numbers = struct.unpack_from("!HH", answer, 20), answer[24:32]
    assert ports == (B[1], A[1])
    assert numbers == struct.pack("!II", sequence, acknowledgment)
    assert answer[33] & RST

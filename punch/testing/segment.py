"""
The segments of a network in memory: those of TCP, and the one ICMP message that
matters to a connection attempt.
"""

from __future__ import annotations

from enum import Enum
from ipaddress import ip_address
from typing import Protocol, TypeAlias

SocketAddress: TypeAlias = tuple[str, int]
"""
An IP address in its canonical text form, and a port.
"""


def canonicalIP(host: str) -> str:
    """
    The canonical text form of an IP address, without a zone.

    @raise ValueError: C{host} is not an IP address.
    """
    return str(ip_address(host.partition("%")[0]))


class SegmentKind(Enum):
    """
    The kinds of segment.  Their values are tcpdump's abbreviations of the flags.
    """

    SYN = "S"
    SYN_ACK = "S."
    ACK = "."
    DATA = "P."
    RST = "R"
    UNREACHABLE = "icmp"


class Retransmitter(Protocol):
    """
    The sender of a segment, if it sends it again when it is lost.
    """

    def lost(self, segment: Segment) -> None:
        """
        Note that a segment is lost.
        """


class Segment:
    """
    One segment on its way.  NATs rewrite its addresses in place.

    Sequence numbers only tell one connection from another of the same four-tuple.

    @ivar sequence: the initial sequence number of the sending end; L{None} in a RST
        that answers a SYN.
    @ivar acknowledgment: the initial sequence number of the other end.
    @ivar offset: where in the sender's stream C{payload} begins.
    @ivar final: a FIN follows the payload.
    @ivar window: in an ACK, how many bytes of the stream have been consumed.
    @ivar error: in an UNREACHABLE, the C{errno} that it means to a socket.
    @ivar attempts: how many times this segment has been lost.
    @ivar lostAt: when it was first lost.
    """

    __slots__ = (
        "acknowledgment",
        "attempts",
        "destination",
        "error",
        "final",
        "kind",
        "lostAt",
        "offset",
        "payload",
        "sender",
        "sequence",
        "source",
        "window",
    )

    def __init__(
        self,
        kind: SegmentKind,
        source: SocketAddress,
        destination: SocketAddress,
        sequence: int | None = None,
        acknowledgment: int | None = None,
    ) -> None:
        self.kind = kind
        self.source = source
        self.destination = destination
        self.sequence = sequence
        self.acknowledgment = acknowledgment
        self.offset = 0
        self.payload = b""
        self.final = False
        self.window: int | None = None
        self.error = 0
        self.sender: Retransmitter | None = None
        self.attempts = 0
        self.lostAt = 0.0

    @property
    def isExpress(self) -> bool:
        """
        Whether it is of an established connection.  Nothing that happens to it on its
        way depends on the time, so it travels in one step.
        """
        return self.kind is SegmentKind.DATA or self.kind is SegmentKind.ACK

    @property
    def isHandshake(self) -> bool:
        """
        Whether it is one of those that a wire with duplicates delivers twice.
        """
        return self.kind is SegmentKind.SYN or self.kind is SegmentKind.SYN_ACK

    def duplicate(self) -> Segment:
        """
        A second copy of a handshake segment.
        """
        return Segment(
            self.kind,
            self.source,
            self.destination,
            self.sequence,
            self.acknowledgment,
        )

    def refusal(self) -> Segment:
        """
        The RST that answers this segment where no connection knows it (RFC 9293
        section 3.10.7.1).
        """
        answer = Segment(SegmentKind.RST, self.destination, self.source)
        if self.acknowledgment is None:
            answer.acknowledgment = self.sequence
        else:
            answer.sequence = self.acknowledgment
        return answer

    def unreachable(self, error: int) -> Segment:
        """
        The ICMP destination unreachable that answers this segment.
        """
        answer = Segment(SegmentKind.UNREACHABLE, self.destination, self.source)
        answer.acknowledgment = self.sequence
        answer.error = error
        return answer

    def __str__(self) -> str:
        """
        One line, after tcpdump's.
        """
        source, destination = (
            f"{host}.{port}" for host, port in (self.source, self.destination)
        )
        line = f"{source} > {destination}: {self.kind.value}"
        if self.final:
            line += "F"
        line += f" seq {self.sequence} ack {self.acknowledgment}"
        if self.kind is SegmentKind.DATA:
            line += f" at {self.offset} length {len(self.payload)}"
        if self.window is not None:
            line += f" consumed {self.window}"
        return line

"""
The user-space NAT: one that does what the kernel's cannot.

Its rules are those of the NAT in memory (L{punch.testing.translator}); here they
meet packets.  It forwards TCP, and lets ICMP errors in.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from socket import inet_aton
from typing import NamedTuple

from punch.testing import NATBehavior
from punch.testing.segment import Segment, SocketAddress
from punch.testing.translator import FilterVerdict, Translator

from . import packet as ip
from . import tcp


class Passage(NamedTuple):
    """
    What a packet has become: one that goes out, one that goes in, or nothing.
    """

    outward: bytes | None = None
    inward: bytes | None = None


class UserNAT:
    """
    A NAT between a leg of the wire and the party at its end.
    """

    def __init__(
        self,
        address: str,
        behavior: NATBehavior,
        seconds: Callable[[], float],
        random: Random,
    ) -> None:
        """
        @param address: the outside one.
        """
        self._translation = Translator(address, behavior, seconds, random)

    @property
    def address(self) -> str:
        """
        The outside address.
        """
        return self._translation.address

    def renumber(self, address: str) -> None:
        """
        It has another outside address from now on.
        """
        self._translation.address = address

    def forget(self, kept: str = "") -> None:
        """
        Forget everything, but for the sessions with one remote address.
        """
        self._translation.forget(kept)

    def leave(self, packet: bytes) -> Passage:
        """
        A packet comes from inside.
        """
        if not tcp.isTCP(packet):
            return Passage()
        segment = tcp.segmentOf(packet)
        if segment.destination[0] == self.address:
            verdict = self._translation.hairpin(segment)
            return Passage(inward=self._become(packet, segment, verdict))
        verdict = self._translation.outbound(segment)
        became = self._become(packet, segment, verdict)
        if verdict is FilterVerdict.PASS:
            return Passage(outward=became)
        return Passage(inward=became)

    def enter(self, packet: bytes) -> Passage:
        """
        A packet comes from outside.
        """
        if not tcp.isTCP(packet):
            return Passage(inward=self._error(packet))
        segment = tcp.segmentOf(packet)
        verdict = self._translation.inbound(segment)
        became = self._become(packet, segment, verdict)
        if verdict is FilterVerdict.PASS:
            return Passage(inward=became)
        return Passage(outward=became)

    def _become(
        self, packet: bytes, segment: Segment, verdict: FilterVerdict
    ) -> bytes | None:
        """
        What goes on: the packet translated, or the answer to it.
        """
        if verdict is FilterVerdict.PASS:
            return tcp.readdressed(packet, segment.source, segment.destination)
        if verdict is FilterVerdict.RESET:
            return tcp.refusal(packet)
        if verdict is FilterVerdict.REJECT:
            return ip.portUnreachable(packet, inet_aton(self.address))
        return None

    def _error(self, packet: bytes) -> bytes | None:
        """
        An ICMP error, made to be about what the inside has sent; L{None} if it is
        about something else.
        """
        quoted = ip.quotedIn(packet) if ip.isIPv4(packet) else None
        if quoted is None or quoted[9] != tcp.PROTOCOL:
            return None
        (host, port), _ = tcp.endsOf(quoted)
        mapping = self._translation.mappings.inbound(port)
        if mapping is None or host != self.address:
            return None
        return self._inward(packet, quoted, mapping.internal)

    def _inward(self, packet: bytes, quoted: bytes, inside: SocketAddress) -> bytes:
        head, address = ip.headerSize(quoted), inet_aton(inside[0])
        summed = ip.adjusted(quoted[10:12], quoted[12:16], address)
        about = quoted[:10] + summed + address + quoted[16:head]
        about += inside[1].to_bytes(2, "big") + quoted[head + 2 :]
        what = packet[ip.headerSize(packet) :][:2]
        return ip.icmpError((what[0], what[1]), about, ip.source(packet) + address)

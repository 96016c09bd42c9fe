"""
The core of the network: what becomes of each packet that a party sends.

Rules alone: the sockets and the clock are L{tests.lab.wire}'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from random import random
from typing import Any, NamedTuple, Protocol

from . import packet as ip
from . import packet6 as ip6

ROUTER = IPv4Address("192.0.2.254")
"""
Who says that a time to live ran out.
"""

ROUTER6 = IPv6Address("2001:db8:ffff::1")
"""
And by IPv6.
"""

_NETWORK = 8
"""
Bytes of an IPv6 address that are its network's, as everybody cuts them (RFC 4291).
"""


class Family(Protocol):
    """
    How packets of IPv4, or IPv6, are read (L{tests.lab.packet},
    L{tests.lab.packet6}).
    """

    def source(self, packet: bytes) -> bytes:
        """
        Where it comes from.
        """

    def destination(self, packet: bytes) -> bytes:
        """
        Where it goes to.
        """

    def aged(self, packet: bytes, hops: int) -> bytes | None:
        """
        The same after some routers.
        """

    def timeExceeded(self, packet: bytes, router: bytes) -> bytes | None:
        """
        What comes back if it has been under way for too long.
        """


def _familyOf(packet: bytes) -> tuple[Family, bytes] | None:
    """
    How to read a packet, and the router's address in its family.
    """
    if ip.isIPv4(packet):
        return ip, ROUTER.packed
    return (ip6, ROUTER6.packed) if ip6.isIPv6(packet) else None


@dataclass
class Leg:
    """
    The way between one party and the core.

    C{latency} is in seconds, one way; C{loss} is the fraction of packets lost,
    each way.  C{network}: the IPv6 network of 64 bits that is there, if one is.
    C{second}: another address of the party's, if it has one.
    """

    name: str
    address: str
    latency: float
    loss: float = 0.0
    network: str = ""
    second: str = ""


class Delivery(NamedTuple):
    """
    A packet to hand to the party at the end of a leg at an instant.
    """

    due: float
    leg: str
    packet: bytes


class Core:
    """
    Legs, and a number of routers between them.

    @ivar blocked: the pairs of legs between which nothing passes.
    """

    def __init__(
        self,
        legs: Iterable[Leg],
        hops: int,
        chance: Callable[[], float] = random,
    ) -> None:
        """
        @param hops: by how much a time to live shrinks on the way.
        @param chance: the dice for losses, each throw in [0, 1).
        """
        self.legs = {leg.name: leg for leg in legs}
        self.hops = hops
        self.blocked: set[frozenset[str]] = set()
        self._chance = chance
        self._find()

    def change(self, name: str, **changes: Any) -> None:
        """
        Give a leg another address, latency or loss from now on.
        """
        for field, value in changes.items():
            setattr(self.legs[name], field, value)
        self._find()

    def _find(self) -> None:
        self._byAddress = {
            IPv4Address(address).packed: leg
            for leg in self.legs.values()
            for address in (leg.address, leg.second)
            if address
        }
        for leg in self.legs.values():
            if leg.network:
                network = IPv6Address(leg.network).packed[:_NETWORK]
                self._byAddress[network] = leg

    def _at(self, address: bytes) -> Leg | None:
        """
        The leg that leads to an address.
        """
        return self._byAddress.get(address[:_NETWORK])

    def carry(self, name: str, packet: bytes, now: float) -> Delivery | None:
        """
        What becomes of a packet that a party sends: a delivery, to the other end
        or (time exceeded) back; or nothing.

        Only a party's own public address may be its source (RFC 2827): what
        leaves a NAT untranslated ends here, as it does in the Internet.
        """
        leg, read = self.legs[name], _familyOf(packet)
        if read is None:
            return None
        family, router = read
        if self._at(family.source(packet)) is not leg or self._lost(leg):
            return None
        there = self._at(family.destination(packet))
        older = family.aged(packet, self.hops)
        if older is None:
            answer = family.timeExceeded(packet, router)
            return (answer and Delivery(now + 2 * leg.latency, name, answer)) or None
        if there is None or self._isBlocked(leg, there) or self._lost(there):
            return None
        return Delivery(now + leg.latency + there.latency, there.name, older)

    def _isBlocked(self, leg: Leg, there: Leg) -> bool:
        return bool(self.blocked) and {leg.name, there.name} in self.blocked

    def _lost(self, leg: Leg) -> bool:
        return leg.loss > 0 and self._chance() < leg.loss

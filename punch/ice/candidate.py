"""
A candidate: an address at which a peer may be reached, and how it was found.

Kinds and priorities are those of ICE (RFC 8445 section 5.1) for TCP (RFC 6544
section 4).  The text form is that of the candidate attribute (RFC 8839 section 5.1,
RFC 6544 section 4.5).  There is one component, and C{tcptype} is always C{so}
(simultaneous open), since a peer listens on the port that it connects from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Address, IPv6Network

from punch.net.address import (
    Address,
    BadAddress,
    formatAddress,
    ipOf,
    isLocal,
    tcpAddress,
)

MAX_CANDIDATES = 16
"""
Candidates that are taken from one peer.
"""


class Kind(Enum):
    """
    How a candidate's address was found (RFC 8445 section 5.1.1).  Events show the
    values.
    """

    HOST = "host"
    SERVER_REFLEXIVE = "server-reflexive"
    PEER_REFLEXIVE = "peer-reflexive"
    PREDICTED = "predicted"
    """
    A port that the peer's NAT is likely to give it next; nobody has seen it yet.
    """
    RELAYED = "relayed"


_SHORT = {
    Kind.HOST: "host",
    Kind.SERVER_REFLEXIVE: "srflx",
    Kind.PEER_REFLEXIVE: "prflx",
    Kind.PREDICTED: "pred",
    Kind.RELAYED: "relay",
}
_TYPE_PREFERENCE = {
    Kind.HOST: 126,
    Kind.PEER_REFLEXIVE: 110,
    Kind.SERVER_REFLEXIVE: 100,
    Kind.PREDICTED: 90,
    Kind.RELAYED: 0,
}

_ATTRIBUTE = re.compile(
    r"candidate:(?P<foundation>[A-Za-z0-9+/]{1,32}) 1 TCP (?P<priority>[0-9]{1,10})"
    r" (?P<host>[0-9A-Fa-f.:]{2,45}) (?P<port>[0-9]{1,5})"
    r" typ (?P<type>host|srflx|prflx|pred) tcptype so(?: .{0,200})?"
)


class BadCandidate(ValueError):
    """
    The text is not a candidate attribute that we could connect to.
    """


@dataclass(frozen=True)
class Candidate:
    """
    One address of a peer, and how it was found.
    """

    kind: Kind
    address: Address

    @property
    def priority(self) -> int:
        """
        The priority of RFC 8445 section 5.1.2.1, with the local preference that RFC
        6544 gives simultaneous open.  IPv6 goes before IPv4 (RFC 8421).
        """
        family = 2 if isinstance(ipOf(self.address), IPv6Address) else 1
        localPreference = (4 << 13) + family
        return (_TYPE_PREFERENCE[self.kind] << 24) + (localPreference << 8) + 255

    @property
    def foundation(self) -> str:
        """
        A text that is the same for all candidates of one kind and address family (RFC
        8445 section 5.1.1.3).
        """
        return f"{_SHORT[self.kind]}{ipOf(self.address).version}"

    def __str__(self) -> str:
        return f"{formatAddress(self.address)} ({self.kind.value})"

    def toText(self) -> str:
        """
        Write the value of the candidate attribute.
        """
        return (
            f"candidate:{self.foundation} 1 TCP {self.priority}"
            f" {self.address.host} {self.address.port}"
            f" typ {_SHORT[self.kind]} tcptype so"
        )

    @classmethod
    def fromText(cls, text: str) -> Candidate:
        """
        Read the value of a candidate attribute.  The sender's priority is ignored.

        @raise BadCandidate: C{text} is not a candidate that we could connect to.
        """
        match = _ATTRIBUTE.fullmatch(text)
        if match is None:
            raise BadCandidate(text[:80])
        kind = next(kind for kind, short in _SHORT.items() if short == match["type"])
        try:
            return cls(kind, tcpAddress(match["host"], int(match["port"])))
        except BadAddress as bad:
            raise BadCandidate(text[:80]) from bad


_NEVER = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("224.0.0.0/3"),
    IPv6Network("::/128"),
    IPv6Network("ff00::/8"),
    # Without its zone a link-local address names no interface.
    IPv6Network("fe80::/10"),
)


def isUsableAddress(address: Address, overLoopback: bool) -> bool:
    """
    Whether we connect to this address of a peer at all: never to a multicast,
    broadcast or unspecified one.

    @param overLoopback: whether the peer was introduced over loopback; only then are
        loopback addresses used.
    """
    ip = ipOf(address)
    if ip.is_loopback:
        return overLoopback
    return not any(ip.version == net.version and ip in net for net in _NEVER)


def trustedAddresses(addresses: Sequence[Address]) -> list[Address]:
    """
    The addresses that a server may send us to, from a list that begins with its own.

    A server outside our own networks cannot send us to an address inside them.
    """
    if not addresses:
        return []
    first = addresses[0]
    isNear, overLoopback = isLocal(first), ipOf(first).is_loopback
    return [
        each
        for each in addresses
        if each.host == first.host
        or (isUsableAddress(each, overLoopback) and (isNear or not isLocal(each)))
    ]


def usableCandidates(
    offered: Iterable[Candidate], overLoopback: bool, most: int = MAX_CANDIDATES
) -> list[Candidate]:
    """
    The candidates of a peer that we use: each address once, the highest priority
    first, at most C{most}.

    If there are more, IPv4 and IPv6 get half of the places each, as far as they have
    candidates (RFC 8421 section 4), since a host may have dozens of IPv6 addresses.

    @param overLoopback: see L{isUsableAddress}.
    """
    byAddress: dict[Address, Candidate] = {}
    for candidate in sorted(offered, key=_byPriority):
        if isUsableAddress(candidate.address, overLoopback):
            byAddress.setdefault(candidate.address, candidate)
    ranks = {4: 0, 6: 0}
    byRank: list[tuple[int, Candidate]] = []
    for candidate in byAddress.values():
        version = ipOf(candidate.address).version
        byRank.append((ranks[version], candidate))
        ranks[version] += 1
    byRank.sort(key=lambda each: each[0])
    return sorted([each for _, each in byRank[:most]], key=_byPriority)


def _byPriority(candidate: Candidate) -> int:
    return -candidate.priority

"""
Gathering: the candidates of our own that the other side is told (RFC 8445 section
5.1.1).
"""

from __future__ import annotations

from collections.abc import Iterable

from punch.ice.candidate import MAX_CANDIDATES, Candidate, Kind, usableCandidates
from punch.net.address import Address, BadAddress, ipOf, tcpAddress


def gatherCandidates(
    ips: Iterable[str], port: int, observed: Address, elsewhere: Iterable[Address]
) -> tuple[Candidate, ...]:
    """
    The addresses of our interfaces, and those at which STUN servers see us.

    @param ips: those of the interfaces that may be used.
    @param port: the shared port.
    @param observed: our own address as the rendezvous sees it, which tells it itself.
    @param elsewhere: as STUN servers do.
    """
    overLoopback = ipOf(observed).is_loopback
    reflexive = [
        Candidate(Kind.SERVER_REFLEXIVE, each) for each in elsewhere if each != observed
    ]
    seen = usableCandidates(reflexive, overLoopback)
    # However many interfaces there are, what was asked for is told.
    own = usableCandidates(_own(ips, port), overLoopback, MAX_CANDIDATES - len(seen))
    return tuple(usableCandidates([*own, *seen], overLoopback))


def _own(ips: Iterable[str], port: int) -> list[Candidate]:
    offered = []
    for ip in ips:
        try:
            offered.append(Candidate(Kind.HOST, tcpAddress(ip, port)))
        except BadAddress:
            continue
    return offered

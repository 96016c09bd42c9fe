"""
Gathering: which candidates of our own we tell the peer (RFC 8445 section 5.1.1).
"""

from __future__ import annotations

from collections.abc import Iterable

from punch.ice.candidate import MAX_CANDIDATES, Candidate, Kind, usableCandidates
from punch.net.address import Address, BadAddress, ipOf, tcpAddress


def gatherCandidates(
    ips: Iterable[str], port: int, observed: Address, reflexive: Iterable[Address]
) -> tuple[Candidate, ...]:
    """
    Make candidates of our interfaces' addresses and of the addresses at which STUN
    servers see us, at most L{MAX_CANDIDATES}.

    @param ips: the IP addresses of the interfaces that may be used.
    @param port: the shared port.
    @param observed: our address as the rendezvous sees it.  It is left out, since the
        rendezvous tells the peer.
    @param reflexive: our addresses as STUN servers see them.
    """
    overLoopback = ipOf(observed).is_loopback
    seen = usableCandidates(
        (
            Candidate(Kind.SERVER_REFLEXIVE, each)
            for each in reflexive
            if each != observed
        ),
        overLoopback,
    )
    # STUN servers were asked for, so their answers go before interfaces.
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

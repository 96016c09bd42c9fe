"""
The NAT64 that we may be behind: how to find out, and what its prefix is.

Who reached the rendezvous over IPv6, and is seen by it at an IPv4 address, was
translated on the way.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from punch.address import Address, ipOf
from punch.resolve import resolve
from punch.synthesis import NAME, Prefix, prefixNamed, wellKnown

PATIENCE = 1.0
"""
Seconds that a resolver has to tell a prefix.
"""


async def prefixBetween(
    reactor: Any, rendezvous: Address, observed: Address
) -> Prefix | None:
    """
    The prefix of the NAT64 between us and the rendezvous; L{None} if there is no NAT64,
    or nobody tells.

    @param rendezvous: where we reached it.
    @param observed: where it sees us.
    """
    ours = ipOf(rendezvous)
    if not isinstance(ours, IPv6Address) or isinstance(ipOf(observed), IPv6Address):
        return None
    return wellKnown(ours) or await prefixAround(reactor)


async def prefixAround(reactor: Any) -> Prefix | None:
    """
    The prefix that our network's resolver knows; L{None} if it knows none.
    """
    found = resolve(reactor, NAME, 1).addTimeout(PATIENCE, IReactorTime(reactor))
    try:
        ips = [ipOf(each) for each in await found]
    except TimeoutError:
        return None
    return prefixNamed(each for each in ips if isinstance(each, IPv6Address))

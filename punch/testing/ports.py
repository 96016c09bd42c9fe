"""
The local ports of a host, which its sockets hold by Linux's rules.

Two sockets may share a port if both have SO_REUSEADDR and neither listens, or if both
have SO_REUSEPORT.  IPv4 and IPv6 are apart, as if every socket had IPV6_V6ONLY.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from errno import EADDRINUSE
from random import Random

EPHEMERAL = (32768, 60999)
"""
The first and the last port that is given to a socket which asks for any (Linux's
ip_local_port_range).
"""

WILDCARDS = {"0.0.0.0", "::"}


def socketError(number: int) -> OSError:
    """
    The exception that a socket raises for an C{errno}.
    """
    return OSError(number, os.strerror(number))


@dataclass(eq=False)
class Claim:
    """
    One socket's hold on a local address and port, with the socket's options.
    """

    host: str
    port: int
    reuseAddress: bool = False
    reusePort: bool = False
    isListening: bool = False

    def overlaps(self, other: Claim) -> bool:
        """
        Whether both are for one local address, on whatever port.
        """
        if (":" in self.host) != (":" in other.host):
            return False
        return self.host == other.host or not WILDCARDS.isdisjoint(
            (self.host, other.host)
        )

    def conflicts(self, other: Claim) -> bool:
        """
        Whether C{other}, which was there before, keeps this one out.
        """
        if not self.overlaps(other) or (self.reusePort and other.reusePort):
            return False
        return other.isListening or not (self.reuseAddress and other.reuseAddress)


class PortTable:
    """
    The claims of one host's sockets and connections.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._claims: dict[int, list[Claim]] = {}

    def claim(self, claim: Claim) -> Claim:
        """
        Hold a port; port 0 becomes one that nobody holds.

        @raise OSError: C{EADDRINUSE}.
        """
        if claim.port == 0:
            claim.port = self._ephemeral()
        self._check(claim)
        self._claims.setdefault(claim.port, []).append(claim)
        return claim

    def listen(self, claim: Claim) -> None:
        """
        Start to listen on a claim, which may conflict where it did not before.

        @raise OSError: C{EADDRINUSE}.
        """
        claim.isListening = True
        try:
            self._check(claim)
        except OSError:
            claim.isListening = False
            raise

    def share(self, claim: Claim, host: str) -> Claim:
        """
        Make the claim of an accepted connection: its listener's port and options.
        """
        child = Claim(host, claim.port, claim.reuseAddress, claim.reusePort)
        self._claims.setdefault(child.port, []).append(child)
        return child

    def release(self, claim: Claim) -> None:
        """
        Release a claim.  It does nothing if the claim was released before.
        """
        claims = self._claims.get(claim.port, [])
        if claim in claims:
            claims.remove(claim)
        if not claims:
            self._claims.pop(claim.port, None)

    def _check(self, claim: Claim) -> None:
        for other in self._claims.get(claim.port, ()):
            if other is not claim and claim.conflicts(other):
                raise socketError(EADDRINUSE)

    def _ephemeral(self) -> int:
        first, last = EPHEMERAL
        size = last - first + 1
        start = self._random.randrange(size)
        for step in range(size):
            port = first + (start + step) % size
            if port not in self._claims:
                return port
        raise socketError(EADDRINUSE)

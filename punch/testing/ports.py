"""
Which sockets of a host hold which local ports, by Linux's rules.

SO_REUSEADDR on both lets two sockets share a port as long as neither listens;
SO_REUSEPORT on both lets them share it whatever they do.  IPv4 and IPv6 are apart,
as if every socket had IPV6_V6ONLY.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from errno import EADDRINUSE
from random import Random

EPHEMERAL = (32768, 60999)
"""
The first and last port that is given to who does not ask for one (Linux's
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
    One socket's hold on a local address and port.
    """

    host: str
    port: int
    reuseAddress: bool = False
    reusePort: bool = False
    isListening: bool = False

    def overlaps(self, other: Claim) -> bool:
        """
        Do both stand for one local address?
        """
        if (":" in self.host) != (":" in other.host):
            return False
        return self.host == other.host or not WILDCARDS.isdisjoint(
            (self.host, other.host)
        )

    def conflicts(self, other: Claim) -> bool:
        """
        Does C{other}, which was there before, keep this one out?
        """
        if not self.overlaps(other) or (self.reusePort and other.reusePort):
            return False
        return other.isListening or not (self.reuseAddress and other.reuseAddress)


class PortTable:
    """
    The claims of one host.
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
        Begin to listen on a claim, which may conflict where it did not before.

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
        What an accepted connection holds: its listener's port and options.
        """
        child = Claim(host, claim.port, claim.reuseAddress, claim.reusePort)
        self._claims.setdefault(child.port, []).append(child)
        return child

    def release(self, claim: Claim) -> None:
        """
        Let go; harmless if it has been let go.
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

"""
The sides of the population: what a peer is behind, beyond L{tests.lab.nats}' kinds.

A side is some kernel NATs, the nearest to the peer first, and outside of them perhaps
one in user space, for what nftables cannot do.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, replace
from itertools import product
from random import Random

from punch.testing import Allocation, Filtering, Mapping, NATBehavior, Unsolicited

from .firewalls import OPEN, PROHIBITS, RESETS, SILENT
from .nats import DROP, FULL_CONE, RANDOM, RESET, kindsOf

REACHABLE = frozenset({80, 443})
"""
The ports that a side reaches which may only browse.
"""

_APD = Mapping.ADDRESS_AND_PORT_DEPENDENT
_ANYBODY = Filtering.ENDPOINT_INDEPENDENT
_RST = Unsolicited.RESET
_ANY = NATBehavior().ports

_PLAIN = NATBehavior(transitory=240.0)


@dataclass(frozen=True)
class Side:
    """
    What a peer is behind.

    C{kernel}: kinds of L{tests.lab.nats}.  C{behavior}: of the one in user space.
    C{block}: how many ports that one gives, somewhere in its range; 0: all.
    C{isPublic}: it is a firewall, and the peer has the public address itself.
    C{six}: the peer has IPv6, and this is the kind of its firewall
    (L{tests.lab.firewalls}).  C{isSixOnly}: it has nothing else.
    """

    kernel: tuple[str, ...] = ()
    behavior: NATBehavior | None = None
    block: int = 0
    isPublic: bool = False
    six: str = ""
    isSixOnly: bool = False

    @property
    def is64(self) -> bool:
        """
        Is what it is behind a NAT64?
        """
        return self.isSixOnly and self.behavior is not None

    @property
    def mayOnlyBrowse(self) -> bool:
        """
        Does it let out to L{REACHABLE} ports alone?
        """
        return self.behavior is not None and bool(self.behavior.reachable)

    def drawn(self, random: Random) -> NATBehavior | None:
        """
        The behavior, its block drawn.
        """
        if self.behavior is None or not self.block:
            return self.behavior
        first, last = _ANY
        start = random.randrange(first, last - self.block + 2, self.block)
        return replace(self.behavior, ports=(start, start + self.block - 1))


_IN_ORDER = replace(_PLAIN, mapping=_APD, allocation=Allocation.SEQUENTIAL)
_AT_RANDOM = replace(_PLAIN, mapping=_APD, allocation=Allocation.RANDOM)
_UNPRESERVED = replace(_PLAIN, allocation=Allocation.RANDOM)

P2025: AbstractMapping[str, Side] = {
    "pub": Side(),
    "fw": Side(behavior=_PLAIN, isPublic=True),
    "home-nf": Side((DROP,)),
    "home-nf-rst": Side((RESET,)),
    "home-poison": Side(behavior=replace(_PLAIN, unsolicited=_RST, poisoning=10.0)),
    "home-eif": Side(behavior=replace(_PLAIN, filtering=_ANYBODY, hairpin=True)),
    "home-adf": Side(behavior=replace(_PLAIN, filtering=Filtering.ADDRESS_DEPENDENT)),
    "home-eim": Side(behavior=_UNPRESERVED),
    "home-noso": Side(behavior=replace(_PLAIN, simultaneousOpen=False)),
    "home-seq": Side(behavior=replace(_IN_ORDER, crossTraffic=0.5)),
    "home-rnd": Side((RANDOM,)),
    # The home router in front of it lets anybody in too: the two layers together
    # are to filter as the class does, and one that filters would decide for both.
    "cgn-eif": Side(
        (FULL_CONE,), replace(_UNPRESERVED, filtering=_ANYBODY), block=2048
    ),
    "cgn-apdf": Side(behavior=replace(_UNPRESERVED, transitory=30.0), block=1024),
    "cell-blk": Side(behavior=replace(_AT_RANDOM, transitory=65.0), block=1024),
    "cell-rnd": Side((RANDOM,)),
    "corp-vpn": Side(behavior=replace(_AT_RANDOM, unsolicited=_RST)),
    "corp-block": Side(behavior=replace(_PLAIN, unsolicited=_RST, reachable=REACHABLE)),
}
"""
The classes of today's population, by name.
"""

P2005_MAPPINGS = {"ei": _PLAIN, "next": _IN_ORDER, "random": _AT_RANDOM}

P2005_FILTERINGS = {
    "apd": Filtering.ADDRESS_AND_PORT_DEPENDENT,
    "ad": Filtering.ADDRESS_DEPENDENT,
    "ei": _ANYBODY,
}

P2005_ANSWERS = {"drop": Unsolicited.DROP, "rst": _RST}

P2005_OPENINGS = {"so": True, "noso": False}


def p2005Name(mapping: str, filtering: str, answer: str, opening: str) -> str:
    """
    The name of a class of 2005's population: C{ei/apd/drop/so} and so on.
    """
    return "/".join((mapping, filtering, answer, opening))


P2005: AbstractMapping[str, Side] = {
    p2005Name(*names): Side(
        behavior=replace(
            P2005_MAPPINGS[names[0]],
            filtering=P2005_FILTERINGS[names[1]],
            unsolicited=P2005_ANSWERS[names[2]],
            simultaneousOpen=P2005_OPENINGS[names[3]],
        )
    )
    for names in product(
        P2005_MAPPINGS, P2005_FILTERINGS, P2005_ANSWERS, P2005_OPENINGS
    )
}
"""
The classes of the population of 2005, every combination of four properties, by name.
"""

IPV6: AbstractMapping[str, Side] = {
    "v6-open": Side((RANDOM,), six=OPEN),
    "v6-drop": Side((RANDOM,), six=SILENT),
    "v6-reject": Side((RANDOM,), six=RESETS),
    "v6-prohibit": Side((RANDOM,), six=PROHIBITS),
    "v6-home": Side((DROP,), six=SILENT),
    "v6-only": Side((DROP,), six=SILENT, isSixOnly=True),
    "nat64": Side(behavior=_UNPRESERVED, six=OPEN, isSixOnly=True),
}
"""
Sides that have IPv6, by name.  Where there is IPv4 too its NAT is as bad as can be, but
for C{v6-home}.
"""

OTHERS: AbstractMapping[str, Side] = {
    "carrier": Side(behavior=_PLAIN),
    "carrier-rst": Side(behavior=replace(_PLAIN, unsolicited=_RST)),
    "carrier-hairpin": Side(behavior=replace(_PLAIN, hairpin=True)),
    "home-adm": Side(
        behavior=replace(
            _PLAIN,
            mapping=Mapping.ADDRESS_DEPENDENT,
            allocation=Allocation.SEQUENTIAL,
        )
    ),
}
"""
Those of neither population, by name.
"""

_ALL = {**P2005, **P2025, **IPV6, **OTHERS}


def sideOf(kind: str) -> Side:
    """
    The side of that name: one of the population's, or of L{tests.lab.nats}' kinds.
    """
    return _ALL.get(kind) or Side(kindsOf(kind))

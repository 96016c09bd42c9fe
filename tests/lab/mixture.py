"""
The mixtures: populations of peers, by how common each class is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from random import Random

from .sides import p2005Name

MAPPING = {"ei": 70.1, "next": 23.5, "random": 6.4}
FILTERING = {"apd": 81.9, "ad": 12.3, "ei": 5.8}
ANSWER = {"drop": 87.0, "rst": 13.0}
OPENING = {"so": 86.4, "noso": 13.6}


@dataclass(frozen=True)
class Pair:
    """
    A listener and a dialer, by their sides.

    C{seed}: of all that is drawn for them.
    """

    index: int
    listener: str
    dialer: str
    seed: str


@dataclass(frozen=True)
class Mixture:
    """
    Sides (L{tests.lab.sides}) and their weights, in percent.
    """

    name: str
    weights: Mapping[str, float]

    def pair(self, seed: str, index: int) -> Pair:
        """
        Draw a pair; it depends on nothing but the seed and the index.
        """
        own = f"{seed}/{index}"
        names, weights = list(self.weights), list(self.weights.values())
        listener, dialer = Random(own).choices(names, weights, k=2)
        return Pair(index, listener, dialer, own)


def _product() -> dict[str, float]:
    """
    What 2005's four properties come to if they are independent.
    """
    weights = {}
    for names in product(MAPPING, FILTERING, ANSWER, OPENING):
        m, f, a, o = names
        share = MAPPING[m] * FILTERING[f] * ANSWER[a] * OPENING[o]
        weights[p2005Name(*names)] = share / 100**3
    return weights


P2025 = Mixture(
    "P-2025",
    {
        "pub": 4,
        "fw": 3,
        "home-nf": 30,
        "home-nf-rst": 5,
        "home-poison": 3,
        "home-eif": 6,
        "home-adf": 4,
        "home-eim": 5,
        "home-noso": 6,
        "home-seq": 3,
        "home-rnd": 4,
        "cgn-eif": 8,
        "cgn-apdf": 6,
        "cell-blk": 7,
        "cell-rnd": 3,
        "corp-vpn": 2,
        "corp-block": 1,
    },
)

P2005 = Mixture("P-2005", _product())

MIXTURES = {mixture.name: mixture for mixture in (P2025, P2005)}

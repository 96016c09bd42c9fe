"""
Tests of L{tests.lab.sides}.
"""

from __future__ import annotations

from random import Random

import pytest

from .nats import KINDS, kindsOf
from .sides import IPV6, P2005, P2025, Side, sideOf


def test_counts() -> None:
    """
    Today's classes are seventeen, 2005's all combinations of four properties.
    """
    assert (len(P2025), len(P2005)) == (17, 36)
    assert not {*P2025, *P2005} & {*KINDS}
    assert not {*IPV6} & {*P2025, *P2005, *KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_kernelKinds(kind: str) -> None:
    """
    The kinds of the kernel's NATs are sides, without one in user space.
    """
    assert sideOf(kind) == Side(kindsOf(kind))


@pytest.mark.parametrize("seed", range(20))
def test_drawn(seed: int) -> None:
    """
    A block has its size and lies among the ports that NATs give.
    """
    drawn = P2025["cgn-eif"].drawn(Random(seed))
    assert drawn is not None
    first, last = drawn.ports
    assert 1024 <= first < last <= 65535
    assert last - first == 2047


def test_mayOnlyBrowse() -> None:
    """
    There is one class that must reach the rendezvous at port 443.
    """
    assert [name for name, side in P2025.items() if side.mayOnlyBrowse] == [
        "corp-block"
    ]

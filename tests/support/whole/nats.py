"""
NATs that do and do not keep ports, for whole peers behind them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from punch.testing import (
    Allocation,
    Filtering,
    Mapping,
    MemoryHost,
    NATBehavior,
    Unsolicited,
)

from .world import HOP, LEG, World

KEEPS = NATBehavior(strict=True)
ANSWERS = NATBehavior(unsolicited=Unsolicited.RESET, strict=True)
_MOVES: dict[str, Any] = {
    "mapping": Mapping.ADDRESS_AND_PORT_DEPENDENT,
    "strict": True,
}
DEAF = NATBehavior(strict=True, simultaneousOpen=False)
NEXT = NATBehavior(allocation=Allocation.SEQUENTIAL, **_MOVES)
NEXT_ANSWERS = replace(NEXT, unsolicited=Unsolicited.RESET)
LAX = NATBehavior(
    allocation=Allocation.SEQUENTIAL, filtering=Filtering.ADDRESS_DEPENDENT, **_MOVES
)
BLOCK = NATBehavior(allocation=Allocation.RANDOM, ports=(20480, 21503), **_MOVES)
RANDOM = NATBehavior(allocation=Allocation.RANDOM, **_MOVES)


def behind(world: World, behavior: NATBehavior) -> MemoryHost:
    """
    A host behind a NAT of its own.
    """
    return world.nested([behavior], {"latency": HOP}, LEG - HOP)


def apart(
    listener: NATBehavior, dialer: NATBehavior, seed: int = 1, looks: bool = True
) -> World:
    """
    A world whose listener and dialer are each behind a NAT of its own.

    @param looks: whether the rendezvous observes them at a second port, too.
    """
    world = World(seed)
    if looks:
        world.rendezvous.look()
    return world.cast(behind(world, listener), behind(world, dialer))

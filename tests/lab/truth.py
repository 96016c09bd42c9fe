"""
The truth about a pair: why it can't be direct, by what its sides are.
"""

from __future__ import annotations

from enum import Enum

from punch.reasons import Reason
from punch.testing import Allocation, Mapping

from .nats import RANDOM
from .sides import Side, sideOf


class Ports(Enum):
    """
    What becomes of a peer's port.
    """

    KEPT = "kept"
    NEXT = "the next"
    ANY = "any"


def portsOf(side: Side) -> Ports:
    """
    What a side does with ports.
    """
    behavior = side.behavior
    if RANDOM in side.kernel:
        return Ports.ANY
    if behavior is None or behavior.mapping is Mapping.ENDPOINT_INDEPENDENT:
        return Ports.KEPT
    isNext = behavior.allocation is Allocation.SEQUENTIAL
    return Ports.NEXT if isNext else Ports.ANY


def causeOf(listener: str, dialer: str) -> Reason | None:
    """
    Why two sides, by their names, are not direct; C{None}: they may well be.
    """
    first, second = sideOf(listener), sideOf(dialer)
    if first.mayOnlyBrowse:
        return Reason.LISTENER_BLOCKS_OUTBOUND
    if second.mayOnlyBrowse:
        return Reason.DIALER_BLOCKS_OUTBOUND
    ports = {portsOf(first), portsOf(second)}
    if ports == {Ports.ANY}:
        return Reason.BOTH_RANDOM_MAPPING
    if ports == {Ports.ANY, Ports.NEXT}:
        return Reason.RANDOM_AGAINST_SEQUENTIAL
    if _areDeaf(first, second):
        return Reason.NO_SIMULTANEOUS_OPEN
    if Ports.ANY in ports:
        return Reason.SEARCH_FAILED
    if Ports.NEXT in ports:
        return Reason.PREDICTION_FAILED
    return None


def _areDeaf(*sides: Side) -> bool:
    """
    Whether none lets a connection in that meets one of ours.
    """
    return all(
        each.behavior is not None and not each.behavior.simultaneousOpen
        for each in sides
    )

"""
How a NAT translates ports, as far as those who look from outside can tell (RFC 4787
section 4.1 and 4.2, RFC 5780 section 4.3).

What matters to a peer is whether its shared port looks the same from everywhere, and
if not, which port it will be next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

from punch.net.address import Address


class Mapping(Enum):
    """
    When two connections from one inside port share one outside port (RFC 4787
    section 4.1).
    """

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"


class Allocation(Enum):
    """
    Which outside port a new mapping gets (RFC 4787 section 4.2).
    """

    PRESERVE = "preserve"
    """
    The inside one, or if that is taken the next free one.
    """

    SEQUENTIAL = "sequential"
    RANDOM = "random"


ALL_PORTS = (1024, 65535)
"""
Where a NAT takes ports from, if nothing else is known.
"""

_LONGEST_STEP = 8
"""
Ports by which those of a sequential NAT are apart on average, at most: others use it
too.
"""

_BLOCKS = tuple(1 << bits for bits in range(8, 14))
"""
Sizes of blocks that a NAT may give one host (RFC 7422 has them in the thousands).
"""


class BadBehavior(ValueError):
    """
    This does not describe a translation.
    """


@dataclass(frozen=True)
class ObservedBehavior:
    """
    What is known of one peer's NATs.

    C{step}: ports from one mapping to the next, 0 if they don't follow each other.
    C{ports}: the first and the last that a mapping may have.
    """

    mapping: Mapping
    allocation: Allocation = Allocation.PRESERVE
    step: int = 0
    ports: tuple[int, int] = ALL_PORTS

    @property
    def isEndpointIndependent(self) -> bool:
        """
        Whether the shared port looks the same from everywhere.
        """
        return self.mapping is Mapping.ENDPOINT_INDEPENDENT

    @property
    def isSequential(self) -> bool:
        """
        Whether the next port can be foretold.
        """
        return (
            not self.isEndpointIndependent and self.allocation is Allocation.SEQUENTIAL
        )

    @property
    def isRandom(self) -> bool:
        """
        Whether the next port may be any.
        """
        return not self.isEndpointIndependent and self.allocation is Allocation.RANDOM

    def toFields(self) -> dict[str, Any]:
        """
        The fields in which the other side is told.
        """
        return {
            "mapping": self.mapping.value,
            "allocation": self.allocation.value,
            "step": self.step,
            "ports": list(self.ports),
        }

    @classmethod
    def fromFields(cls, fields: Any) -> ObservedBehavior:
        """
        Read what the other side tells.

        @raise BadTranslation: it is nothing of the kind.
        """
        try:
            mapping = Mapping(fields["mapping"])
            allocation = Allocation(fields["allocation"])
            first, last = fields["ports"]
            step = fields["step"]
        except (ValueError, TypeError, KeyError) as bad:
            raise BadBehavior("not the shape of a translation") from bad
        numbers = [first, last, step]
        if not all(type(each) is int for each in numbers):
            raise BadBehavior("ports and steps are whole numbers")
        if not 0 < first <= last < 65536 or not 0 <= step <= _LONGEST_STEP:
            raise BadBehavior(f"ports {first} to {last}, by {step}")
        return cls(mapping, allocation, step, (first, last))


def describeAllocation(known: ObservedBehavior) -> str:
    """
    How a NAT chooses ports, for a person.
    """
    if known.allocation is Allocation.PRESERVE:
        return "preserves the port"
    if known.allocation is Allocation.SEQUENTIAL:
        return f"sequential, step {known.step}"
    first, last = known.ports
    if known.ports == ALL_PORTS:
        return "random, from the whole range"
    return f"random, from the block {first} to {last}"


def mappingOf(seen: Sequence[tuple[Address, Address]]) -> Mapping | None:
    """
    How one port of ours is mapped.

    @param seen: by which addresses it was seen, and as what.
    @return: C{None} if fewer than two have seen it.
    """
    if len({observer for observer, _ in seen}) < 2:
        return None
    if len({mapped for _, mapped in seen}) == 1:
        return Mapping.ENDPOINT_INDEPENDENT
    byHost: dict[str, set[Address]] = {}
    for observer, mapped in seen:
        byHost.setdefault(observer.host, set()).add(mapped)
    counts = [len(each) for each in byHost.values()]
    if len(seen) > len(counts) and max(counts) == 1:
        return Mapping.ADDRESS_DEPENDENT
    return Mapping.ADDRESS_AND_PORT_DEPENDENT


def behaviorFromPorts(mapping: Mapping, ports: Sequence[int]) -> ObservedBehavior:
    """
    A NAT that gives a new outside port where we want another, from some that it gave.

    @param ports: at least two, from about one moment.
    """
    found = sorted(ports)
    gaps = [after - before for before, after in pairwise(found)]
    steps = [gap for gap in gaps if gap > 0]
    if steps and sum(gaps) <= _LONGEST_STEP * len(gaps):
        return ObservedBehavior(mapping, Allocation.SEQUENTIAL, min(steps))
    ports = _blockOf(found[0], found[-1])
    return ObservedBehavior(mapping, Allocation.RANDOM, ports=(ports[0], ports[1]))


def foreignMappings(ports: Sequence[int], step: int) -> int:
    """
    How many mappings others made while a sequential NAT gave us these ports.
    """
    found = sorted(set(ports))
    return max(0, (found[-1] - found[0]) // step - (len(found) - 1))


def _blockOf(lowest: int, highest: int) -> tuple[int, int]:
    """
    The smallest block that has both, if there is one of a size that blocks have.
    """
    for size in _BLOCKS:
        if lowest // size == highest // size:
            first = lowest // size * size
            return first, first + size - 1
    return ALL_PORTS

"""
NAT behavior: how a NAT maps and allocates ports, as far as observers outside can tell
(RFC 4787 sections 4.1 and 4.2, RFC 5780 section 4.3).

What matters to a peer is whether its shared port has one outside port for everybody,
and if not, which port the next connection will get.
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
    When two connections from one internal port share one external port (RFC 4787
    section 4.1).
    """

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"


class Allocation(Enum):
    """
    Which external port a new mapping gets (RFC 4787 section 4.2).
    """

    PRESERVE = "preserve"
    """
    The internal port, or the next free one if that is taken.
    """

    SEQUENTIAL = "sequential"
    RANDOM = "random"


ALL_PORTS = (1024, 65535)
"""
The first and last port that a NAT may allocate, if nothing else is known.
"""

_LONGEST_STEP = 8
"""
Ports from one to the next of a NAT that counts as sequential, at most, on average;
others use the NAT, too.
"""

_BLOCKS = tuple(1 << bits for bits in range(8, 14))
"""
Sizes of the blocks of ports that a NAT may give one host (RFC 7422 has them in the
thousands).
"""


class BadBehavior(ValueError):
    """
    The fields do not describe the behavior of a NAT.
    """


@dataclass(frozen=True)
class ObservedBehavior:
    """
    What is known of one peer's NATs, as if they were one.

    A L{punch.nat.discovery.BehaviorDiscovery} finds it, and each peer tells the other.

    @ivar step: ports from one mapping to the next; 0 if the NAT is not sequential.
    @ivar ports: the first and the last port that a mapping may get.
    """

    mapping: Mapping
    allocation: Allocation = Allocation.PRESERVE
    step: int = 0
    ports: tuple[int, int] = ALL_PORTS

    @property
    def isEndpointIndependent(self) -> bool:
        """
        Whether the shared port has the same external port for everybody.
        """
        return self.mapping is Mapping.ENDPOINT_INDEPENDENT

    @property
    def isSequential(self) -> bool:
        """
        Whether the next external port can be predicted.
        """
        return (
            not self.isEndpointIndependent and self.allocation is Allocation.SEQUENTIAL
        )

    @property
    def isRandom(self) -> bool:
        """
        Whether the next external port may be any of C{ports}.
        """
        return not self.isEndpointIndependent and self.allocation is Allocation.RANDOM

    def toFields(self) -> dict[str, Any]:
        """
        The JSON fields that tell the other side.
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
        Read the JSON fields that the other side sent.

        @raise BadBehavior: they do not describe the behavior of a NAT.
        """
        try:
            mapping = Mapping(fields["mapping"])
            allocation = Allocation(fields["allocation"])
            first, last = fields["ports"]
            step = fields["step"]
        except (ValueError, TypeError, KeyError) as bad:
            raise BadBehavior("not the shape of a NAT's behavior") from bad
        numbers = [first, last, step]
        if not all(type(each) is int for each in numbers):
            raise BadBehavior("ports and steps are whole numbers")
        if not 0 < first <= last < 65536 or not 0 <= step <= _LONGEST_STEP:
            raise BadBehavior(f"ports {first} to {last}, by {step}")
        return cls(mapping, allocation, step, (first, last))


def describeAllocation(known: ObservedBehavior) -> str:
    """
    How a NAT allocates ports, in words for people.
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
    How one port of ours is mapped (RFC 5780 section 4.3).

    @param seen: pairs of an observer's address and the address at which it saw us.
    @return: C{None} if there are fewer than two observers.
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
    The behavior of a NAT whose mapping is not endpoint-independent.

    @param ports: at least two external ports that it allocated at about one time.
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
    How many mappings others made while a sequential NAT allocated C{ports} for us.
    """
    found = sorted(set(ports))
    return max(0, (found[-1] - found[0]) // step - (len(found) - 1))


def _blockOf(lowest: int, highest: int) -> tuple[int, int]:
    """
    The smallest block of L{_BLOCKS}' sizes that has both ports; else all ports.
    """
    for size in _BLOCKS:
        if lowest // size == highest // size:
            first = lowest // size * size
            return first, first + size - 1
    return ALL_PORTS

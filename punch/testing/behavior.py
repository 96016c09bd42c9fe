"""
The behavior of a NAT in memory, in the words of RFC 4787 and RFC 5382.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from enum import Enum

from punch.nat.behavior import Allocation, Mapping


class Filtering(Enum):
    """
    Which remote addresses a SYN to an outside port may come from (RFC 4787 section 5).
    """

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"


class Unsolicited(Enum):
    """
    What a NAT does with a SYN that it does not let in (RFC 5382 section 4.3).
    """

    DROP = "drop"
    RESET = "reset"
    REJECT = "reject"
    """
    Answered with an ICMP port unreachable.
    """


@dataclass(frozen=True)
class NATBehavior:
    """
    How one NAT behaves, for L{MemoryNetwork.nat<punch.testing.MemoryNetwork.nat>}.

    @ivar mapping: for which remote addresses a host keeps its outside port.
    @ivar filtering: from which remote addresses a SYN is let in.
    @ivar unsolicited: what happens to a SYN that is not let in.
    @ivar allocation: how outside ports are chosen.
    @ivar hairpin: whether inside hosts reach each other by outside addresses (RFC 4787
        section 6).
    @ivar simultaneousOpen: whether it lets in a SYN while a SYN from inside is
        unanswered (RFC 5382 section 4.2 demands it).
    @ivar strict: whether it drops a SYN-ACK from inside when its sequence number is not
        that of the last SYN to the same remote address, as Linux does.  A listener
        sends such a SYN-ACK after a connection attempt from its port has ended.
    @ivar lifetime: seconds without a segment after which a mapping is forgotten (RFC
        5382 section 5 demands 2 h 4 min).
    @ivar transitory: the same for a mapping that nothing has answered yet (RFC 5382
        demands 4 min); L{None} if it is not shorter.
    @ivar ports: the first and the last outside port that it allocates.
    @ivar crossTraffic: how many outside ports per second other hosts behind it take,
        which shows if the allocation is sequential.
    @ivar poisoning: seconds after it has refused a SYN for which nothing passes between
        that outside port and that remote address.
    @ivar reachable: the remote ports that hosts behind it can connect to; empty for
        all.  A SYN to another port is answered as if it were unsolicited.
    """

    mapping: Mapping = Mapping.ENDPOINT_INDEPENDENT
    filtering: Filtering = Filtering.ADDRESS_AND_PORT_DEPENDENT
    unsolicited: Unsolicited = Unsolicited.DROP
    allocation: Allocation = Allocation.PRESERVE
    hairpin: bool = False
    simultaneousOpen: bool = True
    strict: bool = False
    lifetime: float = 7440.0
    transitory: float | None = None
    ports: tuple[int, int] = (1024, 65535)
    crossTraffic: float = 0.0
    poisoning: float = 0.0
    reachable: frozenset[int] = frozenset()


NAT_KINDS: AbstractMapping[str, NATBehavior | None] = {
    "none": None,
    "drop": NATBehavior(strict=True),
    "reset": NATBehavior(unsolicited=Unsolicited.RESET, strict=True),
    "reject": NATBehavior(unsolicited=Unsolicited.REJECT, strict=True),
    "full-cone": NATBehavior(filtering=Filtering.ENDPOINT_INDEPENDENT),
    "random": NATBehavior(
        mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT,
        allocation=Allocation.RANDOM,
        strict=True,
    ),
}
"""
The kinds of NAT that the namespaces laboratory has too, by name; C{"none"} is a public
address.
"""

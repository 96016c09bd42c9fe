"""
How a NAT behaves, in the words of RFC 4787 and RFC 5382.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from enum import Enum

from punch.nat.behavior import Allocation, Mapping


class Filtering(Enum):
    """
    From whom a SYN to an outside port is let in (RFC 4787 section 5).
    """

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"


class Unsolicited(Enum):
    """
    What becomes of a SYN that is not let in (RFC 5382 section 4.3).
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
    How a NAT behaves.

    @ivar hairpin: whether inside reaches inside by outside addresses (RFC 4787
        section 6).
    @ivar simultaneousOpen: whether it lets in a SYN while one of ours is
        unanswered (RFC 5382 section 4.2 demands it).
    @ivar strict: whether it drops our SYN-ACK when its sequence number is not the
        one of our last SYN to the same remote address, as Linux does: the answer
        of a listener in the place of a connection attempt that has died.
    @ivar lifetime: seconds of silence after which a mapping is forgotten (RFC 5382
        section 5 demands 2 h 4 min).
    @ivar transitory: the same for one that nobody has answered (RFC 5382 demands
        4 min); L{None}: it is not shorter.
    @ivar ports: the first and last outside port it gives.
    @ivar crossTraffic: how many outside ports a second others behind it take, which
        shows if the allocation is sequential.
    @ivar poisoning: for how many seconds after it has refused a SYN nothing passes
        between that outside port and the remote one.
    @ivar reachable: the remote ports that can be connected to; none: all.  What goes
        to another is answered as if it were unsolicited.
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
The kinds of the namespaces laboratory, by name; C{"none"} is a public address.
"""

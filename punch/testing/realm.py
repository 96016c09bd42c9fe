"""
Address realms (RFC 2663 section 2.1): the public one, and one inside each NAT.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

from punch.testing.segment import Segment

Step: TypeAlias = "tuple[float, Hop]"
"""
In how many seconds a segment is where.
"""


class Hop(Protocol):
    """
    Where a segment may be on its way.
    """

    @property
    def isEnd(self) -> bool:
        """
        Is this a host?
        """

    def accept(self, segment: Segment) -> Step | None:
        """
        A segment is here: pass it on, deliver it or drop it.
        """


class Node(Hop, Protocol):
    """
    What has an address in a realm: a host, or a NAT's outer face.
    """

    def leg(self) -> float | None:
        """
        How long a segment takes over its link; L{None} if it is lost.
        """


class Gateway(Protocol):
    """
    The way out of a realm.
    """

    def leave(self, segment: Segment) -> Step | None:
        """
        A segment is for nobody in the realm.
        """

    def drop(self, segment: Segment) -> None:
        """
        A segment is lost.
        """


class Realm:
    """
    Nodes that reach each other by address.

    @ivar blocked: pairs of addresses between which everything vanishes.
    """

    isEnd = False

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._nodes: dict[str, Node] = {}
        self.blocked: set[frozenset[str]] = set()

    def attach(self, address: str, node: Node) -> None:
        """
        Give a node an address.

        @raise ValueError: it is another's.
        """
        if address in self._nodes:
            raise ValueError(f"{address} is taken")
        self._nodes[address] = node

    def accept(self, segment: Segment) -> Step | None:
        """
        Route a segment to its node, or out.
        """
        node = self._nodes.get(segment.destination[0])
        if node is None:
            return self._gateway.leave(segment)
        ends = frozenset((segment.source[0], segment.destination[0]))
        delay = None if ends in self.blocked else node.leg()
        if delay is None:
            self._gateway.drop(segment)
            return None
        return delay, node

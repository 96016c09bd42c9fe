"""
Address realms (RFC 2663 section 2.1): the public one, and one inside each NAT.
"""

from __future__ import annotations

from punch.testing.interfaces import Gateway, Node, Step
from punch.testing.segment import Segment


class Realm:
    """
    The nodes that reach each other by address.  The network has one for the public
    addresses, and each NAT one for those inside.

    @ivar blocked: pairs of addresses between which all segments are lost.
    """

    isHost = False

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._nodes: dict[str, Node] = {}
        self.blocked: set[frozenset[str]] = set()

    def attach(self, address: str, node: Node) -> None:
        """
        Give a node an address.

        @raise ValueError: another node has it.
        """
        if address in self._nodes:
            raise ValueError(f"{address} is taken")
        self._nodes[address] = node

    def receive(self, segment: Segment) -> Step | None:
        """
        Route a segment to the node that has its destination, or out.
        """
        node = self._nodes.get(segment.destination[0])
        if node is None:
            return self._gateway.forward(segment)
        ends = frozenset((segment.source[0], segment.destination[0]))
        delay = None if ends in self.blocked else node.wireDelay()
        if delay is None:
            self._gateway.drop(segment)
            return None
        return delay, node

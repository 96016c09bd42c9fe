"""
Address realms (RFC 2663 section 2.1): the public one, and one inside each NAT.
"""

from __future__ import annotations

from collections.abc import Callable

from punch.testing.medium import Hop, Medium, Step
from punch.testing.segment import Segment


class Node:
    """
    The base of what has an address in a realm, and a wire to it: a host, or the outside
    of a NAT.

    @ivar network: the network that it is on.
    @ivar latency: seconds that a segment takes over the wire, one way.
    @ivar jitter: at most how many seconds more, at random.
    @ivar loss: the probability that the wire loses a segment.
    """

    isHost = False

    def __init__(self, network: Medium) -> None:
        self.network = network
        self.latency = self.jitter = self.loss = 0.0

    def overWire(self, segment: Segment, hop: Hop) -> Step | None:
        """
        Draw what happens to a segment on the wire.

        @param hop: what is at the end of the wire.
        @return: the step to there; L{None} if the segment is lost, which is noted.
        """
        random = self.network.random
        if self.loss and random.random() < self.loss:
            self.network.drop(segment)
            return None
        extra = random.uniform(0.0, self.jitter) if self.jitter else 0.0
        return self.latency + extra, hop

    def receive(self, segment: Segment) -> Step | None:
        """
        A segment has come over the wire: pass it on, deliver it or drop it.

        @return: its next hop; L{None} if it goes no farther.
        """
        raise NotImplementedError


class Realm:
    """
    The nodes that reach each other by address.  The network has one for the public
    addresses, and each NAT one for those inside.

    @ivar blocked: pairs of addresses between which all segments are lost.
    """

    isHost = False

    def __init__(
        self, network: Medium, forward: Callable[[Segment], Step | None]
    ) -> None:
        """
        @param forward: takes the segments that are for no node of the realm.
        """
        self._network = network
        self._forward = forward
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
            return self._forward(segment)
        ends = frozenset((segment.source[0], segment.destination[0]))
        if ends in self.blocked:
            self._network.drop(segment)
            return None
        return node.overWire(segment, node)

"""
The wire from a host or a NAT to the realm it is in.
"""

from __future__ import annotations

from random import Random


class WiredNode:
    """
    The base of nodes that have a wire: a host or a NAT.

    @ivar latency: seconds that a segment takes over it, one way.
    @ivar jitter: at most how many seconds more, at random.
    @ivar loss: the probability that it loses a segment.
    """

    def __init__(self, random: Random) -> None:
        self.latency = self.jitter = self.loss = 0.0
        self._random = random

    def wireDelay(self) -> float | None:
        """
        Draw the seconds that a segment takes over the wire; L{None} if it is lost.
        """
        if self.loss and self._random.random() < self.loss:
            return None
        if self.jitter:
            return self.latency + self._random.uniform(0.0, self.jitter)
        return self.latency

"""
The medium of a network in memory: what its hosts and NATs share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from random import Random
from typing import Protocol, TypeAlias

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock

from punch.testing.segment import Segment
from punch.testing.timeline import Timeline

_FIRST_DESCRIPTOR = 1_000_000
"""
The first socket number, higher than any file descriptor of the process.
"""

Step: TypeAlias = "tuple[float, Hop]"
"""
The seconds until a segment reaches its next hop, and that hop.
"""


class Hop(Protocol):
    """
    A place that a segment passes on its way: a realm, a NAT or a host.
    """

    @property
    def isHost(self) -> bool:
        """
        Whether the segment's way ends here.
        """

    def receive(self, segment: Segment) -> Step | None:
        """
        A segment is here: pass it on, deliver it or drop it.

        @return: its next hop; L{None} if it goes no farther.
        """


class Medium:
    """
    Carries segments from hop to hop, and has the time and the randomness of all hosts
    and NATs.  L{MemoryNetwork<punch.testing.MemoryNetwork>} is one.

    @ivar clock: the time of all hosts.
    @ivar random: the randomness of all hosts.
    @ivar names: addresses by host name in lower case, for the hosts' resolvers.
    @ivar segmentSize: bytes that a segment carries at most.
    @ivar timeline: what is going to happen.
    @ivar initialSequence: draws a new connection's initial sequence number.
    @ivar descriptor: draws a new socket's number.
    @ivar sockets: for each host, its open sockets by number.
    """

    def __init__(self, clock: Clock, seed: int, segmentSize: int) -> None:
        self.clock = clock
        self.random = Random(seed)
        self.names: dict[str, tuple[str, ...]] = {}
        self.segmentSize = segmentSize
        self.timeline = Timeline(clock)
        self.initialSequence = count(1).__next__
        self.descriptor = count(_FIRST_DESCRIPTOR).__next__
        self.sockets: list[Mapping[int, object]] = []
        self._trace: list[str] | None = None

    # Letting time pass.

    def run(self, seconds: float) -> None:
        """
        Let C{seconds} seconds pass, and make each delayed call at its time.
        """
        self.runUntil(lambda: False, seconds)

    def runUntil(self, condition: Callable[[], object], limit: float) -> bool:
        """
        Let time pass until a condition holds, C{limit} seconds at most.

        @return: whether it holds.
        """
        deadline = self.clock.seconds() + limit
        while not condition():
            due = min(
                (call.getTime() for call in self.clock.getDelayedCalls()),
                default=deadline,
            )
            if due >= deadline:
                self.clock.advance(max(0.0, deadline - self.clock.seconds()))
                return bool(condition())
            self.clock.advance(max(0.0, due - self.clock.seconds()))
        return True

    # Looking at it.

    def openSockets(self) -> list[object]:
        """
        The sockets that the programs have not closed: listening ports, connections, and
        attempts to connect.
        """
        return [socket for sockets in self.sockets for socket in sockets.values()]

    def delayedCalls(self) -> Sequence[IDelayedCall]:
        """
        The delayed calls of the programs, without the network's own.
        """
        wake = self.timeline.wake
        return [call for call in self.clock.getDelayedCalls() if call is not wake]

    def trace(self) -> list[str]:
        """
        Start to record the segments.

        @return: a list to which each segment that is sent, received or dropped adds a
            line.
        """
        if self._trace is None:
            self._trace = []
        return self._trace

    # What its parts need.

    def record(self, event: str, segment: Segment) -> None:
        """
        Add a line to the trace, if there is one.
        """
        if self._trace is not None:
            self._trace.append(f"{self.clock.seconds():.6f} {event} {segment}")

    def carry(self, segment: Segment, delay: float, hop: Hop) -> None:
        """
        Bring a segment to a hop in C{delay} seconds, and on from there.

        Handshake segments and resets pass each NAT at the time at which they arrive
        there, since their order decides.  The others go the whole way in one step.
        """
        if not segment.isExpress:
            self.timeline.after(delay, self._pass, segment, hop)
            return
        while not hop.isHost:
            step = hop.receive(segment)
            if step is None:
                return
            delay += step[0]
            hop = step[1]
        self.timeline.after(delay, hop.receive, segment)

    def _pass(self, segment: Segment, hop: Hop) -> None:
        step = hop.receive(segment)
        if step is not None:
            self.carry(segment, *step)

    def drop(self, segment: Segment) -> None:
        """
        Note that a segment is lost, and tell its sender if that resends it.
        """
        self.record("dropped", segment)
        if segment.sender is not None:
            segment.sender.lost(segment)

"""
What the parts of a L{MemoryNetwork<punch.testing.MemoryNetwork>} call on each other.

Hosts, NATs, connections and sockets need the network, which is made of them.  So the
modules below import these interfaces and not each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Protocol, TypeAlias

from twisted.internet.interfaces import (
    IDelayedCall,
    IReadDescriptor,
    IWriteDescriptor,
)
from twisted.internet.task import Clock

from punch.testing.ports import Claim
from punch.testing.segment import Segment, SocketAddress
from punch.testing.timeline import Timeline

Step: TypeAlias = "tuple[float, Hop]"
"""
The seconds until a segment reaches its next hop, and that hop.
"""


SocketName: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""
An address as Python's sockets write it, which has four parts for IPv6.
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


class Node(Hop, Protocol):
    """
    What has an address in a realm: a host, or the outside of a NAT.
    """

    def wireDelay(self) -> float | None:
        """
        Draw the seconds that a segment takes over this node's wire; L{None} if the
        segment is lost.
        """


class Gateway(Protocol):
    """
    What a realm hands the segments to that are for no node of its own.
    """

    def forward(self, segment: Segment) -> Step | None:
        """
        Send a segment out of the realm.
        """

    def drop(self, segment: Segment) -> None:
        """
        Note that a segment is lost.
        """


class Network(Protocol):
    """
    What hosts and NATs need of their network.

    @ivar clock: the time of all hosts.
    @ivar random: the randomness of all hosts.
    @ivar names: addresses by host name in lower case, for the hosts' resolvers.
    @ivar segmentSize: bytes that a segment carries at most.
    @ivar timeline: what is going to happen.
    @ivar initialSequence: draws a new connection's initial sequence number.
    @ivar descriptor: draws a new socket's number.
    """

    clock: Clock
    random: Random
    segmentSize: int
    timeline: Timeline
    initialSequence: Callable[[], int]
    descriptor: Callable[[], int]

    @property
    def names(self) -> Mapping[str, Sequence[str]]: ...

    def record(self, event: str, segment: Segment) -> None:
        """
        Add a line to the network's trace, if there is one.
        """

    def carry(self, segment: Segment, delay: float, hop: Hop) -> None:
        """
        Bring a segment to a hop in C{delay} seconds, and on from there.
        """

    def drop(self, segment: Segment) -> None:
        """
        Note that a segment is lost, and tell its sender if that resends it.
        """

    def delayedCalls(self) -> Sequence[IDelayedCall]:
        """
        The delayed calls of the programs, without the network's own.
        """

    def openSockets(self) -> Sequence[Socket]:
        """
        The sockets that the programs have not closed.
        """

    def runUntil(self, condition: Callable[[], object], limit: float) -> bool:
        """
        Let time pass until a condition holds, C{limit} seconds at most.

        @return: whether it holds.
        """


class ConnectionEnd(Protocol):
    """
    One end of a TCP connection, for the stack and the byte streams that it has.

    @ivar addresses: the local and the remote address.
    @ivar claim: its hold on the local port.
    """

    addresses: tuple[SocketAddress, SocketAddress]
    claim: Claim

    @property
    def network(self) -> Network:
        """
        The network that its host is on.
        """

    @property
    def sequence(self) -> int:
        """
        Its initial sequence number.
        """

    def receive(self, segment: Segment) -> None:
        """
        A segment came on its four-tuple.
        """

    def transmit(self, segment: Segment) -> None:
        """
        Send a segment to the other end.
        """

    def isSuperseded(self, segment: Segment) -> bool:
        """
        Whether a lost segment need not be sent again.
        """

    def expire(self, silence: float) -> bool:
        """
        Give up if C{silence} seconds without an answer are too long.

        @return: whether they were.
        """

    def reset(self) -> None:
        """
        End at once and tell the other end.
        """

    def fail(self, error: int) -> None:
        """
        End at once and tell the program this C{errno}.
        """


class ListeningEnd(Protocol):
    """
    A listening socket, for the stack that it is on.

    @ivar claim: its hold on the local port.
    """

    claim: Claim

    def receive(self, segment: Segment) -> None:
        """
        A SYN came.
        """


class Waker(Protocol):
    """
    What a connection or listener tells of news: the socket that it belongs to.
    """

    def wake(self) -> None:
        """
        Something may have become readable or writable.
        """


class Socket(Waker, Protocol):
    """
    A program's socket, for the reactor of its host.

    @ivar reader: what waits for it to be readable.
    @ivar writer: what waits for it to be writable.
    """

    reader: IReadDescriptor | None
    writer: IWriteDescriptor | None

    def fileno(self) -> int:
        """
        The number that the reactor gave it.
        """

    def getsockname(self) -> SocketName:
        """
        Its local address and port, and for IPv6 two zeros more.
        """

    @property
    def isReadable(self) -> bool:
        """
        Whether a read, or an accept, would answer something.
        """

    @property
    def isWritable(self) -> bool:
        """
        Whether a write would take something, or a connect has ended.
        """

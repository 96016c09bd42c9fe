"""
The TCP of a host: it finds the connection or listener that a segment is for, and
answers others with a RST.
"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from punch.testing.interfaces import ConnectionEnd, ListeningEnd, Network
from punch.testing.ports import WILDCARDS, PortTable
from punch.testing.segment import Segment, SegmentKind, SocketAddress


class TCPStack:
    """
    The connections and listeners of one host, which makes it.

    @ivar network: the network that the host is on.
    @ivar emit: sends a segment off.
    @ivar ports: which sockets hold which local ports.
    """

    def __init__(self, network: Network, emit: Callable[[Segment], None]) -> None:
        """
        @param emit: sends a segment off.
        """
        self.network = network
        self.emit = emit
        self.ports = PortTable(network.random)
        self._connections: dict[tuple[SocketAddress, SocketAddress], ConnectionEnd] = {}
        self._finished: dict[tuple[SocketAddress, SocketAddress], int] = {}
        self._listeners: dict[int, list[ListeningEnd]] = {}

    def isTaken(self, local: SocketAddress, remote: SocketAddress) -> bool:
        """
        Whether there is a connection, in whatever state, on this four-tuple.
        """
        return (local, remote) in self._connections

    def connections(self) -> list[ConnectionEnd]:
        """
        The connections that are not over.
        """
        return list(self._connections.values())

    def add(self, connection: ConnectionEnd) -> None:
        """
        Add a connection.
        """
        self._connections[connection.addresses] = connection

    def remove(self, connection: ConnectionEnd) -> None:
        """
        Remove a connection that is over, and free its four-tuple and port.
        """
        if self._connections.get(connection.addresses) is connection:
            del self._connections[connection.addresses]
        self.ports.release(connection.claim)

    def remember(self, connection: ConnectionEnd) -> None:
        """
        Ignore, instead of refusing, what still comes for a connection that ended well.
        That much of TIME-WAIT is needed.
        """
        self._finished[connection.addresses] = connection.sequence

    def listen(self, listener: ListeningEnd) -> None:
        """
        Add a listener.
        """
        self._listeners.setdefault(listener.claim.port, []).append(listener)

    def stopListening(self, listener: ListeningEnd) -> None:
        """
        Remove a listener that is closed, and free its port.
        """
        listeners = self._listeners[listener.claim.port]
        listeners.remove(listener)
        if not listeners:
            del self._listeners[listener.claim.port]
        self.ports.release(listener.claim)

    def receive(self, segment: Segment) -> None:
        """
        Take a segment for this host.
        """
        addresses = (segment.destination, segment.source)
        connection = self._connections.get(addresses)
        if connection is not None:
            connection.receive(segment)
            return
        if segment.kind is SegmentKind.SYN:
            listener = self._listener(segment)
            if listener is not None:
                listener.receive(segment)
                return
        if segment.kind is SegmentKind.RST or segment.kind is SegmentKind.UNREACHABLE:
            return
        if segment.acknowledgment != self._finished.get(addresses, 0):
            self.refuse(segment)

    def refuse(self, segment: Segment) -> None:
        """
        Answer a segment with a RST.  If that is lost, the segment comes again.
        """
        self.emit(segment.refusal())
        self.network.drop(segment)

    def _listener(self, segment: Segment) -> ListeningEnd | None:
        """
        The listener for a SYN: one on its very address before one on any address.
        Among those that share address and port the hash of the four-tuple decides.
        """
        host, port = segment.destination
        found = self._listeners.get(port, ())
        matching = [each for each in found if each.claim.host == host]
        if not matching:
            matching = [
                each
                for each in found
                if each.claim.host in WILDCARDS
                and (":" in each.claim.host) == (":" in host)
            ]
        if not matching:
            return None
        key = f"{segment.source}{segment.destination}".encode()
        return matching[crc32(key) % len(matching)]

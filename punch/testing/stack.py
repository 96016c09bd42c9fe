"""
The TCP of one host: which connection or listener a segment is for, and the RST for
those that are for none.
"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from punch.testing.interfaces import Connection, Listener, Network
from punch.testing.ports import WILDCARDS, PortTable
from punch.testing.segment import Segment, SegmentKind, SocketAddress


class TCPStack:
    """
    A host's connections and listeners.
    """

    def __init__(self, network: Network, emit: Callable[[Segment], None]) -> None:
        """
        @param emit: sends a segment off.
        """
        self.network = network
        self.emit = emit
        self.ports = PortTable(network.random)
        self._connections: dict[tuple[SocketAddress, SocketAddress], Connection] = {}
        self._finished: dict[tuple[SocketAddress, SocketAddress], int] = {}
        self._listeners: dict[int, list[Listener]] = {}

    def isTaken(self, local: SocketAddress, remote: SocketAddress) -> bool:
        """
        Is there a connection, in whatever state, on this four-tuple?
        """
        return (local, remote) in self._connections

    def connections(self) -> list[Connection]:
        """
        All that are under way.
        """
        return list(self._connections.values())

    def add(self, connection: Connection) -> None:
        """
        A connection begins.
        """
        self._connections[connection.addresses] = connection

    def remove(self, connection: Connection) -> None:
        """
        A connection is over; its four-tuple and port are free.
        """
        if self._connections.get(connection.addresses) is connection:
            del self._connections[connection.addresses]
        self.ports.release(connection.claim)

    def remember(self, connection: Connection) -> None:
        """
        A connection ended well: what still comes for it is ignored, not refused.
        That much of TIME-WAIT is needed.
        """
        self._finished[connection.addresses] = connection.sequence

    def listen(self, listener: Listener) -> None:
        """
        A listener begins.
        """
        self._listeners.setdefault(listener.claim.port, []).append(listener)

    def stopListening(self, listener: Listener) -> None:
        """
        A listener is closed.
        """
        listeners = self._listeners[listener.claim.port]
        listeners.remove(listener)
        if not listeners:
            del self._listeners[listener.claim.port]
        self.ports.release(listener.claim)

    def receive(self, segment: Segment) -> None:
        """
        A segment came for this host.
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
        Answer with a RST; should that be lost, what was refused will come again.
        """
        self.emit(segment.refusal())
        self.network.drop(segment)

    def _listener(self, segment: Segment) -> Listener | None:
        """
        Who gets this SYN: the most specific, and among those that share one
        address and port the one that the four-tuple's hash says.
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

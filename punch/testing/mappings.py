"""
What a NAT remembers: which outside port stands for which inside address, and which
remote addresses it has sessions with.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from punch.testing.behavior import Filtering, NATBehavior
from punch.testing.segment import SocketAddress
from punch.translation import Allocation, Mapping

_Key: TypeAlias = (
    tuple[SocketAddress]
    | tuple[SocketAddress, str]
    | tuple[SocketAddress, SocketAddress]
)


class NoFreePort(Exception):
    """
    Every outside port stands for somebody.
    """


class Session:
    """
    One connection, or attempt, that a NAT has let through.

    @ivar sequence: of the last SYN that went out; L{None} if none did.
    @ivar isAnswered: a SYN or SYN-ACK came back since.
    @ivar usedAt: when the last segment passed.
    """

    __slots__ = ("isAnswered", "sequence", "usedAt")

    def __init__(self) -> None:
        self.sequence: int | None = None
        self.isAnswered = False
        self.usedAt = 0.0


class PortMapping:
    """
    One outside port, standing for one inside address and port.
    """

    def __init__(self, key: _Key, internal: SocketAddress, port: int) -> None:
        self.key = key
        self.internal = internal
        self.port = port
        self.usedAt = 0.0
        self.sessions: dict[SocketAddress, Session] = {}


class MappingTable:
    """
    The mappings of one NAT.
    """

    def __init__(
        self, behavior: NATBehavior, seconds: Callable[[], float], random: Random
    ) -> None:
        self._behavior = behavior
        self._seconds = seconds
        self._random = random
        self._byKey: dict[_Key, PortMapping] = {}
        self._byPort: dict[int, PortMapping] = {}
        first, last = behavior.ports
        self._previous = random.randint(first, last)

    def __len__(self) -> int:
        """
        How many outside ports are in use.
        """
        return len(self._byPort)

    def outbound(
        self, internal: SocketAddress, remote: SocketAddress
    ) -> PortMapping | None:
        """
        The mapping that a segment from inside passes by.
        """
        return self._alive(self._byKey.get(self._key(internal, remote)))

    def inbound(self, port: int) -> PortMapping | None:
        """
        The mapping that a segment from outside is for.
        """
        return self._alive(self._byPort.get(port))

    def create(self, internal: SocketAddress, remote: SocketAddress) -> PortMapping:
        """
        Make a mapping.

        @raise NoFreePort: there is no port for it.
        """
        key = self._key(internal, remote)
        mapping = PortMapping(key, internal, self._allocate(internal[1]))
        mapping.usedAt = self._seconds()
        self._byKey[key] = self._byPort[mapping.port] = mapping
        return mapping

    def session(self, mapping: PortMapping, remote: SocketAddress) -> Session | None:
        """
        The session of a mapping with one remote address, if it is remembered.
        """
        session = mapping.sessions.get(remote)
        if session is not None and self._isOld(session.usedAt):
            del mapping.sessions[remote]
            return None
        return session

    def begin(self, mapping: PortMapping, remote: SocketAddress) -> Session:
        """
        A session begins.
        """
        session = mapping.sessions[remote] = Session()
        return session

    def use(self, mapping: PortMapping, session: Session) -> None:
        """
        A segment passes.
        """
        mapping.usedAt = session.usedAt = self._seconds()

    def end(self, mapping: PortMapping, remote: SocketAddress) -> None:
        """
        A session was reset.  A mapping that depends on the remote end goes with
        its last session.
        """
        mapping.sessions.pop(remote, None)
        depends = self._behavior.mapping is not Mapping.ENDPOINT_INDEPENDENT
        if depends and not mapping.sessions:
            self._forget(mapping)

    def admits(self, mapping: PortMapping, remote: SocketAddress) -> bool:
        """
        May this stranger's SYN come in?
        """
        filtering = self._behavior.filtering
        if filtering is Filtering.ENDPOINT_INDEPENDENT:
            return True
        if filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT:
            return False
        return any(
            host == remote[0] and not self._isOld(session.usedAt)
            for (host, _), session in mapping.sessions.items()
        )

    def clear(self) -> None:
        """
        Forget everything.
        """
        self._byKey.clear()
        self._byPort.clear()

    def _key(self, internal: SocketAddress, remote: SocketAddress) -> _Key:
        if self._behavior.mapping is Mapping.ENDPOINT_INDEPENDENT:
            return (internal,)
        if self._behavior.mapping is Mapping.ADDRESS_DEPENDENT:
            return (internal, remote[0])
        return (internal, remote)

    def _alive(self, mapping: PortMapping | None) -> PortMapping | None:
        if mapping is not None and self._isOld(mapping.usedAt):
            self._forget(mapping)
            return None
        return mapping

    def _isOld(self, usedAt: float) -> bool:
        return self._seconds() - usedAt > self._behavior.lifetime

    def _forget(self, mapping: PortMapping) -> None:
        del self._byKey[mapping.key]
        del self._byPort[mapping.port]

    def _allocate(self, wanted: int) -> int:
        first, last = self._behavior.ports
        size = last - first + 1
        if self._behavior.allocation is Allocation.PRESERVE:
            start = wanted
        elif self._behavior.allocation is Allocation.SEQUENTIAL:
            start = self._previous + 1
        else:
            start = self._random.randint(first, last)
        for step in range(size):
            port = first + (start - first + step) % size
            if self._alive(self._byPort.get(port)) is None:
                self._previous = port
                return port
        raise NoFreePort

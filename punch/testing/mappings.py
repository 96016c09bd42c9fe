"""
The mapping table of a NAT: which outside port stands for which inside address, and the
sessions of each mapping.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import Random
from typing import TypeAlias

from punch.nat.behavior import Allocation, Mapping
from punch.testing.behavior import Filtering, NATBehavior
from punch.testing.segment import SocketAddress

_Key: TypeAlias = (
    tuple[SocketAddress]
    | tuple[SocketAddress, str]
    | tuple[SocketAddress, SocketAddress]
)


class NoFreePort(Exception):
    """
    Every outside port of the NAT is in use, so it can make no mapping.
    """


class NATSession:
    """
    One connection, or attempt to connect, that a NAT has let through.

    @ivar sequence: the sequence number of the last SYN that went out; L{None} if none
        did.
    @ivar isAnswered: whether a SYN or SYN-ACK came back since then.
    @ivar expiresAt: the time at which it is forgotten unless a segment passes.
    """

    __slots__ = ("expiresAt", "isAnswered", "sequence")

    def __init__(self) -> None:
        self.sequence: int | None = None
        self.isAnswered = False
        self.expiresAt = 0.0


class NATMapping:
    """
    One outside port that stands for one inside address and port.

    @ivar key: the key for which it was made.
    @ivar keys: that key, and those of the answers to what came in by it.
    @ivar internal: the inside address.
    @ivar port: the outside port.
    @ivar expiresAt: the time at which it is forgotten unless a segment passes.
    @ivar sessions: by remote address.
    """

    def __init__(self, key: _Key, internal: SocketAddress, port: int) -> None:
        self.key = key
        self.keys = {key}
        self.internal = internal
        self.port = port
        self.expiresAt = 0.0
        self.sessions: dict[SocketAddress, NATSession] = {}


class MappingTable:
    """
    The mappings of one NAT and their sessions.  Each NAT's translator has one.
    """

    def __init__(
        self, behavior: NATBehavior, seconds: Callable[[], float], random: Random
    ) -> None:
        self._behavior = behavior
        self._seconds = seconds
        self._random = random
        self._byKey: dict[_Key, NATMapping] = {}
        self._byPort: dict[int, NATMapping] = {}
        first, last = behavior.ports
        self._previous = random.randint(first, last)
        self._nextForeign = self._nextForeignAfter(seconds())

    def __len__(self) -> int:
        """
        How many outside ports are in use.
        """
        return len(self._byPort)

    def outbound(
        self, internal: SocketAddress, remote: SocketAddress
    ) -> NATMapping | None:
        """
        The mapping of segments from an inside address to a remote one; L{None} if there
        is none.
        """
        return self._alive(self._byKey.get(self._key(internal, remote)))

    def inbound(self, port: int) -> NATMapping | None:
        """
        The mapping of an outside port; L{None} if there is none.
        """
        return self._alive(self._byPort.get(port))

    def create(self, internal: SocketAddress, remote: SocketAddress) -> NATMapping:
        """
        Make a mapping.

        @raise NoFreePort: there is no port for it.
        """
        key = self._key(internal, remote)
        mapping = NATMapping(key, internal, self._allocate(internal[1]))
        mapping.expiresAt = self._seconds() + self._transitory
        self._byKey[key] = self._byPort[mapping.port] = mapping
        return mapping

    def session(self, mapping: NATMapping, remote: SocketAddress) -> NATSession | None:
        """
        The session of a mapping with a remote address; L{None} if there is none.
        """
        session = mapping.sessions.get(remote)
        if session is not None and self._isOld(session.expiresAt):
            del mapping.sessions[remote]
            return None
        return session

    def openSession(self, mapping: NATMapping, remote: SocketAddress) -> NATSession:
        """
        Open a session.  If it came from outside, its answers go out by the mapping
        that it came in by.
        """
        session = mapping.sessions[remote] = NATSession()
        key = self._key(mapping.internal, remote)
        if self._alive(self._byKey.get(key)) is None:
            self._byKey[key] = mapping
            mapping.keys.add(key)
        return session

    def refresh(self, mapping: NATMapping, session: NATSession) -> None:
        """
        Extend the lifetime of a session and its mapping: a segment passes.
        """
        lasts = self._behavior.lifetime if session.isAnswered else self._transitory
        session.expiresAt = self._seconds() + lasts
        mapping.expiresAt = max(mapping.expiresAt, session.expiresAt)

    def closeSession(self, mapping: NATMapping, remote: SocketAddress) -> None:
        """
        Close a session that was reset.  A mapping that depends on the remote address
        is forgotten with its last session.
        """
        mapping.sessions.pop(remote, None)
        if self._behavior.mapping is Mapping.ENDPOINT_INDEPENDENT:
            return
        if not mapping.sessions:
            self._forget(mapping)
            return
        left = {self._key(mapping.internal, each) for each in mapping.sessions}
        for key in mapping.keys - left - {mapping.key}:
            mapping.keys.remove(key)
            del self._byKey[key]

    def admits(self, mapping: NATMapping, remote: SocketAddress) -> bool:
        """
        Whether the filtering lets a SYN from this remote address in.
        """
        filtering = self._behavior.filtering
        if filtering is Filtering.ENDPOINT_INDEPENDENT:
            return True
        if filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT:
            return False
        return any(
            host == remote[0] and not self._isOld(session.expiresAt)
            for (host, _), session in mapping.sessions.items()
        )

    def clear(self, kept: str = "") -> None:
        """
        Forget all sessions but those with the remote IP address C{kept}, and all
        mappings without a session.
        """
        for mapping in list(self._byPort.values()):
            for remote in [each for each in mapping.sessions if each[0] != kept]:
                self.closeSession(mapping, remote)
            if not mapping.sessions and mapping.port in self._byPort:
                self._forget(mapping)

    def _key(self, internal: SocketAddress, remote: SocketAddress) -> _Key:
        if self._behavior.mapping is Mapping.ENDPOINT_INDEPENDENT:
            return (internal,)
        if self._behavior.mapping is Mapping.ADDRESS_DEPENDENT:
            return (internal, remote[0])
        return (internal, remote)

    def _alive(self, mapping: NATMapping | None) -> NATMapping | None:
        if mapping is not None and self._isOld(mapping.expiresAt):
            self._forget(mapping)
            return None
        return mapping

    def _isOld(self, expiresAt: float) -> bool:
        return self._seconds() > expiresAt

    @property
    def _transitory(self) -> float:
        transitory = self._behavior.transitory
        return self._behavior.lifetime if transitory is None else transitory

    def _forget(self, mapping: NATMapping) -> None:
        for key in mapping.keys:
            del self._byKey[key]
        del self._byPort[mapping.port]

    def _allocate(self, wanted: int) -> int:
        first, last = self._behavior.ports
        size = last - first + 1
        if self._behavior.allocation is Allocation.PRESERVE:
            start = wanted
        elif self._behavior.allocation is Allocation.SEQUENTIAL:
            start = self._previous + self._foreignAllocations() + 1
        else:
            start = self._random.randint(first, last)
        for step in range(size):
            port = first + (start - first + step) % size
            if self._alive(self._byPort.get(port)) is None:
                self._previous = port
                return port
        raise NoFreePort

    def _foreignAllocations(self) -> int:
        """
        How many ports other hosts have taken since the last call.
        """
        count, now = 0, self._seconds()
        while self._nextForeign <= now:
            self._nextForeign = self._nextForeignAfter(self._nextForeign)
            count += 1
        return count

    def _nextForeignAfter(self, after: float) -> float:
        rate = self._behavior.crossTraffic
        return after + self._random.expovariate(rate) if rate else inf

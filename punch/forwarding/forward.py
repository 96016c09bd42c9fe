"""
Forwards: local ports whose connections become streams to a service of the peer.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from punch.errors import PunchError
from punch.forwarding.errors import NoLink
from punch.forwarding.localconnection import (
    LocalConnection,
    LocalConnections,
    StreamEnd,
)
from punch.forwarding.servicespec import parseNamedEndpoint
from punch.net.address import formatAddress
from punch.streams.errors import ServiceSilent
from punch.streams.multiplexer import Multiplexer
from punch.streams.outbound import OutboundRequest
from punch.streams.pool import MultiplexerPool

USAGE = "--forward ssh=tcp:2222:interface=127.0.0.1"

MOST_WAITING = 128
"""
How many connections, of all forwards together, may wait for a link.
"""

TIMEOUT = 60.0
"""
Seconds that a connection may wait for a link, and then for the peer's answer.
"""


class StreamOpener:
    """
    Opens a stream on the newest link for each local connection, and splices the two.
    While there is no link, connections wait for one.

    L{LocalSide<punch.forwarding.service.LocalSide>} makes one, which all its forwards
    share, and the service closes it when it stops.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, pool: MultiplexerPool) -> None:
        self._clock = clock
        self._pool = pool
        self._waiting: set[Deferred[Multiplexer]] = set()

    def connect(self, local: LocalConnection, service: str) -> None:
        """
        Splice a new connection to a stream, once there is a link.  If there will be no
        stream, abort the connection.

        @param service: the name of the service that the stream asks for.
        """
        spliced = Deferred.fromCoroutine(self._splice(local, service))
        spliced.addErrback(lambda why: self._log.failure("in a forward", why))

    async def _splice(self, local: LocalConnection, service: str) -> None:
        try:
            request = await self._request(service)
        except (PunchError, CancelledError) as why:
            self._refused(local, service, why)
            return
        request.stream.start(StreamEnd(local))
        accepted = request.whenAccepted().addTimeout(TIMEOUT, self._clock)
        try:
            await accepted
        except TimeoutError:
            self._refused(local, service, ServiceSilent())
            request.stream.abortConnection()
        except PunchError as why:
            self._refused(local, service, why)

    def _refused(
        self, local: LocalConnection, service: str, why: BaseException
    ) -> None:
        """
        Abort the connection; and log why, unless it was closed from our side.
        """
        if local.isOpen and isinstance(why, PunchError):
            self._log.warn(
                "A connection to {service!r} was refused: {why}",
                service=service,
                why=why,
            )
        local.abort()

    async def _request(self, service: str) -> OutboundRequest:
        multiplexer = self._pool.newest()
        if multiplexer is None:
            multiplexer = await self._nextLink()
        return await multiplexer.open(service)

    async def _nextLink(self) -> Multiplexer:
        if len(self._waiting) >= MOST_WAITING:
            raise NoLink(f"{MOST_WAITING} connections wait for one")
        ready = self._pool.whenReady()
        self._waiting.add(ready)
        try:
            return await ready.addTimeout(TIMEOUT, self._clock)
        except TimeoutError:
            raise NoLink(f"none came within {TIMEOUT:.0f} seconds")
        finally:
            self._waiting.discard(ready)

    def close(self) -> None:
        """
        Cancel the connections that still wait for a link.
        """
        for each in list(self._waiting):
            each.cancel()


class Forward(Factory[LocalConnection]):
    """
    One forward: the factory of the connections to its local port.

    L{parseForwards} makes one for each C{--forward}; the service opens its port.

    @ivar service: the name of the service that the connections ask for.
    @ivar endpoint: where to listen.
    @ivar text: the value of C{--forward}, for error messages.
    """

    noisy = False

    def __init__(
        self,
        service: str,
        endpoint: IStreamServerEndpoint,
        connections: LocalConnections,
        opener: StreamOpener,
        text: str,
    ) -> None:
        """
        @param connections: keeps track of the connections.
        @param opener: finds a stream for each of them.
        """
        self.service = service
        self.endpoint = endpoint
        self.text = text
        self._connections = connections
        self._opener = opener

    def buildProtocol(self, addr: IAddress | None) -> LocalConnection:
        return LocalConnection(self._connections, self._connected)

    def _connected(self, local: LocalConnection) -> None:
        self._opener.connect(local, self.service)


def parseForwards(
    reactor: Any,
    texts: Sequence[str],
    connections: LocalConnections,
    opener: StreamOpener,
) -> list[Forward]:
    """
    Make the forwards that the values of C{--forward}, each C{[NAME=]ENDPOINT}, ask for.

    @raise punch.errors.BadOption: a value has no server endpoint.
    """
    made = []
    for text in texts:
        service, endpoint = parseNamedEndpoint(USAGE, serverFromString, reactor, text)
        made.append(Forward(service, endpoint, connections, opener, text))
    return made


def addressText(address: Any) -> str:
    """
    Write the address of an open port, for people and scripts.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        return formatAddress(address)
    if isinstance(address, UNIXAddress) and address.name is not None:
        return os.fsdecode(address.name)
    return str(address)

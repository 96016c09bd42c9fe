"""
The forward: a local port whose connections are streams of one service, on the
newest link.
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
from punch.forwarding.localconnection import Local, Locals, StreamEnd
from punch.forwarding.servicespec import namedEndpoint
from punch.net.address import formatAddress
from punch.streams.errors import ServiceSilent
from punch.streams.multiplexer import Multiplexer
from punch.streams.outbound import OutboundRequest
from punch.streams.pool import MultiplexerPool

USAGE = "--forward ssh=tcp:2222:interface=127.0.0.1"

MOST_WAITING = 128
"""
Connections of all forwards together that may wait for a link.
"""

PATIENCE = 60.0
"""
Seconds for which one may wait; and then, for the answer of the other side.
"""


class Switchboard:
    """
    Finds each connection its stream.  All forwards of a process share one.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, streaming: MultiplexerPool) -> None:
        self._clock = clock
        self._streaming = streaming
        self._waiting: set[Deferred[Multiplexer]] = set()

    def connect(self, local: Local, service: str) -> None:
        """
        Splice a new connection to a stream for C{service}, once there is a link.
        """
        spliced = Deferred.fromCoroutine(self._splice(local, service))
        spliced.addErrback(lambda why: self._log.failure("in a forward", why))

    async def _splice(self, local: Local, service: str) -> None:
        try:
            request = await self._request(service)
        except (PunchError, CancelledError) as why:
            self._refused(local, service, why)
            return
        request.stream.start(StreamEnd(local))
        accepted = request.whenAccepted().addTimeout(PATIENCE, self._clock)
        try:
            await accepted
        except TimeoutError:
            self._refused(local, service, ServiceSilent())
            request.stream.abortConnection()
        except PunchError as why:
            self._refused(local, service, why)

    def _refused(self, local: Local, service: str, why: BaseException) -> None:
        """
        Tell, unless it was our side that has gone.
        """
        if local.lives and isinstance(why, PunchError):
            self._log.warn(
                "A connection to {service!r} was refused: {why}",
                service=service,
                why=why,
            )
        local.abort()

    async def _request(self, service: str) -> OutboundRequest:
        multiplexer = self._streaming.newest()
        if multiplexer is None:
            multiplexer = await self._nextLink()
        return await multiplexer.open(service)

    async def _nextLink(self) -> Multiplexer:
        if len(self._waiting) >= MOST_WAITING:
            raise NoLink(f"{MOST_WAITING} connections wait for one")
        ready = self._streaming.whenReady()
        self._waiting.add(ready)
        try:
            return await ready.addTimeout(PATIENCE, self._clock)
        except TimeoutError:
            raise NoLink(f"none came within {PATIENCE:.0f} seconds")
        finally:
            self._waiting.discard(ready)

    def close(self) -> None:
        """
        Who waits waits in vain.
        """
        for each in list(self._waiting):
            each.cancel()


class Forward(Factory[Local]):
    """
    One forward.
    """

    noisy = False

    def __init__(
        self,
        service: str,
        endpoint: IStreamServerEndpoint,
        locals: Locals,
        switchboard: Switchboard,
        text: str,
    ) -> None:
        """
        @param text: how our user calls it.
        """
        self.service = service
        self.endpoint = endpoint
        self.text = text
        self._locals = locals
        self._switchboard = switchboard

    def buildProtocol(self, addr: IAddress | None) -> Local:
        return Local(self._locals, self._connected)

    def _connected(self, local: Local) -> None:
        self._switchboard.connect(local, self.service)


def forwards(
    reactor: Any, texts: Sequence[str], locals: Locals, switchboard: Switchboard
) -> list[Forward]:
    """
    What C{--forward [NAME=]ENDPOINT}, some times, asks for.

    @raise punch.errors.BadOption: one of them is no server endpoint.
    """
    made = []
    for text in texts:
        service, endpoint = namedEndpoint(USAGE, serverFromString, reactor, text)
        made.append(Forward(service, endpoint, locals, switchboard, text))
    return made


def addressText(address: Any) -> str:
    """
    Where a port is open, for people and scripts.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        return formatAddress(address)
    if isinstance(address, UNIXAddress) and address.name is not None:
        return os.fsdecode(address.name)
    return str(address)

"""
Exposed services: what the peer may reach here, each under a name of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import ConnectingCancelledError, TimeoutError
from twisted.internet.interfaces import IProtocol, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from punch.errors import BadOption
from punch.forwarding.localconnection import (
    LocalConnection,
    LocalConnections,
    StreamEnd,
)
from punch.forwarding.servicespec import parseNamedEndpoint
from punch.net.address import PunchAddress
from punch.streams.errors import TargetRefused
from punch.streams.inbound import Offers

USAGE = "--expose ssh=tcp:localhost:22"

CONNECT_TIMEOUT = 30.0
"""
Seconds that a target has to accept a connection.  Its endpoint may allow less.
"""


class ExposedService:
    """
    Connects each stream that the peer opens for one service to a target.

    L{parseExposed} makes one for each C{--expose}; a multiplexer calls it as an
    L{Offer<punch.streams.inbound.Offer>}.
    """

    def __init__(
        self,
        clock: IReactorTime,
        target: IStreamClientEndpoint,
        connections: LocalConnections,
    ) -> None:
        """
        @param target: where the service is.
        @param connections: keeps track of the connections to it.
        """
        self._clock = clock
        self._target = target
        self._factory = Factory.forProtocol(lambda: LocalConnection(connections))
        self._factory.noisy = False

    def __call__(self, peer: PunchAddress) -> Deferred[IProtocol]:
        """
        Connect to the target, for one stream.

        @raise TargetRefused: the target cannot be reached, through the Deferred.
        """
        return Deferred.fromCoroutine(self._connect())

    async def _connect(self) -> IProtocol:
        connecting = self._target.connect(self._factory)
        connecting.addTimeout(CONNECT_TIMEOUT, self._clock, _timedOut)
        try:
            local: Any = await connecting
        except (CancelledError, ConnectingCancelledError):
            raise CancelledError
        except Exception as why:
            raise TargetRefused(str(why) or type(why).__name__) from why
        return StreamEnd(local)


def _timedOut(result: object, timeout: float) -> NoReturn:
    raise TimeoutError()


def parseExposed(
    reactor: Any, texts: Sequence[str], connections: LocalConnections
) -> Offers:
    """
    Make the services that the values of C{--expose}, each C{[NAME=]ENDPOINT}, offer.

    @raise BadOption: a value has no client endpoint, or two have one name.
    """
    offers: dict[str, ExposedService] = {}
    for text in texts:
        service, target = parseNamedEndpoint(USAGE, clientFromString, reactor, text)
        if service in offers:
            raise BadOption(f"--expose {text}: there is a service {service!r} already")
        offers[service] = ExposedService(reactor, target, connections)
    return offers

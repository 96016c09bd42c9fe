"""
From a host name to addresses, by the reactor's own resolver.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import implementer

from punch.address import Address, BadAddress, tcpAddress


@implementer(IResolutionReceiver)
class _Collector:
    """
    Collects the addresses of one name.
    """

    def __init__(self) -> None:
        self._found: list[Address] = []
        self.found: Deferred[list[Address]] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """
        Nothing is known yet.
        """

    def addressResolved(self, address: IAddress) -> None:
        """
        One address; a link-local one with its zone is passed over.
        """
        host: Any = address
        with suppress(BadAddress):
            self._found.append(tcpAddress(host.host, host.port))

    def resolutionComplete(self) -> None:
        if not self.found.called:
            self.found.callback(list(dict.fromkeys(self._found)))


def resolve(
    reactor: IReactorPluggableNameResolver, host: str, port: int
) -> Deferred[list[Address]]:
    """
    The addresses of C{host}, which may be an IP address; none if it is unknown.
    """
    collector = _Collector()
    reactor.nameResolver.resolveHostName(collector, host, port)
    return collector.found

"""
The preference: IPv4 before IPv6, towards the rendezvous.

Who has IPv6 is met at the addresses of its own interfaces, which it tells itself.  Of
IPv4 there is mostly a NAT, and only who is reached through that sees where it ends: so
that is what a rendezvous is needed for, and who has no IPv6 can be met nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import implementer

from punch.hosts import HostAddresses, isOutward


@implementer(IResolutionReceiver)
class _Sorter:
    """
    Hands on IPv4 addresses at once, and the others after them.
    """

    def __init__(self, receiver: IResolutionReceiver) -> None:
        self._receiver = receiver
        self._others: list[IAddress] = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self._receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, IPv4Address):
            self._receiver.addressResolved(address)
        else:
            self._others.append(address)

    def resolutionComplete(self) -> None:
        for each in self._others:
            self._receiver.addressResolved(each)
        self._receiver.resolutionComplete()


@implementer(IHostnameResolver, IReactorPluggableNameResolver)
class Preference:
    """
    A reactor whose resolver names IPv4 addresses first, as long as this host has one.
    """

    def __init__(self, reactor: Any, hostAddresses: HostAddresses) -> None:
        """
        @param hostAddresses: see L{punch.settings.Settings}.
        """
        self._reactor = reactor
        self._hostAddresses = hostAddresses

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    @property
    def nameResolver(self) -> IHostnameResolver:
        """
        @see: L{IReactorPluggableNameResolver}
        """
        return self

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """
        @see: L{IHostnameResolver.resolveHostName}
        """
        if any("." in each and isOutward(each) for each in self._hostAddresses()):
            resolutionReceiver = _Sorter(resolutionReceiver)
        resolver: IHostnameResolver = self._reactor.nameResolver
        return resolver.resolveHostName(
            resolutionReceiver, hostName, portNumber, addressTypes, transportSemantics
        )

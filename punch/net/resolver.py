"""
From a host name to addresses, by the reactor's own resolver.

The NAT64 that we may be behind: how to find out, and what its prefix is.

Who reached the rendezvous over IPv6, and is seen by it at an IPv4 address, was
translated on the way.

The preference: IPv4 before IPv6, towards the rendezvous.

Who has IPv6 is met at the addresses of its own interfaces, which it tells itself.  Of
IPv4 there is mostly a NAT, and only who is reached through that sees where it ends: so
that is what a rendezvous is needed for, and who has no IPv6 can be met nowhere else.

Who has no IPv4 reaches a rendezvous that has nothing else through his network's NAT64,
if there is one (RFC 8305 section 7.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv6Address
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IReactorTime,
    IResolutionReceiver,
)
from zope.interface import implementer

from punch.net.address import Address, BadAddress, ipOf, leavesLink, tcpAddress
from punch.net.hostaddresses import HostAddresses
from punch.net.nat64 import IPV4_ONLY_NAME, Prefix, prefixIn, wellKnownPrefix


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


DISCOVERY_TIMEOUT = 1.0
"""
Seconds that a resolver has to tell a prefix.
"""


async def prefixTowards(
    reactor: Any, rendezvous: Address, observed: Address
) -> Prefix | None:
    """
    The prefix of the NAT64 between us and the rendezvous; L{None} if there is no NAT64,
    or nobody tells.

    @param rendezvous: where we reached it.
    @param observed: where it sees us.
    """
    ours = ipOf(rendezvous)
    if not isinstance(ours, IPv6Address) or isinstance(ipOf(observed), IPv6Address):
        return None
    return wellKnownPrefix(ours) or await discoverPrefix(reactor)


async def discoverPrefix(reactor: Any) -> Prefix | None:
    """
    The prefix that our network's resolver knows; L{None} if it knows none.
    """
    found = resolve(reactor, IPV4_ONLY_NAME, 1).addTimeout(
        DISCOVERY_TIMEOUT, IReactorTime(reactor)
    )
    try:
        ips = [ipOf(each) for each in await found]
    except TimeoutError:
        return None
    return prefixIn(each for each in ips if isinstance(each, IPv6Address))


@implementer(IResolutionReceiver)
class _Receiver:
    """
    Hands on what was found, once that is all.
    """

    def __init__(self, receiver: IResolutionReceiver) -> None:
        self._receiver = receiver
        self._found: list[IAddress] = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self._receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: IAddress) -> None:
        self._found.append(address)

    def resolutionComplete(self) -> None:
        raise NotImplementedError()

    def _tell(self, addresses: Iterable[IAddress]) -> None:
        for each in addresses:
            self._receiver.addressResolved(each)
        self._receiver.resolutionComplete()


def _isSix(address: IAddress) -> bool:
    return not isinstance(address, IPv4Address)


def _isFar(address: Any) -> bool:
    return leavesLink(address.host)


class _Sorter(_Receiver):
    """
    IPv4 first.
    """

    def resolutionComplete(self) -> None:
        self._tell(sorted(self._found, key=_isSix))


class _Synthesizer(_Receiver):
    """
    IPv4 by way of a NAT64, if there is nothing else.
    """

    def __init__(self, receiver: IResolutionReceiver, reactor: Any) -> None:
        _Receiver.__init__(self, receiver)
        self._reactor = reactor

    def resolutionComplete(self) -> None:
        if any(map(_isSix, self._found)) or not any(map(_isFar, self._found)):
            self._tell(self._found)
        else:
            Deferred.fromCoroutine(self._synthesize())

    async def _synthesize(self) -> None:
        prefix = await discoverPrefix(self._reactor)
        found: list[Any] = self._found
        self._tell(found if prefix is None else map(prefix.toIPv6, found))


@implementer(IHostnameResolver, IReactorPluggableNameResolver)
class IPv4FirstReactor:
    """
    A reactor whose resolver names IPv4 addresses first if this host has one; and if
    not, and there are no others, where a NAT64 has them.
    """

    def __init__(self, reactor: Any, hostAddresses: HostAddresses) -> None:
        """
        @param hostAddresses: see L{punch.peer.settings.Settings}.
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
        if any("." in each and leavesLink(each) for each in self._hostAddresses()):
            resolutionReceiver = _Sorter(resolutionReceiver)
        else:
            resolutionReceiver = _Synthesizer(resolutionReceiver, self._reactor)
        resolver: IHostnameResolver = self._reactor.nameResolver
        return resolver.resolveHostName(
            resolutionReceiver, hostName, portNumber, addressTypes, transportSemantics
        )

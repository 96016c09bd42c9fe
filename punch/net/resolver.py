"""
The resolver: from host names to addresses, and to the prefix of the network's NAT64.

Towards a rendezvous IPv4 addresses come first.  An IPv4 host is usually behind a NAT,
and learns its outside address only from a server that it reaches over IPv4.  With IPv6
it knows the addresses of its own interfaces and tells them itself.

A host without IPv4 reaches an IPv4 rendezvous through the NAT64 of its network, if
there is one (RFC 8305 section 7.1).
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
    Collects the addresses of one host name for L{resolve}.

    @ivar found: fires with them.
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
        Take one address.  A link-local one with its zone is passed over.
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
    Look up the addresses of C{host}, which may be an IP address.

    @return: fires with the addresses, each once; with none if the name is unknown.
    """
    collector = _Collector()
    reactor.nameResolver.resolveHostName(collector, host, port)
    return collector.found


DISCOVERY_TIMEOUT = 1.0
"""
Seconds that the resolver has to find the NAT64's prefix.
"""


async def prefixTowards(
    reactor: Any, rendezvous: Address, observed: Address
) -> Prefix | None:
    """
    Find the prefix of the NAT64 between us and the rendezvous.  There is one if we
    reached the rendezvous over IPv6 and it sees us at an IPv4 address.

    @param rendezvous: the address at which we reached it.
    @param observed: the address at which it sees us.
    @return: the prefix; L{None} if there is no NAT64 or its prefix is unknown.
    """
    ours = ipOf(rendezvous)
    if not isinstance(ours, IPv6Address) or isinstance(ipOf(observed), IPv6Address):
        return None
    return wellKnownPrefix(ours) or await discoverPrefix(reactor)


async def discoverPrefix(reactor: Any) -> Prefix | None:
    """
    Ask our network's resolver for the prefix of its NAT64 (RFC 7050).

    @return: the prefix; L{None} if the resolver knows none in time.
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
class _ResolutionFilter:
    """
    Wraps a resolution receiver and holds back the addresses until all are found.
    Subclasses say in C{resolutionComplete} which addresses, in what order, to hand on.
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


class _Sorter(_ResolutionFilter):
    """
    Hands on what was found, IPv4 addresses before IPv6 addresses.
    """

    def resolutionComplete(self) -> None:
        self._tell(sorted(self._found, key=_isSix))


class _Synthesizer(_ResolutionFilter):
    """
    Hands on what was found.  If that is only IPv4, it hands on the IPv6 addresses by
    which a NAT64 reaches them, where there is one.
    """

    def __init__(self, receiver: IResolutionReceiver, reactor: Any) -> None:
        _ResolutionFilter.__init__(self, receiver)
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
    Wraps a reactor and changes the answers of its resolver.

    If this host has an IPv4 address, IPv4 addresses come first.  If it has none, and a
    name has IPv4 addresses alone, the answer is the addresses by which a NAT64 reaches
    them.  Each dial to a rendezvous makes one of these.
    """

    def __init__(self, reactor: Any, hostAddresses: HostAddresses) -> None:
        """
        @param hostAddresses: asks for the IP addresses of this host.
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

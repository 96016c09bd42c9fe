"""
Tests of L{punch.net.resolver}.

Tests for L{punch.net.resolver}.

Tests of L{punch.net.resolver}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from punch.net.address import tcpAddress
from punch.net.nat64 import IPV4_ONLY_NAME, Prefix
from punch.net.resolver import (
    DISCOVERY_TIMEOUT,
    IPv4FirstReactor,
    _Collector,
    _Sorter,
    _Synthesizer,
    prefixTowards,
    resolve,
)
from punch.testing import MemoryHost, MemoryNetwork, spin
from tests.support.doubles import PunchTestCase


@implementer(IHostResolution)
class _Resolution:
    """
    A look-up that can't be cancelled, as those in threads can't.
    """

    name = "peer.example"

    def cancel(self) -> None:
        """
        @see: L{IHostResolution.cancel}
        """
        raise NotImplementedError()


@implementer(IHostnameResolver)
class _Resolver:
    """
    Finds the addresses that it is told, at once or when it is told.
    """

    def __init__(self, *found: IAddress) -> None:
        self.found = found
        self.receiver: IResolutionReceiver
        self.atOnce = True

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: object = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """
        @see: L{IHostnameResolver.resolveHostName}
        """
        resolution = _Resolution()
        resolutionReceiver.resolutionBegan(resolution)
        self.receiver = resolutionReceiver
        if self.atOnce:
            self.complete()
        return resolution

    def complete(self) -> None:
        """
        Tell what was found.
        """
        for address in self.found:
            self.receiver.addressResolved(address)
        self.receiver.resolutionComplete()


class ResolveTests(PunchTestCase):
    """
    From names to addresses.
    """

    def setUp(self) -> None:
        """
        A host that knows a name.
        """
        self.network = MemoryNetwork(Clock(), 1)
        self.network.name("peer.example", "192.0.2.9", "2001:db8::9")
        self.host: MemoryHost = self.network.host("192.0.2.1")

    def found(self, *addresses: IAddress) -> list[IPv4Address | IPv6Address]:
        """
        What is made of what a resolver finds.
        """
        self.host.installNameResolver(_Resolver(*addresses))
        return self.successResultOf(resolve(self.host, "peer.example", 4040))

    def test_receiver(self) -> None:
        """
        Resolvers are given what they expect.
        """
        assert verifyObject(IResolutionReceiver, _Collector())

    def test_name(self) -> None:
        """
        A name has addresses of both families.
        """
        assert spin(resolve(self.host, "peer.example", 4040), self.network) == [
            tcpAddress("192.0.2.9", 4040),
            tcpAddress("2001:db8::9", 4040),
        ]

    def test_literal(self) -> None:
        """
        An IP address is its own.
        """
        for ip in ("192.0.2.7", "2001:db8::7"):
            found = spin(resolve(self.host, ip, 1), self.network)
            assert found == [tcpAddress(ip, 1)]

    def test_unknown(self) -> None:
        """
        A name that nobody knows has none.
        """
        assert spin(resolve(self.host, "nobody.example", 1), self.network) == []

    def test_twice(self) -> None:
        """
        An address that is told twice counts once.
        """
        one, other = IPv4Address("TCP", "192.0.2.9", 1), IPv6Address("TCP", "::1", 1)
        assert self.found(one, other, one) == [one, other]

    def test_useless(self) -> None:
        """
        Addresses that cannot be dialed are passed over: with a zone, or without a port.
        """
        good = IPv4Address("TCP", "192.0.2.9", 1)
        zoned = IPv6Address("TCP", "fe80::1%eth0", 1)
        portless = IPv4Address("TCP", "192.0.2.9", 0)
        assert self.found(zoned, portless, good) == [good]

    def test_cancelled(self) -> None:
        """
        Cancelling ends the wait; what is found after that is ignored.
        """
        resolver = _Resolver(IPv4Address("TCP", "192.0.2.9", 1))
        resolver.atOnce = False
        self.host.installNameResolver(resolver)
        waiting = resolve(self.host, "peer.example", 1)
        self.waiting(waiting)
        waiting.cancel()
        self.failed(waiting, CancelledError)
        resolver.complete()


@implementer(IHostnameResolver)
class _SilentResolver:
    """
    A resolver that never answers.
    """

    def resolveHostName(
        self, resolutionReceiver: IResolutionReceiver, *args: Any, **kw: Any
    ) -> IHostResolution:
        """
        @see: L{IHostnameResolver.resolveHostName}
        """
        return IHostResolution(self, None)


class PrefixTowardsTests(PunchTestCase):
    """
    Tests for L{prefixTowards}.
    """

    def setUp(self) -> None:
        """
        A host with IPv6, whose resolver knows a prefix.
        """
        self.network = MemoryNetwork(Clock(), 1)
        self.network.name(IPV4_ONLY_NAME, "192.0.0.170", "2001:db8:64::192.0.0.170")
        self.host = self.network.host("2001:db8::1")

    def found(self, rendezvous: str, observed: str) -> Deferred[Prefix | None]:
        """
        What is found where the rendezvous is there and sees us there.
        """
        addresses = tcpAddress(rendezvous, 4040), tcpAddress(observed, 4040)
        found = Deferred.fromCoroutine(prefixTowards(self.host, *addresses))
        self.network.run(0.1)
        return found

    def test_none(self) -> None:
        """
        If both addresses are of one family there is no NAT64.
        """
        for rendezvous, observed in [
            ("192.0.2.1", "198.51.100.1"),
            ("2001:db8::2", "2001:db8::1"),
            ("64:ff9b::c000:201", "2001:db8::1"),
        ]:
            assert self.successResultOf(self.found(rendezvous, observed)) is None

    def test_wellKnown(self) -> None:
        """
        The well-known prefix shows by itself.
        """
        self.network.name(IPV4_ONLY_NAME)
        found = self.successResultOf(self.found("64:ff9b::c000:201", "198.51.100.1"))
        assert found is not None
        assert found.length == 96

    def test_named(self) -> None:
        """
        Another shows in what the resolver says.
        """
        found = self.successResultOf(self.found("2001:db8:64::1", "198.51.100.1"))
        assert found is not None
        toIPv6 = found.toIPv6(tcpAddress("203.0.113.1", 4040))
        assert toIPv6 == tcpAddress("2001:db8:64::203.0.113.1", 4040)

    def test_proxy(self) -> None:
        """
        Where the resolver says nothing of the kind, it was a proxy that stands between.
        """
        self.network.name(IPV4_ONLY_NAME, "192.0.0.170")
        found = self.found("2001:db8:64::1", "198.51.100.1")
        assert self.successResultOf(found) is None

    def test_silence(self) -> None:
        """
        A resolver that does not answer is not waited for, beyond a second.
        """
        self.host.installNameResolver(_SilentResolver())
        found = self.found("2001:db8:64::1", "198.51.100.1")
        self.waiting(found)
        self.network.run(DISCOVERY_TIMEOUT)
        assert self.successResultOf(found) is None


NAMED = ("2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2")
SORTED = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]


def resolved(ours: Sequence[str]) -> list[str]:
    """
    In what order a name's addresses are told where these are ours.
    """
    network = MemoryNetwork(Clock(), 1)
    network.name("rv.example", *NAMED)
    preference = IPv4FirstReactor(network.host("192.0.2.9"), lambda: ours)
    found = spin(resolve(preference, "rv.example", 4040), network)
    assert found == [tcpAddress(each.host, 4040) for each in found]
    return [each.host for each in found]


def test_interfaces() -> None:
    """
    Endpoints are given what they expect.
    """
    reactor = MemoryNetwork(Clock(), 1).host("192.0.2.9")
    preference = IPv4FirstReactor(reactor, lambda: [])
    assert verifyObject(IHostnameResolver, preference)
    assert verifyObject(IReactorPluggableNameResolver, preference)
    assert verifyObject(IResolutionReceiver, _Sorter(_Collector()))
    assert verifyObject(IResolutionReceiver, _Synthesizer(_Collector(), reactor))


@pytest.mark.parametrize("ours", ["192.0.2.9", "10.0.0.2", "100.64.0.2"])
def test_sorted(ours: str) -> None:
    """
    Where there is IPv4, public or not, its addresses come first, each family's in the
    order in which the resolver knows them.
    """
    assert resolved(["127.0.0.1", "2001:db8::9", ours]) == SORTED


@pytest.mark.parametrize("ours", [[], ["127.0.0.1", "169.254.1.1", "2001:db8::9"]])
def test_without(ours: list[str]) -> None:
    """
    Where there is none it is left to the resolver.
    """
    assert resolved(ours) == list(NAMED)


@pytest.mark.parametrize("host", ["rv.example", "192.0.2.1"])
def test_synthesized(host: str) -> None:
    """
    Where there is none, and the name has nothing else or is such an address, a NAT64
    leads there, if there is one.
    """
    network = MemoryNetwork(Clock(), 1)
    network.name("rv.example", "192.0.2.1")
    preference = IPv4FirstReactor(network.host("2001:db8::9"), lambda: ["2001:db8::9"])
    assert spin(resolve(preference, host, 4040), network) == [
        tcpAddress("192.0.2.1", 4040)
    ]
    network.name(IPV4_ONLY_NAME, "192.0.0.170", "64:ff9b::192.0.0.170")
    assert spin(resolve(preference, host, 4040), network) == [
        tcpAddress("64:ff9b::192.0.2.1", 4040)
    ]
    assert spin(resolve(preference, "nobody.example", 4040), network) == []


def test_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    For this very host nobody asks about NAT64s.
    """
    network = MemoryNetwork(Clock(), 1)
    host = network.host("2001:db8::9")
    asked: list[str] = []

    def lookUp(name: str) -> list[str]:
        asked.append(name)
        return [name]

    monkeypatch.setattr(host, "lookUp", lookUp)
    preference = IPv4FirstReactor(host, lambda: ["127.0.0.1", "2001:db8::9"])
    found = spin(resolve(preference, "127.0.0.1", 4040), network)
    assert found == [tcpAddress("127.0.0.1", 4040)]
    assert asked == ["127.0.0.1"]

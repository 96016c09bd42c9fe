"""
Tests for L{punch.resolve}.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from punch.address import tcpAddress
from punch.resolve import _Collector, resolve
from punch.testing import MemoryHost, MemoryNetwork, spin
from tests.doubles import PunchTestCase


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
        What can't be dialed is passed over: zones, and no port.
        """
        good = IPv4Address("TCP", "192.0.2.9", 1)
        zoned = IPv6Address("TCP", "fe80::1%eth0", 1)
        portless = IPv4Address("TCP", "192.0.2.9", 0)
        assert self.found(zoned, portless, good) == [good]

    def test_cancelled(self) -> None:
        """
        To cancel is to wait no longer; what is found then is nobody's.
        """
        resolver = _Resolver(IPv4Address("TCP", "192.0.2.9", 1))
        resolver.atOnce = False
        self.host.installNameResolver(resolver)
        waiting = resolve(self.host, "peer.example", 1)
        self.waiting(waiting)
        waiting.cancel()
        self.failed(waiting, CancelledError)
        resolver.complete()

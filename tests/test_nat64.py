"""
Tests of L{punch.nat64}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from twisted.internet.task import Clock
from zope.interface import implementer

from punch.address import tcpAddress
from punch.nat64 import PATIENCE, prefixBetween
from punch.synthesis import NAME, Prefix
from punch.testing import MemoryNetwork
from tests.doubles import PunchTestCase


@implementer(IHostnameResolver)
class _Mute:
    """
    Never answers.
    """

    def resolveHostName(
        self, resolutionReceiver: IResolutionReceiver, *args: Any, **kw: Any
    ) -> IHostResolution:
        """
        @see: L{IHostnameResolver.resolveHostName}
        """
        return IHostResolution(self, None)


class PrefixBetweenTests(PunchTestCase):
    """
    Tests for L{prefixBetween}.
    """

    def setUp(self) -> None:
        """
        A host with IPv6, whose resolver knows a prefix.
        """
        self.network = MemoryNetwork(Clock(), 1)
        self.network.name(NAME, "192.0.0.170", "2001:db8:64::192.0.0.170")
        self.host = self.network.host("2001:db8::1")

    def found(self, rendezvous: str, observed: str) -> Deferred[Prefix | None]:
        """
        What is found where the rendezvous is there and sees us there.
        """
        addresses = tcpAddress(rendezvous, 4040), tcpAddress(observed, 4040)
        found = Deferred.fromCoroutine(prefixBetween(self.host, *addresses))
        self.network.run(0.1)
        return found

    def test_none(self) -> None:
        """
        Who is seen by the family over which he came is behind no NAT64.
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
        self.network.name(NAME)
        found = self.successResultOf(self.found("64:ff9b::c000:201", "198.51.100.1"))
        assert found is not None
        assert found.length == 96

    def test_named(self) -> None:
        """
        Another shows in what the resolver says.
        """
        found = self.successResultOf(self.found("2001:db8:64::1", "198.51.100.1"))
        assert found is not None
        inward = found.inward(tcpAddress("203.0.113.1", 4040))
        assert inward == tcpAddress("2001:db8:64::203.0.113.1", 4040)

    def test_proxy(self) -> None:
        """
        Where the resolver says nothing of the kind, it was a proxy that stands between.
        """
        self.network.name(NAME, "192.0.0.170")
        found = self.found("2001:db8:64::1", "198.51.100.1")
        assert self.successResultOf(found) is None

    def test_silence(self) -> None:
        """
        A resolver that does not answer is not waited for, beyond a second.
        """
        self.host.installNameResolver(_Mute())
        found = self.found("2001:db8:64::1", "198.51.100.1")
        self.waiting(found)
        self.network.run(PATIENCE)
        assert self.successResultOf(found) is None

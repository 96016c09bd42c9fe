"""
Tests of L{punch.preference}.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.internet.interfaces import (
    IHostnameResolver,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from punch.address import tcpAddress
from punch.preference import Preference, _Sorter, _Synthesizer
from punch.resolve import _Collector, resolve
from punch.synthesis import NAME
from punch.testing import MemoryNetwork, spin

NAMED = ("2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2")
SORTED = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]


def resolved(ours: Sequence[str]) -> list[str]:
    """
    In what order a name's addresses are told where these are ours.
    """
    network = MemoryNetwork(Clock(), 1)
    network.name("rv.example", *NAMED)
    preference = Preference(network.host("192.0.2.9"), lambda: ours)
    found = spin(resolve(preference, "rv.example", 4040), network)
    assert found == [tcpAddress(each.host, 4040) for each in found]
    return [each.host for each in found]


def test_interfaces() -> None:
    """
    Endpoints are given what they expect.
    """
    reactor = MemoryNetwork(Clock(), 1).host("192.0.2.9")
    preference = Preference(reactor, lambda: [])
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
    preference = Preference(network.host("2001:db8::9"), lambda: ["2001:db8::9"])
    assert spin(resolve(preference, host, 4040), network) == [
        tcpAddress("192.0.2.1", 4040)
    ]
    network.name(NAME, "192.0.0.170", "64:ff9b::192.0.0.170")
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
    preference = Preference(host, lambda: ["127.0.0.1", "2001:db8::9"])
    found = spin(resolve(preference, "127.0.0.1", 4040), network)
    assert found == [tcpAddress("127.0.0.1", 4040)]
    assert asked == ["127.0.0.1"]

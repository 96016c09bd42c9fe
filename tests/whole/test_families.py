"""
IPv4 and IPv6, of which each side may have one or both.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from punch.events import Connected, Observed
from punch.net.address import tcpAddress
from punch.peer.peer import Peer
from punch.peer.settings import Settings
from punch.testing import MemoryHost, NATBehavior, spin
from tests.support.whole.meetings import bothLinked
from tests.support.whole.world import HOP, LEG, PORT, RENDEZVOUS, World

NAMED = "rv.example.org"
SIX = "2001:db8:1::1"


class DualWorld(World):
    """
    A world whose rendezvous has both, and a name; its resolver names IPv6 first, as
    systems do.
    """

    def __init__(self) -> None:
        World.__init__(self)
        host = self.network.host(SIX, latency=LEG)
        factory = self.rendezvous.factory
        self.atEnd.append(host.listenTCP(PORT, factory, interface="::").stopListening)
        self.network.name(NAMED, SIX, RENDEZVOUS)

    def dual(self, number: int, behavior: NATBehavior | None = None) -> MemoryHost:
        """
        A host with IPv6, and IPv4 behind a NAT.
        """
        behavior = behavior or NATBehavior(strict=True)
        outer = f"198.51.100.{number}"
        nat = self.network.nat(outer, behavior, latency=LEG - HOP)
        addresses = (f"192.168.{number}.2", f"2001:db8:{number}::2")
        return self.network.host(*addresses, behind=nat, latency=HOP)

    def meetThere(self, listener: MemoryHost, dialer: MemoryHost) -> Connected:
        """
        Have two meet that reach the rendezvous by its name.
        """
        self.cast(listener, dialer)
        for program in self.programs:
            program.where = f"tcp:{NAMED}:{PORT}"
        assert bothLinked(self.meet())
        [connected] = self.dialer.told(Connected)
        return connected


@pytest.mark.parametrize("isDialer", [False, True], ids=["listener", "dialer"])
def test_onlyOneHasSix(isDialer: bool) -> None:
    """
    A peer that has both and one that has only IPv4 meet through the NATs of both.
    """
    world = DualWorld()
    sides = [world.dual(7), world.host("drop")]
    connected = world.meetThere(*(reversed(sides) if isDialer else sides))
    assert ":" not in connected.remote.rpartition(":")[0]
    world.end()


def test_bothHaveSix() -> None:
    """
    Two peers whose IPv4 NATs cannot be crossed meet over IPv6.
    """
    world = DualWorld()
    deaf = NATBehavior(simultaneousOpen=False)
    connected = world.meetThere(world.dual(7, deaf), world.dual(8, deaf))
    assert connected.remote.startswith("[2001:db8:7::2]:")
    world.end()


def test_sixAlone() -> None:
    """
    A peer that has only IPv6 does not wait for IPv4.
    """
    world = DualWorld()
    host = world.network.host("2001:db8:9::2", latency=LEG)
    connected = world.meetThere(world.dual(7), host)
    assert connected.remote.startswith("[2001:db8:7::2]:")
    [observed] = world.dialer.told(Observed)
    assert observed.address.startswith("[2001:db8:9::2]:")
    assert connected.elapsed < 0.5
    world.end()


def test_offered() -> None:
    """
    A peer offers those of its host's addresses that may be reached from elsewhere.  An
    address that needs a zone to name an interface is not one of them.
    """
    host = World().host()
    found = ["::1", "fe80::1", "2001:db8::1", "fd00::1", "127.0.0.1", "10.0.0.1"]
    peer = Peer(host, Settings(hostAddresses=lambda: found, probe=lambda *_: None))
    world = host.network
    spin(Deferred.fromCoroutine(peer.open(lambda _: None, 4000)), world)
    details = peer.details(tcpAddress("198.51.100.1", 4000))
    offered = [each.address.host for each in details.candidates]
    assert offered == ["2001:db8::1", "fd00::1", "10.0.0.1"]
    spin(peer.close(), world)

"""
A peer that has IPv6 alone, behind a NAT64, and others that have IPv4 alone.
"""

from __future__ import annotations

from typing import Any

import pytest

from punch.events import Connected, Observed
from punch.net.nat64 import IPV4_ONLY_NAME
from punch.peer.relaypolicy import RelayPolicy
from punch.testing import Allocation, MemoryHost, NATBehavior
from tests.support.whole.meetings import bothLinked
from tests.support.whole.nats import RANDOM
from tests.support.whole.program import Program
from tests.support.whole.world import HOP, LEG, PORT, RENDEZVOUS, T, World

OWN = "2001:db8:64:ff00::/56"
"""
A prefix of the network's own.
"""

OUTSIDE = "198.51.100.64"
SITE = "2001:db8:6::2"
NAMED = "rv.example.org"


class SixWorld(World):
    """
    A world with an IPv6-only host behind a NAT64.

    @ivar six: that host.
    """

    def __init__(self, prefix: str, allocation: Allocation = Allocation.RANDOM) -> None:
        World.__init__(self)
        behavior = NATBehavior(allocation=allocation)
        self.nat = self.network.nat64(OUTSIDE, behavior, LEG - HOP, prefix=prefix)
        self.six = self.network.host(SITE, behind=self.nat, latency=HOP)

    def resolves(self, name: str, address: str) -> None:
        """
        Let a DNS64 know a name.
        """
        self.network.name(name, self.nat.synthesized(address))

    def met(self, *named: Program, **chosen: Any) -> Connected:
        """
        Have the dialer dial the listener; the two must be linked then.

        @param named: those who know the rendezvous by its name, by default the dialer.
        """
        for program in named or (self.dialer,):
            program.where = f"tcp:{NAMED}:{PORT}"
        self.meet(**chosen)
        assert bothLinked(self)
        return self.dialer.told(Connected)[0]


def world(prefix: str, other: str = "drop") -> SixWorld:
    """
    A world where the host behind a NAT64 dials.
    """
    made = SixWorld(prefix)
    made.resolves(NAMED, RENDEZVOUS)
    made.cast(made.host(other), made.six)
    return made


@pytest.mark.parametrize("other", ["none", "drop", "reset", "full-cone"])
def test_wellKnownPrefix(other: str) -> None:
    """
    A NAT64 with the well-known prefix is crossed as any NAT is, and as fast, whatever
    the other side is behind; the other side's addresses are told as IPv4 addresses.
    """
    made = world("64:ff9b::/96", other)
    connected = made.met()
    assert made.dialer.told(Observed)[0].address.startswith(f"{OUTSIDE}:")
    assert connected.elapsed <= 1.3 * 4 * T
    assert connected.local.startswith(f"[{SITE}]:")
    assert connected.remote.startswith("203.0.113.")
    made.end()


def test_ownPrefix() -> None:
    """
    So is a NAT64 with a prefix of the network's own, which its DNS64 tells.
    """
    made = world(OWN)
    made.resolves(IPV4_ONLY_NAME, "192.0.0.170")
    connected = made.met()
    assert connected.remote.startswith("203.0.113.")
    made.end()


def test_listens() -> None:
    """
    The listener may be the one behind the NAT64.
    """
    made = world(OWN)
    made.resolves(IPV4_ONLY_NAME, "192.0.0.171")
    made.cast(made.six, made.host("reset"))
    made.met(made.listener)
    made.end()


def test_search() -> None:
    """
    A dialer behind a NAT64 finds the port of a NAT that maps at random.
    """
    made = world("64:ff9b::/96")
    made.cast(made.nested([RANDOM], {"latency": HOP}, LEG - HOP), made.six)
    made.rendezvous.look()
    connected = made.met()
    assert connected.kind == "predicted"
    made.end()


def test_untoldPrefix() -> None:
    """
    If nobody tells the prefix, the two are linked over the relay.
    """
    made = world(OWN)
    connected = made.met(relay=RelayPolicy.FALLBACK)
    assert connected.path == "relayed"
    made.end()


def test_literal() -> None:
    """
    The user may give the rendezvous' IPv4 address instead of its name.
    """
    made = world("64:ff9b::/96")
    made.resolves(IPV4_ONLY_NAME, "192.0.0.170")
    made.meet()
    assert bothLinked(made)
    [observed] = made.dialer.told(Observed)
    assert observed.address.startswith(f"{OUTSIDE}:")
    made.end()


def test_both() -> None:
    """
    Two peers that are both behind a NAT64 meet.
    """
    made = world("64:ff9b::/96")
    nat = made.network.nat64("198.51.100.65", NATBehavior(), LEG - HOP)
    other: MemoryHost = made.network.host("2001:db8:7::2", behind=nat, latency=HOP)
    made.cast(other, made.six)
    made.met(*made.programs[-2:])
    made.end()

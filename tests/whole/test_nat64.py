"""
A peer that has IPv6 alone, behind a NAT64, and others that have IPv4 alone.
"""

from __future__ import annotations

from typing import Any

import pytest

from punch import api
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
    A world with a host behind a NAT64.

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

    def listenThere(self, program: Program, **chosen: Any) -> None:
        """
        Have a program wait under a code, at the rendezvous by its name.
        """
        settings, where = program.settings(**chosen), f"tcp:{NAMED}:{PORT}"
        program.wants(lambda: api.listen(program.host, where, settings))

    def dialThere(self, program: Program, code: str, **chosen: Any) -> None:
        """
        Have a program dial a code, at the rendezvous by its name.
        """
        settings, where = program.settings(**chosen), f"tcp:{NAMED}:{PORT}"
        program.wants(lambda: api.dial(program.host, where, code, settings))

    def met(self, **chosen: Any) -> Connected:
        """
        Have the dialer, who is the one behind the NAT64, dial the listener.
        """
        self.listen(**chosen)
        self.run(2.0)
        self.dialThere(self.dialer, self.listener.code, **chosen)
        assert self.until(lambda: self.listener.ended and self.dialer.ended), self
        return self.dialer.told(Connected)[0]


def world(prefix: str, other: str = "drop") -> SixWorld:
    """
    A world where the one behind a NAT64 dials.
    """
    made = SixWorld(prefix)
    made.resolves(NAMED, RENDEZVOUS)
    made.cast(made.host(other), made.six)
    return made


@pytest.mark.parametrize("other", ["none", "drop", "reset", "full-cone"])
def test_wellKnownPrefix(other: str) -> None:
    """
    It is punched as any NAT is, in the time of any, whatever the other side is behind;
    and the other side's addresses are told as those of IPv4 that they are.
    """
    made = world("64:ff9b::/96", other)
    connected = made.met()
    assert bothLinked(made)
    assert made.dialer.told(Observed)[0].address.startswith(f"{OUTSIDE}:")
    assert connected.elapsed <= 1.3 * 4 * T
    assert connected.local.startswith(f"[{SITE}]:")
    assert connected.remote.startswith("203.0.113.")
    made.end()


def test_ownPrefix() -> None:
    """
    So is one with a prefix of the network's own, which its DNS64 tells.
    """
    made = world(OWN)
    made.resolves(IPV4_ONLY_NAME, "192.0.0.170")
    connected = made.met()
    assert bothLinked(made)
    assert connected.remote.startswith("203.0.113.")
    made.end()


def test_listens() -> None:
    """
    It may be the listener that is behind it.
    """
    made = world(OWN)
    made.resolves(IPV4_ONLY_NAME, "192.0.0.171")
    made.cast(made.six, made.host("reset"))
    made.listenThere(made.listener)
    code = made.listener.code
    made.run(2.0)
    made.dial(code)
    assert made.until(lambda: made.listener.ended and made.dialer.ended), made
    assert bothLinked(made)
    made.end()


def test_search() -> None:
    """
    A NAT that maps at random is searched through it.
    """
    made = world("64:ff9b::/96")
    made.cast(made.nested([RANDOM], {"latency": HOP}, LEG - HOP), made.six)
    made.rendezvous.look()
    connected = made.met()
    assert bothLinked(made)
    assert connected.kind == "predicted"
    made.end()


def test_untoldPrefix() -> None:
    """
    Where nobody tells the prefix, the two are relayed, and can go on.
    """
    made = world(OWN)
    connected = made.met(relay=RelayPolicy.FALLBACK)
    assert bothLinked(made)
    assert connected.path == "relayed"
    made.end()


def test_literal() -> None:
    """
    It may be told the rendezvous' IPv4 address in place of its name.
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
    Two who are both behind one meet.
    """
    made = world("64:ff9b::/96")
    nat = made.network.nat64("198.51.100.65", NATBehavior(), LEG - HOP)
    other: MemoryHost = made.network.host("2001:db8:7::2", behind=nat, latency=HOP)
    made.cast(other, made.six)
    made.listenThere(made.listener)
    code = made.listener.code
    made.run(2.0)
    made.dialThere(made.dialer, code)
    assert made.until(lambda: made.listener.ended and made.dialer.ended), made
    assert bothLinked(made)
    made.end()

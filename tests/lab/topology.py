"""
The laboratory: two peers, the NATs before them, a rendezvous host, and the wire.

Each party's leg of the wire has the same latency, so at the default of 20 ms all
three round trips between the parties are 80 ms.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack, closing
from random import SystemRandom

from .built import Built
from .core import Leg
from .firewalls import NETWORKS, Firewall, address6, layPublic, layRouted
from .host import Host
from .namespaces import Namespaces
from .nat64 import through64
from .nats import NAT, SAME, kindsOf
from .plumbing import Plumbing
from .sides import REACHABLE, sideOf
from .wire import Wire

RENDEZVOUS_ADDRESS = "192.0.2.1"
RENDEZVOUS_ADDRESS6 = address6("rendezvous")
SECOND_ADDRESS = "192.0.2.2"
"""
The rendezvous host's, too.
"""

PUBLIC = {"a": "198.51.100.1", "b": "203.0.113.1"}
HOPS = 4

_INSIDE = {"a": "192.168.1.{}", "b": "10.0.0.{}"}
_CARRIER = {"a": "100.64.1.{}", "b": "100.64.2.{}"}
_BEHIND_ONE = {"a": "192.168.1.2", "b": "192.168.1.3"}


class MeetingPoint(Built):
    """
    A place where three programs can meet: the hosts C{a}, C{b} and C{rendezvous}.

    @ivar rendezvousPorts: the ports at which C{a} and C{b} reach the rendezvous, if
        not at C{rendezvousPort}.
    @ivar rendezvousAddresses: likewise the addresses; if there are any, the rendezvous
        listens on IPv6 too.
    """

    a: Host
    b: Host
    rendezvous: Host
    rendezvousAddress = RENDEZVOUS_ADDRESS
    rendezvousPort = 4040
    rendezvousPorts: Mapping[str, int] = {}
    rendezvousAddresses: Mapping[str, str] = {}

    def forget(self) -> None:
        """
        Make the NATs forget what passed between the peers; here there are none.
        """


class Loopback(MeetingPoint):
    """
    This machine alone, for users who may not make namespaces: no NATs, no wire.
    """

    rendezvousAddress = "127.0.0.1"

    def __init__(self) -> None:
        with closing(socket.create_server((self.rendezvousAddress, 0))) as free:
            self.rendezvousPort = int(free.getsockname()[1])
        self.a = self.b = self.rendezvous = Host("127.0.0.1", "127.0.0.1")


class Laboratory(MeetingPoint):
    """
    Two peers, C{a} and C{b}, and a C{rendezvous}, while its C{with} block runs.
    """

    def __init__(
        self,
        kindA: str,
        kindB: str,
        *,
        latency: float = 0.02,
        loss: float = 0.0,
        hops: int = HOPS,
        seed: str = "",
    ) -> None:
        """
        @param kindA: the kind of C{a}'s side, one of L{tests.lab.nats.KINDS} or of
            L{tests.lab.sides}; C{same} must be both sides'.
        @param latency: seconds, one way, on each of the three legs of the wire.
        @param loss: the fraction of packets lost, each way, on each peer's leg (a
            packet from peer to peer passes two).
        @param hops: routers on the wire, each making a time to live smaller by one.
        @param seed: of what the NATs in user space draw; without one, it is drawn.
        @raise ValueError: only one side is C{same}.
        """
        if (kindA == SAME) != (kindB == SAME):
            raise ValueError("both sides must be behind the same NAT, or neither")
        self.kinds = {"a": kindA, "b": kindB}
        self._sides = {name: sideOf(kind) for name, kind in self.kinds.items()}
        self._seed = seed or str(SystemRandom().getrandbits(32))
        self.rendezvousPorts = {
            name: max(REACHABLE)
            for name, side in self._sides.items()
            if side.mayOnlyBrowse
        }
        self.rendezvousAddresses = {
            name: through64(RENDEZVOUS_ADDRESS) if side.is64 else RENDEZVOUS_ADDRESS6
            for name, side in self._sides.items()
            if side.isSixOnly
        }
        self._latency, self._loss, self._hops = latency, loss, hops

    def forget(self) -> None:
        """
        Make the NATs forget everything but the connections to the rendezvous.
        """
        for nat in self.nats.values():
            nat.forget()
        for firewall in self.firewalls:
            firewall.forget()
        self.wire.forget(RENDEZVOUS_ADDRESS)

    def _build(self, stack: ExitStack) -> None:
        natKinds = self._natKinds()
        roles = ["a", "b", "rendezvous", *natKinds]
        shared = self.kinds["a"] == SAME
        self._namespaces = Namespaces([*roles, "switch"] if shared else roles)
        stack.callback(self._namespaces.close)
        self._plumbing = Plumbing(self._namespaces)
        self._plumbing.tun("rendezvous", "rendezvous", RENDEZVOUS_ADDRESS)
        self._plumbing.address("rendezvous", "wan", SECOND_ADDRESS)
        self.rendezvous = self._host("rendezvous", RENDEZVOUS_ADDRESS)
        if shared:
            self._layShared()
        else:
            self.a, self.b = self._laySide("a"), self._laySide("b")
        self._lay6()
        self._plumbing.lay()
        self._translate(natKinds)
        for firewall in self.firewalls:
            firewall.start()
        self.wire = self._wire()
        stack.callback(self.wire.close)

    def _natKinds(self) -> dict[str, str]:
        if self.kinds["a"] == SAME:
            return {"nat": kindsOf(SAME)[0]}
        return {
            _nat(side, level): kind
            for side in ("a", "b")
            for level, kind in enumerate(self._sides[side].kernel)
        }

    def _laySide(self, side: str) -> Host:
        """
        A peer, the NATs before it from the nearest outward, and its leg.
        """
        lay = self._plumbing
        inner, device = side, "eth0"
        networks = (_INSIDE[side], _CARRIER[side])
        depth = len(self._sides[side].kernel)
        for level in range(depth):
            outer, network = _nat(side, level), networks[level]
            lay.cable(inner, device, outer, "lan")
            lay.address(inner, device, network.format(2))
            lay.address(outer, "lan", network.format(1))
            lay.gateway(inner, network.format(1))
            inner, device = outer, "wan"
        address = self._outermost(side)
        lay.tun(inner, side, address)
        return self._host(side, networks[0].format(2) if depth else address, side)

    def _outermost(self, name: str) -> str:
        """
        The address that a side has on its leg.
        """
        side = self._sides[name]
        if side.behavior is None or side.isPublic:
            return PUBLIC[name]
        return (_CARRIER if side.kernel else _INSIDE)[name].format(2)

    def _lay6(self) -> None:
        """
        What has IPv6 gets it.
        """
        lay, spaces = self._plumbing, self._namespaces
        self.firewalls = []
        if any(side.six for side in self._sides.values()):
            layPublic(lay, "rendezvous", "rendezvous")
        for name, side in self._sides.items():
            if side.six and side.kernel:
                router = _nat(name, 0)
                layRouted(lay, name, router, name)
                self.firewalls.append(Firewall(spaces[router], side.six))
            elif side.six:
                layPublic(lay, name, name)
            if side.isSixOnly:
                host = self.a if name == "a" else self.b
                lay.without4(name, "eth0" if side.kernel else "wan", host.address)

    def _layShared(self) -> None:
        """
        Both peers on one LAN behind one NAT, whose leg is C{a}.
        """
        self._plumbing.lan("switch", "nat", "192.168.1.1", _BEHIND_ONE)
        self._plumbing.tun("nat", "a", PUBLIC["a"])
        self.a = self._host("a", _BEHIND_ONE["a"], "a")
        self.b = self._host("b", _BEHIND_ONE["b"], "a")

    def _host(self, role: str, address: str, leg: str = "") -> Host:
        return Host(address, PUBLIC.get(leg, address), self._namespaces[role])

    def _translate(self, kinds: dict[str, str]) -> None:
        self.nats = {
            role: NAT(self._namespaces[role], kind, RENDEZVOUS_ADDRESS)
            for role, kind in kinds.items()
        }
        for nat in self.nats.values():
            nat.start()

    def _wire(self) -> Wire:
        tuns = self._plumbing.tuns
        addresses = {**PUBLIC, "rendezvous": RENDEZVOUS_ADDRESS}
        losses = {"rendezvous": 0.0}
        seconds = {"rendezvous": SECOND_ADDRESS}
        legs = [
            Leg(
                name,
                addresses[name],
                self._latency,
                losses.get(name, self._loss),
                NETWORKS[name],
                seconds.get(name, ""),
            )
            for name in tuns
        ]
        nats = {
            name: (self.kinds[name], f"{self._seed}/{name}")
            for name, side in self._sides.items()
            if side.behavior is not None
        }
        return Wire(legs, tuns, self._hops, nats)


def _nat(side: str, level: int) -> str:
    return f"{side}-nat{level + 1}"

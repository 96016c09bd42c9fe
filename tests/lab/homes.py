"""
The homes: two peers on home networks that have the same numbers, perhaps both behind
one carrier's NAT, or on one network; and neighbors there who are nobody's peer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from .core import Leg
from .host import Host
from .namespaces import Namespaces, sh
from .nats import DROP, NAT
from .plumbing import Plumbing
from .topology import HOPS, PUBLIC, RENDEZVOUS_ADDRESS, MeetingPoint
from .wire import Wire

_ROUTER = "192.168.1.1"
_ADDRESSES = {"a": "192.168.1.2", "b": "192.168.1.3"}
_NEIGHBORS = {"near-a": _ADDRESSES["b"], "near-b": _ADDRESSES["a"]}
_ACCESS = {"a": "100.64.1.{}", "b": "100.64.2.{}"}
_CARRIER = "100.64.0.2"
_LATENCY = 0.02


class Homes(MeetingPoint):
    """
    Two homes, a rendezvous and the wire, while its C{with} block runs.

    @ivar neighbors: in each peer's home, the host that has the private address of the
        other peer.
    """

    def __init__(
        self, carrier: str = "", isOneLAN: bool = False, seed: str = "7"
    ) -> None:
        """
        @param carrier: the kind (L{tests.lab.sides}) of the user-space NAT that both
            are behind; without one each home has a public address.
        @param isOneLAN: both are on one network, behind the carrier's NAT alone.
        """
        assert carrier or not isOneLAN
        self._carrier = carrier
        self._isOneLAN = isOneLAN
        self._seed = seed
        self._homes = [] if isOneLAN else ["a", "b"]
        self.neighbors: dict[str, Host] = {}

    def forget(self) -> None:
        """
        Make the NATs forget everything but the connections to the rendezvous.
        """
        for nat in self._nats:
            nat.forget()
        self._wire.forget(RENDEZVOUS_ADDRESS)

    def _build(self, stack: ExitStack) -> None:
        roles = ["a", "b", "rendezvous", *(["carrier"] if self._carrier else [])]
        for home in self._homes:
            roles += [f"{home}-nat", f"{home}-switch", f"near-{home}"]
        spaces = Namespaces([*roles, "switch"] if self._isOneLAN else roles)
        self._spaces = spaces
        stack.callback(spaces.close)
        self._plumbing = Plumbing(spaces)
        self._plumbing.tun("rendezvous", "rendezvous", RENDEZVOUS_ADDRESS)
        self._lay()
        self._plumbing.lay()
        self.a, self.b = (
            Host(_ADDRESSES[name], PUBLIC["a" if self._carrier else name], spaces[name])
            for name in ("a", "b")
        )
        self.rendezvous = Host(
            RENDEZVOUS_ADDRESS, RENDEZVOUS_ADDRESS, spaces["rendezvous"]
        )
        for home in self._homes:
            address = _NEIGHBORS[f"near-{home}"]
            self.neighbors[home] = Host(address, address, spaces[f"near-{home}"])
        self._route()
        self._wire = self._laidWire()
        stack.callback(self._wire.close)

    def _lay(self) -> None:
        lay = self._plumbing
        if self._carrier:
            lay.tun("carrier", "carrier", _CARRIER)
        if self._isOneLAN:
            lay.lan("switch", "carrier", _ROUTER, _ADDRESSES)
        for home in self._homes:
            nat, access = f"{home}-nat", _ACCESS[home]
            near = f"near-{home}"
            people = {home: _ADDRESSES[home], near: _NEIGHBORS[near]}
            lay.lan(f"{home}-switch", nat, _ROUTER, people)
            if self._carrier:
                lay.cable(nat, "wan", "carrier", f"port-{home}")
                lay.address(nat, "wan", access.format(2))
                lay.address("carrier", f"port-{home}", access.format(1))
                lay.gateway(nat, access.format(1))
            else:
                lay.tun(nat, home, PUBLIC[home])

    def _route(self) -> None:
        self._nats = [
            NAT(self._spaces[f"{home}-nat"], DROP, RENDEZVOUS_ADDRESS)
            for home in self._homes
        ]
        for nat in self._nats:
            nat.start()
        if self._carrier:
            forward = ["sysctl", "-qw", "net.ipv4.ip_forward=1"]
            sh(self._spaces["carrier"].command(forward))

    def _laidWire(self) -> Wire:
        tuns = self._plumbing.tuns
        addresses = {
            **PUBLIC,
            "carrier": PUBLIC["a"],
            "rendezvous": RENDEZVOUS_ADDRESS,
        }
        legs: Sequence[Leg] = [Leg(name, addresses[name], _LATENCY) for name in tuns]
        nats = {"carrier": (self._carrier, self._seed)} if self._carrier else {}
        return Wire(legs, tuns, HOPS, nats)

"""
The faults: what befalls a path in the laboratory, and kills it.

Each does its harm on one peer's side, waits until the network is whole again, and
returns that instant (L{time.monotonic}, which all processes of a machine share).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from time import monotonic, sleep

from .host import Host
from .namespaces import Namespace, sh
from .nats import NAT
from .topology import Laboratory

DOWN = 1.0
"""
How many seconds L{unplug} leaves a peer without its network.
"""

RESETTING = 0.3
"""
For how many seconds L{reset} answers with RST: what is under way meets it.
"""

Fault = Callable[[Laboratory, str], float]


class Uplink:
    """
    The interface through which a namespace reaches everything, and the route there.
    """

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        listing = ["ip", "-n", namespace.name, "route", "show", "default"]
        self._route = sh(listing).strip()
        words = self._route.split()
        self._device = words[words.index("dev") + 1]

    def down(self) -> None:
        """
        Take the interface down; its routes go, its addresses stay.
        """
        self._namespace.ip([f"link set {self._device} down"])

    def up(self) -> None:
        """
        Bring it up again as it was.
        """
        up = f"link set {self._device} up"
        self._namespace.ip([up, f"route add {self._route}"])

    def readdress(self, old: str, new: str) -> None:
        """
        Give it another address in place of one.
        """
        self._namespace.ip(
            [
                f"addr del {old}/24 dev {self._device}",
                f"addr add {new}/24 dev {self._device}",
                f"route replace {self._route}",
            ]
        )


def flush(lab: Laboratory, side: str) -> float:
    """
    The side's outermost NAT loses its memory.  Nobody is told: packets of what was
    open vanish, both ways.
    """
    outermost(lab, side).flush()
    return monotonic()


def unplug(lab: Laboratory, side: str, seconds: float = DOWN) -> float:
    """
    The peer's interface goes down, and comes up after a while as it was.  What was
    open is not dead: TCP tries again, later and later.
    """
    uplink = Uplink(namespaceOf(peerOf(lab, side)))
    uplink.down()
    sleep(seconds)
    uplink.up()
    return monotonic()


def reset(lab: Laboratory, side: str, towards: str = "") -> float:
    """
    The side's outermost NAT answers what is to or from an address with RST for a
    while: who says something then is told.

    @param towards: that address; without one, the other peer's public one.
    """
    other = {"a": lab.b, "b": lab.a}[side].publicAddress
    nat = outermost(lab, side)
    nat.startResetting(towards or other)
    sleep(RESETTING)
    nat.stopResetting()
    return monotonic()


def move(lab: Laboratory, side: str) -> float:
    """
    The peer has another address, as in another Wi-Fi; nobody answers at the old one.
    """
    host = peerOf(lab, side)
    new = _next(host.address)
    Uplink(namespaceOf(host)).readdress(host.address, new)
    host.address = new
    return monotonic()


def renumber(lab: Laboratory, side: str) -> float:
    """
    The side's outermost NAT has another public address, as providers do at night.
    """
    host = peerOf(lab, side)
    old, new = host.publicAddress, _next(host.publicAddress)
    lab.wire.set(side, address=new)
    Uplink(outermost(lab, side).namespace).readdress(old, new)
    host.publicAddress = new
    return monotonic()


FAULTS: dict[str, Fault] = {
    "flush": flush,
    "unplug": unplug,
    "reset": reset,
    "move": move,
    "renumber": renumber,
}
"""
All that befall one side, by name.
"""


def peerOf(lab: Laboratory, side: str) -> Host:
    """
    The peer of a side, C{a} or C{b}.
    """
    return {"a": lab.a, "b": lab.b}[side]


def outermost(lab: Laboratory, side: str) -> NAT:
    """
    The NAT of a side that has its public address.
    """
    return [nat for role, nat in lab.nats.items() if role.startswith(side)][-1]


def namespaceOf(host: Host) -> Namespace:
    """
    A laboratory's host has one.
    """
    assert host.namespace is not None
    return host.namespace


def _next(address: str) -> str:
    """
    An address that nobody has yet.
    """
    return str(IPv4Address(address) + 10)

"""
The plumbing between namespaces: cables, switches, TUN devices, addresses, routes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from .namespaces import Namespace, Namespaces, sh
from .tun import openTUN

_QUEUE = 10_000

_CONGESTION = "/proc/sys/net/ipv4/tcp_{}congestion_control"


class Plumbing:
    """
    What is to be laid, collected, and then done in few commands.
    """

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces
        self._links: list[str] = []
        self._within: dict[Namespace, list[str]] = defaultdict(list)
        self.tuns: dict[str, int] = {}
        """
        The descriptors of the TUN devices, by the name of their leg.
        """

    def cable(self, inner: str, device: str, outer: str, outerDevice: str) -> None:
        """
        A cable between two namespaces, with a network interface at each end.
        """
        a, b = self._namespaces[inner].name, self._namespaces[outer].name
        self._links.append(
            f"link add name {device} netns {a} type veth"
            f" peer name {outerDevice} netns {b}"
        )

    def switch(self, role: str, ports: list[str]) -> None:
        """
        Make a namespace a switch between its interfaces.
        """
        lines = ["link add name switch type bridge", "link set switch up"]
        for port in ports:
            lines += [f"link set {port} up", f"link set {port} master switch"]
        self._within[self._namespaces[role]] += lines

    def lan(
        self, switch: str, router: str, gateway: str, hosts: Mapping[str, str]
    ) -> None:
        """
        A network of hosts, by role with their addresses, behind a router.

        @param switch: the role of the namespace that is their switch.
        @param gateway: the router's address there, on its C{lan}.
        """
        for name, address in hosts.items():
            self.cable(name, "eth0", switch, f"port-{name}")
            self.address(name, "eth0", address)
            self.gateway(name, gateway)
        self.cable(router, "lan", switch, "uplink")
        self.address(router, "lan", gateway)
        self.switch(switch, [*(f"port-{name}" for name in hosts), "uplink"])

    def tun(self, role: str, leg: str, address: str) -> None:
        """
        The interface C{wan} of a party on the wire: everything goes there.
        """
        namespace = self._namespaces[role]
        with namespace.entered():
            self.tuns[leg] = openTUN("wan")
        # As long as what TCP may have under way: a burst is the wire's to carry.
        self._within[namespace].append(f"link set wan txqueuelen {_QUEUE}")
        self.address(role, "wan", address)
        self._within[namespace].append("route add default dev wan")

    def address(self, role: str, device: str, address: str) -> None:
        """
        Give an interface an address in a network of 256.
        """
        self._within[self._namespaces[role]] += [
            f"addr add {address}/24 dev {device}",
            f"link set {device} up",
        ]

    def address6(self, role: str, device: str, address: str) -> None:
        """
        Give an interface that has an address one of IPv6, in a network of 64 bits.
        """
        # Without the second in which the kernel asks whether somebody else has it.
        line = f"addr add {address}/64 dev {device} nodad"
        self._within[self._namespaces[role]].append(line)

    def gateway(self, role: str, address: str) -> None:
        """
        Send from C{role} through that address what is not for a neighbor.
        """
        everything = "::/0" if ":" in address else "default"
        line = f"route add {everything} via {address}"
        self._within[self._namespaces[role]].append(line)

    def wire6(self, role: str) -> None:
        """
        Everything of IPv6 goes to the wire, too.
        """
        self._within[self._namespaces[role]].append("route add ::/0 dev wan")

    def without4(self, role: str, device: str, address: str) -> None:
        """
        Take the address of IPv4 away again, and with it its routes.
        """
        line = f"addr del {address}/24 dev {device}"
        self._within[self._namespaces[role]].append(line)

    def lay(self) -> None:
        """
        Do it.
        """
        sh(["ip", "-batch", "-"], "\n".join(self._links))
        congestion = _congestionControl()
        for namespace, lines in self._within.items():
            namespace.ip(["link set lo up", *lines])
            with namespace.entered():
                Path(_CONGESTION.format("")).write_text(congestion, encoding="ascii")


def _congestionControl() -> str:
    """
    One that every run can have, whatever this machine's own is.  BBR takes what two
    crossing SYNs make for a round trip, and is slow for its first ten seconds.
    """
    allowed = Path(_CONGESTION.format("allowed_")).read_text(encoding="ascii")
    return "cubic" if "cubic" in allowed.split() else "reno"

"""
The IPv6 of a side: its addresses, and the firewall before them.

Nobody's address is changed.  What a firewall lets in is what a NAT does that keeps
ports: answers to what went out, from where that went.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .namespaces import Namespace, sh
from .nats import KEPT_MARK, UNSOLICITED, RulesNotLoaded
from .plumbing import Plumbing

NETWORKS = {
    "a": "2001:db8:a::",
    "b": "2001:db8:b::",
    "rendezvous": "2001:db8:1::",
}
"""
The network of each party.
"""

OPEN, SILENT, RESETS, PROHIBITS = "open", "silent", "resets", "prohibits"

_ANSWERS: Mapping[str, str] = {
    OPEN: "accept",
    SILENT: "drop",
    RESETS: "reject with tcp reset",
    # What firewalld does, and RFC 6092 wants of routers at home.
    PROHIBITS: "reject with icmpv6 type admin-prohibited",
}

_RULES = """\
table ip6 lab {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ip6 daddr %s ct mark set %s
		ct state established,related accept
		iifname "lan" oifname "wan" accept
		%s %s
	}
}
"""


@dataclass(frozen=True)
class Firewall:
    """
    One on a router, with a C{lan} and a C{wan}; C{kind} is what it does about
    unsolicited SYNs.
    """

    namespace: Namespace
    kind: str

    def start(self) -> None:
        """
        Put the rules into force and forward packets.

        @raise RulesNotLoaded: the kernel took the rules but does not have them.
        """
        command, answer = self.namespace.command, _ANSWERS[self.kind]
        kept = (address6("rendezvous"), KEPT_MARK)
        sh(command(["nft", "-f", "-"]), _RULES % (*kept, UNSOLICITED, answer))
        listing = sh(command(["nft", "list", "table", "ip6", "lab"]))
        if "hook forward" not in listing or answer.split()[-1] not in listing:
            raise RulesNotLoaded(listing)
        sh(command(["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"]))

    def forget(self) -> None:
        """
        Forget all connections but those to the rendezvous.
        """
        command = self.namespace.command(["conntrack", "-D", "-f", "ipv6", "-m", "0"])
        sh(command, fine=(0, 1))  # 1: there were none


def address6(name: str) -> str:
    """
    The address of a party.
    """
    return f"{NETWORKS[name]}2"


def layPublic(plumbing: Plumbing, role: str, name: str) -> None:
    """
    A party that has its address on the wire.
    """
    plumbing.address6(role, "wan", address6(name))
    plumbing.wire6(role)


def layRouted(plumbing: Plumbing, role: str, router: str, name: str) -> None:
    """
    A party behind a router, which gets a firewall.
    """
    plumbing.address6(role, "eth0", address6(name))
    plumbing.address6(router, "lan", f"{NETWORKS[name]}1")
    # The kernel's own of that kind is of use only after a second or two, and until then
    # the router asks for nobody.
    plumbing.address6(router, "lan", "fe80::1")
    plumbing.gateway(role, f"{NETWORKS[name]}1")
    plumbing.wire6(router)

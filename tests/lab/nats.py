"""
The NATs: what each kind's nftables rules are, and that they are in force.

A NAT has two interfaces, C{lan} and C{wan}.  All kinds but C{random} preserve the
port, so they map one inside address and port alike for every destination
(endpoint-independent in the words of RFC 4787), as long as nobody else has taken
it; all but C{full-cone} filter by address and port.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from .namespaces import Namespace, sh

NONE, DROP, RESET, REJECT = "none", "drop", "reset", "reject"
FULL_CONE, DOUBLE, RANDOM, SAME = "full-cone", "double", "random", "same"

PER_SIDE = (NONE, DROP, RESET, REJECT, FULL_CONE, DOUBLE)
"""
What a side can be that is expected to reach every other.
"""

PAIRS = (*((a, b) for a in PER_SIDE for b in PER_SIDE), (SAME, SAME))
"""
All pairs, listener's kind first, that are expected to connect.
"""

KINDS = (*PER_SIDE, RANDOM, SAME)

KEPT_MARK = 1
"""
The mark of connections that L{NAT.forget} keeps.
"""

UNSOLICITED = "tcp flags & (syn | ack) == syn"


class RulesNotLoaded(Exception):
    """
    The kernel does not have the rules that we gave it, so this is no NAT.
    """


class Rule(NamedTuple):
    """
    One rule of a chain.  The kernel keeps C{name} as the rule's comment, by which
    we find it again; its listing may spell C{text} differently.
    """

    chain: str
    name: str
    text: str


@dataclass(frozen=True)
class RuleSet:
    """
    The rules of one kind of NAT, and its map of admitted ports if it has one.
    """

    rules: tuple[Rule, ...]
    declarations: str = ""

    def render(self) -> str:
        """
        The rules in C{nft}'s language, one a line.
        """
        chains = "".join(self._renderChain(*chain) for chain in _CHAINS)
        return f"table ip lab {{\n{self.declarations}{chains}}}\n"

    def _renderChain(self, name: str, hook: str, policy: str) -> str:
        rules = "".join(
            f'\t\t{rule.text} comment "{rule.name}"\n'
            for rule in self.rules
            if rule.chain == name
        )
        return f"\tchain {name} {{\n\t\t{hook}; policy {policy};\n{rules}\t}}\n"

    def verify(self, listing: str) -> None:
        """
        Compare with what C{nft list ruleset} says.

        @raise RulesNotLoaded: a rule or a chain's hook is missing, or out of order.
        """
        wanted = [
            rule.name
            for name, _, _ in _CHAINS
            for rule in self.rules
            if rule.chain == name
        ]
        hooks = [hook.split()[3] for _, hook, _ in _CHAINS]
        if (
            re.findall(r'comment "([^"]*)"', listing) != wanted
            or re.findall(r"type \w+ hook (\w+) priority", listing) != hooks
        ):
            raise RulesNotLoaded(f"wanted {wanted}, but the kernel has:\n{listing}")


_CHAINS = (
    ("prerouting", "type nat hook prerouting priority dstnat", "accept"),
    ("forward", "type filter hook forward priority filter", "drop"),
    ("input", "type filter hook input priority filter", "drop"),
    ("postrouting", "type nat hook postrouting priority srcnat", "accept"),
)

_MAPPED = """\
	map mapped {
		type inet_service : ipv4_addr . inet_service
		flags dynamic,timeout
		timeout 5m
	}
"""

# A reject statement answers and drops.  The kernel confirms a connection only when
# its first packet passes, so neither it nor a silent drop leaves a conntrack entry:
# one would occupy the very tuple that the peers' outbound SYN is about to need, and
# cost it its port.
_ANSWERS = {
    RESET: Rule("input", "answer RST", f"{UNSOLICITED} reject with tcp reset"),
    REJECT: Rule(
        "input",
        "answer port-unreachable",
        f"{UNSOLICITED} reject with icmp type port-unreachable",
    ),
}

# Before the table that makes it a NAT.  Either direction: conntrack translates the
# answers as it would translate the other side's.
_RESETTING = """\
table ip fault {
	chain forward {
		type filter hook forward priority filter - 10; policy accept;
		ip daddr %s meta l4proto tcp reject with tcp reset
		ip saddr %s meta l4proto tcp reject with tcp reset
	}
}
"""

_ADMISSION = (
    Rule(
        "prerouting",
        "admit to mapped ports",
        'iifname "wan" meta l4proto tcp dnat ip to tcp dport map @mapped',
    ),
    Rule(
        "forward",
        "remember the mapping",
        'iifname "lan" oifname "wan" '
        "update @mapped { tcp sport : ip saddr . tcp sport }",
    ),
    Rule("forward", "admitted", 'iifname "wan" ct status dnat accept'),
)


def ruleSet(kind: str, rendezvous: str) -> RuleSet:
    """
    The rules of a NAT of this kind.

    @param rendezvous: the address whose connections L{NAT.forget} keeps.
    """
    manner = " fully-random" if kind == RANDOM else ""
    rules = [
        Rule("forward", "solicited", "ct state established,related accept"),
        Rule("forward", "outbound", 'iifname "lan" oifname "wan" accept'),
        Rule("postrouting", "masquerade", f'oifname "wan" masquerade{manner}'),
    ]
    mark = f"ip daddr {rendezvous} ct mark set {KEPT_MARK}"
    rules.insert(0, Rule("forward", "mark rendezvous", mark))
    if kind == FULL_CONE:
        rules[1:1] = _ADMISSION
        return RuleSet(tuple(rules), _MAPPED)
    if kind in _ANSWERS:
        rules.append(_ANSWERS[kind])
    return RuleSet(tuple(rules))


class NAT:
    """
    A namespace that translates between its C{lan} and its C{wan}.
    """

    def __init__(self, namespace: Namespace, kind: str, rendezvous: str) -> None:
        """
        @param kind: one of L{KINDS}; a double one is made of two of kind drop.
        """
        self.namespace = namespace
        self.kind = kind
        self._ruleSet = ruleSet(kind, rendezvous)

    def start(self) -> None:
        """
        Put the rules into force and forward packets.

        @raise RulesNotLoaded: the kernel took the rules but does not have them.
        """
        command = self.namespace.command
        sh(command(["nft", "-f", "-"]), self._ruleSet.render())
        self._ruleSet.verify(sh(command(["nft", "list", "ruleset"])))
        sh(command(["sysctl", "-qw", "net.ipv4.ip_forward=1"]))

    def forget(self) -> None:
        """
        Forget all connections but those to the rendezvous.
        """
        command = self.namespace.command(["conntrack", "-D", "-m", "0"])
        sh(command, fine=(0, 1))  # 1: there were none

    def flush(self) -> None:
        """
        Forget everything, as after a power cut, and take no TCP connection up again
        whose beginning it has not seen: what was open is dead, and nobody is told.
        """
        # By default a segment from inside would make the lost entry anew.
        loose = "net.netfilter.nf_conntrack_tcp_loose=0"
        sh(self.namespace.command(["sysctl", "-qw", loose]))
        sh(self.namespace.command(["conntrack", "-F"]))

    def startResetting(self, address: str) -> None:
        """
        Answer every TCP segment to and from an address with RST, until
        L{stopResetting}.
        """
        sh(self.namespace.command(["nft", "-f", "-"]), _RESETTING % (address, address))

    def stopResetting(self) -> None:
        """
        Forward them again.
        """
        sh(self.namespace.command(["nft", "delete", "table", "ip", "fault"]))

    def connections(self) -> list[str]:
        """
        The connections that it knows, a line of C{conntrack -L} each.
        """
        listing = sh(self.namespace.command(["conntrack", "-L"]))
        return listing.splitlines()


def kindsOf(side: str) -> tuple[str, ...]:
    """
    The kinds of the NATs that a side is behind, the nearest first.
    """
    return {NONE: (), DOUBLE: (DROP, DROP), SAME: (DROP,)}.get(side, (side,))

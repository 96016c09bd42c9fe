"""
The assessment: what the findings of a check mean for direct links.

The verdict is about the mapping, since that alone decides whether the other side can
be told where to find us: with a NAT that keeps ports, or none, a direct link is
likely; with one whose next port can be foretold or searched it is possible; where
nothing is known it is unlikely; and it is blocked if not even the rendezvous can be
reached from the shared port.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_network
from typing import Any

from punch.check.report import Evidence, Report, Value, Verdict
from punch.check.trialresult import TrialResult
from punch.nat.behavior import (
    Allocation,
    Mapping,
    ObservedBehavior,
    behaviorFromPorts,
    describeAllocation,
    mappingOf,
)
from punch.net.address import Address, formatAddress, ipOf, leavesLink
from punch.net.outcome import Outcome
from punch.rendezvous.commands import PROBE_ANSWERS

_WITHIN = tuple(
    ip_network(each)
    for each in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10"),
    )
)
"""
Addresses that mean something on this side of a NAT only.
"""


class Reach(Enum):
    """
    From where the rendezvous can be reached.
    """

    SHARED = "from the shared port"
    OTHER = "from another port only"
    NOT = "not at all"


_EXPLAINED = {
    Outcome.CONNECTED: "accepted",
    Outcome.REFUSED: "refused (RST, or ICMP port unreachable)",
    Outcome.TIMED_OUT: "dropped (no answer)",
    Outcome.UNREACHABLE: "unreachable (ICMP)",
}


@dataclass(frozen=True)
class Knock:
    """
    A SYN to our outside address.  C{arrived}: whether we accepted it.
    """

    answer: Outcome
    arrived: bool

    @property
    def isLetIn(self) -> bool:
        """
        Whether it was us who answered.
        """
        return self.answer is Outcome.CONNECTED and self.arrived

    @property
    def isKnown(self) -> bool:
        """
        Whether it was, or nobody did: somebody else's answer tells nothing.
        """
        return self.isLetIn or self.answer not in (Outcome.CONNECTED, Outcome.FAILED)


@dataclass(frozen=True)
class Idle:
    """
    How long connections were silent: the longest that still worked, and the shortest
    that did not, in seconds.
    """

    held: float | None
    lost: float | None


_NOT_ASKED = Value.notTested("")
_ONE_LOOK = Value.notTested("the rendezvous looks from one port only")
_NOT_LONG = Value.notTested("--long tests it")
_NO_PAIR = Value.notTested("--code, or --name, tests it")


@dataclass(frozen=True)
class Findings:
    """
    What the probes have found; those that found nothing say why in a L{Value}.

    C{addresses}: this host's own.  C{seen}: by which addresses the shared port was
    seen, and as what, by the rendezvous first.  C{others}: other ports of ours, and as
    what they were seen.  C{knock}: by the rendezvous, from a port that we had not
    contacted.  C{elsewhere}: from an address of its that we had not, either.
    C{hairpin}: by ourselves.  C{other}: as what the shared port is seen over the other
    of IPv4 and IPv6.  C{is64}: the rendezvous, which has IPv4, was reached over IPv6
    through a NAT64.  C{pair}: what a rehearsal with another peer came to.  C{why}: what
    kept us from the rendezvous.
    """

    port: int
    addresses: frozenset[str]
    reach: Reach = Reach.NOT
    why: str = ""
    seen: tuple[tuple[Address, Address], ...] = ()
    is64: bool = False
    unseen: Value = _ONE_LOOK
    others: tuple[tuple[int, Address], ...] = ()
    knock: Knock | Value = _NOT_ASKED
    elsewhere: Knock | Value = _NOT_ASKED
    hairpin: Knock | Value = _NOT_ASKED
    other: Address | Value = _NOT_ASKED
    idle: Idle | Value = _NOT_LONG
    pair: TrialResult | Value = _NO_PAIR
    evidence: tuple[Evidence, ...] = ()

    @property
    def outward(self) -> list[str]:
        """
        Those of this host's addresses that lead beyond it and its link.
        """
        return sorted(filter(leavesLink, self.addresses))

    @property
    def observed(self) -> Address | None:
        """
        As what the rendezvous sees us.
        """
        return self.seen[0][1] if self.seen else None

    @property
    def mapping(self) -> Mapping | None:
        """
        How the shared port is mapped, if that is known.
        """
        return mappingOf(self.seen)

    @property
    def isBare(self) -> bool:
        """
        Whether there is no NAT.
        """
        seen = {outside for _, outside in self.seen}
        return bool(seen) and all(
            each.host in self.addresses and each.port == self.port for each in seen
        )

    @property
    def behavior(self) -> ObservedBehavior | None:
        """
        How new mappings get their ports, if more than one was seen.
        """
        mapping = self.mapping or Mapping.ENDPOINT_INDEPENDENT
        pairs = [(self.port, outside) for _, outside in self.seen] + [*self.others]
        if self.others and all(inside == out.port for inside, out in pairs):
            return ObservedBehavior(mapping)
        kept = mapping is Mapping.ENDPOINT_INDEPENDENT
        ports = [out.port for _, out in (self.others if kept else pairs)]
        return behaviorFromPorts(mapping, ports) if len(ports) > 1 else None


def assess(found: Findings) -> Report:
    """
    What that means.
    """
    verdict = _verdict(found)
    first = found.observed
    isSix = first is not None and ":" in first.host
    ours = _where(found, first) if first is not None else _unreached(found)
    other = found.other
    theirs = other if isinstance(other, Value) else _where(found, other)
    values = {
        "ipv4": theirs if isSix else ours,
        "ipv6": ours if isSix else theirs,
        "mapping": _mapping(found),
        "filtering": _filtering(found),
        "allocation": _allocation(found),
        "unsolicited": _unsolicited(found),
        "hairpin": _hairpin(found),
        "preservation": _preservation(found),
        "lifetime": _lifetime(found),
        **_pair(found.pair),
    }
    more = found.pair.evidence if isinstance(found.pair, TrialResult) else ()
    evidence = found.evidence + more
    return Report(verdict, values, evidence, _advice(found, verdict))


def _pair(pair: TrialResult | Value) -> dict[str, Value]:
    if isinstance(pair, Value):
        return {"peer": pair, "pair": pair}
    return {"peer": pair.peerValue(), "pair": pair.pairValue()}


def _verdict(found: Findings) -> Verdict:
    if found.reach is not Reach.SHARED:
        return Verdict.BLOCKED
    if found.mapping is Mapping.ENDPOINT_INDEPENDENT:
        return Verdict.LIKELY
    if found.mapping is None:
        return Verdict.LIKELY if found.isBare else Verdict.UNLIKELY
    return Verdict.POSSIBLE


def _unreached(found: Findings) -> Value:
    return Value.failed("the rendezvous was not reached")


def _where(found: Findings, address: Address) -> Value:
    isOurs = address.host in found.addresses
    note = "no NAT" if isOurs and address.port == found.port else "behind a NAT"
    note += "64" if found.is64 else ""
    if not isOurs and ":" not in address.host:
        inside = [each for each in found.outward if ":" not in each]
        note += f"; here {', '.join(inside)}" if inside else ""
    return Value.tested(f"{formatAddress(address)} ({note})", formatAddress(address))


def _mapping(found: Findings) -> Value:
    if not found.seen:
        return _unreached(found)
    if found.mapping is None:
        return found.unseen
    return Value.tested(found.mapping.value, found.mapping.value)


def _filtering(found: Findings) -> Value:
    """
    A knock from the address that we have contacted tells of ports alone; it takes one
    from another to tell more.
    """
    knock, elsewhere = found.knock, found.elsewhere
    if isinstance(knock, Value):
        return knock
    if not knock.isKnown:
        return Value.failed("what answered there was not us")
    if not knock.isLetIn:
        kind = Mapping.ADDRESS_AND_PORT_DEPENDENT
    elif isinstance(elsewhere, Value) or not elsewhere.isKnown:
        value = "address-dependent or endpoint-independent"
        return Value.tested(value, "not-port-dependent")
    else:
        isOpen = elsewhere.isLetIn
        kind = Mapping.ENDPOINT_INDEPENDENT if isOpen else Mapping.ADDRESS_DEPENDENT
    return Value.tested(kind.value, kind.value)


def _unsolicited(found: Findings) -> Value:
    knock = found.knock
    if isinstance(knock, Value):
        return knock
    if knock.answer is Outcome.FAILED:
        return Value.failed("the rendezvous could not knock")
    return Value.tested(_EXPLAINED[knock.answer], PROBE_ANSWERS[knock.answer])


def _allocation(found: Findings) -> Value:
    if not found.seen:
        return _unreached(found)
    if found.isBare:
        return Value.tested("preserves the port (no NAT)", {"kind": "preserve"})
    if not found.others:
        return found.unseen
    known = found.behavior
    if known is None:
        return Value.failed("too few answers")
    fields: dict[str, Any] = {"kind": known.allocation.value, "step": known.step}
    if known.allocation is Allocation.RANDOM:
        fields["ports"] = list(known.ports)
    return Value.tested(describeAllocation(known), fields)


def _hairpin(found: Findings) -> Value:
    knock = found.hairpin
    if isinstance(knock, Value):
        return knock
    if knock.answer is Outcome.FAILED:
        return Value.failed("no connect was possible")
    if knock.arrived:
        return Value.tested("yes", True)
    why = _EXPLAINED[knock.answer]
    if knock.answer is Outcome.CONNECTED:
        why = "accepted, but not by us"
    return Value.tested(f"no, {why}", False)


def _preservation(found: Findings) -> Value:
    pairs = [(found.port, outside) for _, outside in found.seen] + [*found.others]
    if not pairs:
        return _unreached(found)
    kept = sum(inside == outside.port for inside, outside in pairs)
    if kept == len(pairs):
        return Value.tested("yes", True)
    return Value.tested(f"{kept} of {len(pairs)}" if kept else "no", False)


def _lifetime(found: Findings) -> Value:
    idle = found.idle
    if isinstance(idle, Value):
        return idle
    fields = {"held": idle.held, "lost": idle.lost}
    if idle.held is not None and idle.lost is not None:
        return Value.tested(f"{idle.held:g} to {idle.lost:g} s of silence", fields)
    if idle.lost is not None:
        return Value.tested(f"less than {idle.lost:g} s of silence", fields)
    if idle.held is None:
        return Value.failed("the rendezvous hung up")
    return Value.tested(f"at least {idle.held:g} s of silence", fields)


def isWithin(address: Address) -> bool:
    """
    Whether who sees us at C{address} stands on our side of some NAT.
    """
    ip = ipOf(address)
    return any(ip in network for network in _WITHIN)


def _advice(found: Findings, verdict: Verdict) -> str:
    """
    One line.
    """
    if found.reach is Reach.NOT:
        return f"the rendezvous cannot be reached: {found.why}"
    if isinstance(found.pair, TrialResult) and found.pair.advice:
        return found.pair.advice
    if verdict is Verdict.BLOCKED:
        return (
            f"the rendezvous answers other ports than {found.port}: choose another"
            " --port, or let this one pass your firewall"
        )
    if found.observed is not None and isWithin(found.observed):
        return (
            "the rendezvous stands inside your own network, so this tells nothing of"
            " what is between it and the world: ask one outside"
        )
    if verdict is Verdict.LIKELY:
        return "nothing needs to be done"
    if verdict is Verdict.UNLIKELY:
        return (
            "nobody could tell whether your NAT keeps ports: use a rendezvous that"
            " answers STUN, on a port that you can reach"
        )
    return _adviceToMovers(found.behavior)


def _adviceToMovers(known: ObservedBehavior | None) -> str:
    """
    For those whose NAT gives a new port for each destination.
    """
    if known is not None and known.isSequential:
        return (
            "your next port can be foretold, so most peers can be met; leave --relay"
            " at fallback for the rest"
        )
    return (
        "a peer that keeps its port can be met after a search of some seconds (leave"
        " --search on); two like you need the relay, or a forwarded --port on one side"
    )

"""
The assessment: what the findings of a check mean for direct links.

The verdict depends on the mapping, because only the mapping decides whether the peer
can be told where to find us:

  - I{likely}: the NAT keeps ports, or there is none;
  - I{possible}: the NAT's next port can be predicted, or searched for;
  - I{unlikely}: nothing is known of the mapping;
  - I{blocked}: not even the rendezvous can be reached from the shared port.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_network
from typing import Any

from punch.check.report import Evidence, Likelihood, Report, Value
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

_INSIDE = tuple(
    ip_network(each)
    for each in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10"),
    )
)
"""
Networks whose addresses mean something on this side of a NAT only.
"""


class Reachability(Enum):
    """
    From which of our ports the rendezvous can be reached.
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
class InboundProbe:
    """
    What came of a SYN that was sent to our outside address.

    @ivar answer: the outcome for whoever sent it.
    @ivar arrived: whether the connection came in at our shared port.
    """

    answer: Outcome
    arrived: bool

    @property
    def isAccepted(self) -> bool:
        """
        Whether a connection came about, and with us.
        """
        return self.answer is Outcome.CONNECTED and self.arrived

    @property
    def isKnown(self) -> bool:
        """
        Whether the answer tells something of our NATs; that of somebody else, who
        has our outside address, does not.
        """
        return self.isAccepted or self.answer not in (Outcome.CONNECTED, Outcome.FAILED)


@dataclass(frozen=True)
class IdleTimeout:
    """
    For how long the NATs keep the mapping of an idle connection, in seconds.

    @ivar held: the longest idle time after which a connection still worked, if any.
    @ivar lost: the shortest after which one did not, if any.
    """

    held: float | None
    lost: float | None


_NOT_ASKED = Value.notTested("")
_ONE_PORT = Value.notTested("the rendezvous looks from one port only")
_NOT_LONG = Value.notTested("--long tests it")
_UNREACHED = Value.failed("the rendezvous was not reached")
_NO_PAIR = Value.notTested("--code, or --name, tests it")


@dataclass(frozen=True)
class Findings:
    """
    What the probes have found.  L{punch.check.probes.CheckRun} answers with it.

    A L{Value} instead of a finding says why there is none.

    @ivar port: the shared port.
    @ivar addresses: this host's own IP addresses.
    @ivar why: why the rendezvous was not reached, if it was not.
    @ivar seen: pairs of an observer's address, and the outside address that it sees the
        shared port at; that of the rendezvous is the first.
    @ivar is64: the rendezvous has an IPv4 address, and we reached it through a NAT64.
    @ivar unseen: why the mapping is not known, if it is not.
    @ivar otherPorts: pairs of another local port, and the outside address that it was
        seen at.
    @ivar inbound: a SYN of the rendezvous, from a port that we had not contacted.
    @ivar inboundElsewhere: another one, from an address that we had not contacted.
    @ivar hairpin: a SYN of our own to our outside address.
    @ivar otherFamily: the outside address of the shared port over the other of IPv4 and
        IPv6.
    @ivar pair: what came of the trial dial with a peer.
    @ivar evidence: what was asked and what came of it, in that order.
    """

    port: int
    addresses: frozenset[str]
    reachability: Reachability = Reachability.NOT
    why: str = ""
    seen: tuple[tuple[Address, Address], ...] = ()
    is64: bool = False
    unseen: Value = _ONE_PORT
    otherPorts: tuple[tuple[int, Address], ...] = ()
    inbound: InboundProbe | Value = _NOT_ASKED
    inboundElsewhere: InboundProbe | Value = _NOT_ASKED
    hairpin: InboundProbe | Value = _NOT_ASKED
    otherFamily: Address | Value = _NOT_ASKED
    idle: IdleTimeout | Value = _NOT_LONG
    pair: TrialResult | Value = _NO_PAIR
    evidence: tuple[Evidence, ...] = ()

    @property
    def outward(self) -> list[str]:
        """
        Those of this host's addresses that can be reached from beyond its link.
        """
        return sorted(filter(leavesLink, self.addresses))

    @property
    def observed(self) -> Address | None:
        """
        The outside address at which the rendezvous sees the shared port.
        """
        return self.seen[0][1] if self.seen else None

    @property
    def mapping(self) -> Mapping | None:
        """
        How the shared port is mapped, if that is known.
        """
        return mappingOf(self.seen)

    @property
    def isUnmapped(self) -> bool:
        """
        Whether there is no NAT: every observer sees us at an address of our own.
        """
        seen = {outside for _, outside in self.seen}
        return bool(seen) and all(
            each.host in self.addresses and each.port == self.port for each in seen
        )

    @property
    def behavior(self) -> ObservedBehavior | None:
        """
        How the NATs choose the ports of new mappings, if more than one was seen.
        """
        mapping = self.mapping or Mapping.ENDPOINT_INDEPENDENT
        pairs = [(self.port, outside) for _, outside in self.seen] + [*self.otherPorts]
        if self.otherPorts and all(inside == out.port for inside, out in pairs):
            return ObservedBehavior(mapping)
        kept = mapping is Mapping.ENDPOINT_INDEPENDENT
        ports = [out.port for _, out in (self.otherPorts if kept else pairs)]
        return behaviorFromPorts(mapping, ports) if len(ports) > 1 else None


def assess(found: Findings) -> Report:
    """
    Judge what was found.
    """
    verdict = _verdict(found)
    first = found.observed
    isSix = first is not None and ":" in first.host
    ours = _where(found, first) if first is not None else _UNREACHED
    other = found.otherFamily
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


def _verdict(found: Findings) -> Likelihood:
    if found.reachability is not Reachability.SHARED:
        return Likelihood.BLOCKED
    if found.mapping is Mapping.ENDPOINT_INDEPENDENT:
        return Likelihood.LIKELY
    if found.mapping is None:
        return Likelihood.LIKELY if found.isUnmapped else Likelihood.UNLIKELY
    return Likelihood.POSSIBLE


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
        return _UNREACHED
    if found.mapping is None:
        return found.unseen
    return Value.tested(found.mapping.value, found.mapping.value)


def _filtering(found: Findings) -> Value:
    """
    A SYN from the address that we have contacted tells whether the port matters; only
    one from another address tells whether the address does.
    """
    inbound, elsewhere = found.inbound, found.inboundElsewhere
    if isinstance(inbound, Value):
        return inbound
    if not inbound.isKnown:
        return Value.failed("what answered there was not us")
    if not inbound.isAccepted:
        kind = Mapping.ADDRESS_AND_PORT_DEPENDENT
    elif isinstance(elsewhere, Value) or not elsewhere.isKnown:
        value = "address-dependent or endpoint-independent"
        return Value.tested(value, "not-port-dependent")
    else:
        isOpen = elsewhere.isAccepted
        kind = Mapping.ENDPOINT_INDEPENDENT if isOpen else Mapping.ADDRESS_DEPENDENT
    return Value.tested(kind.value, kind.value)


def _unsolicited(found: Findings) -> Value:
    inbound = found.inbound
    if isinstance(inbound, Value):
        return inbound
    if inbound.answer is Outcome.FAILED:
        return Value.failed("the rendezvous could not knock")
    return Value.tested(_EXPLAINED[inbound.answer], PROBE_ANSWERS[inbound.answer])


def _allocation(found: Findings) -> Value:
    if not found.seen:
        return _UNREACHED
    if found.isUnmapped:
        return Value.tested("preserves the port (no NAT)", {"kind": "preserve"})
    if not found.otherPorts:
        return found.unseen
    known = found.behavior
    if known is None:
        return Value.failed("too few answers")
    fields: dict[str, Any] = {"kind": known.allocation.value, "step": known.step}
    if known.allocation is Allocation.RANDOM:
        fields["ports"] = list(known.ports)
    return Value.tested(describeAllocation(known), fields)


def _hairpin(found: Findings) -> Value:
    hairpin = found.hairpin
    if isinstance(hairpin, Value):
        return hairpin
    if hairpin.answer is Outcome.FAILED:
        return Value.failed("no connect was possible")
    if hairpin.arrived:
        return Value.tested("yes", True)
    why = _EXPLAINED[hairpin.answer]
    if hairpin.answer is Outcome.CONNECTED:
        why = "accepted, but not by us"
    return Value.tested(f"no, {why}", False)


def _preservation(found: Findings) -> Value:
    pairs = [(found.port, outside) for _, outside in found.seen] + [*found.otherPorts]
    if not pairs:
        return _UNREACHED
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


def isInside(address: Address) -> bool:
    """
    Whether an observer that sees us at C{address} is on our side of some NAT.
    """
    ip = ipOf(address)
    return any(ip in network for network in _INSIDE)


def _advice(found: Findings, verdict: Likelihood) -> str:
    """
    What may help, in one line.
    """
    if found.reachability is Reachability.NOT:
        return f"the rendezvous cannot be reached: {found.why}"
    if isinstance(found.pair, TrialResult) and found.pair.advice:
        return found.pair.advice
    if verdict is Likelihood.BLOCKED:
        return (
            f"the rendezvous answers other ports than {found.port}: choose another"
            " --port, or let this one pass your firewall"
        )
    if found.observed is not None and isInside(found.observed):
        return (
            "the rendezvous stands inside your own network, so this tells nothing of"
            " what is between it and the world: ask one outside"
        )
    if verdict is Likelihood.LIKELY:
        return "nothing needs to be done"
    if verdict is Likelihood.UNLIKELY:
        return (
            "nobody could tell whether your NAT keeps ports: use a rendezvous that"
            " answers STUN, on a port that you can reach"
        )
    return _adviceForDependent(found.behavior)


def _adviceForDependent(known: ObservedBehavior | None) -> str:
    """
    The advice for a NAT that maps to another port for each destination.
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

"""
Whole checks, behind NATs of each kind: each line against the truth.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.tcp import makeBinding

from punch.check.assessment import Findings, Reachability, assess
from punch.check.probes import CheckRun
from punch.check.report import Report, ValueState
from punch.net.address import HostPort
from punch.peer.description import rendezvousEndpoint
from punch.peer.settings import Settings
from punch.rendezvous.client import CLOSE_TIMEOUT
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.probe import Prober
from punch.rendezvous.server.stunserver import STUNFactory
from punch.testing import (
    Allocation,
    Filtering,
    Mapping,
    MemoryHost,
    NATBehavior,
    Unsolicited,
)
from tests.support.whole.nats import ANSWERS, BLOCK, KEEPS, NEXT, RANDOM, behind
from tests.support.whole.world import PORT, RENDEZVOUS, Rendezvous, World

OPEN = NATBehavior(filtering=Filtering.ENDPOINT_INDEPENDENT, hairpin=True)
BY_HOST = NATBehavior(filtering=Filtering.ADDRESS_DEPENDENT)
REJECTS = NATBehavior(unsolicited=Unsolicited.REJECT, strict=True)
SHUFFLES = NATBehavior(allocation=Allocation.RANDOM, strict=True)

DROPPED = "dropped (no answer)"
REFUSED = "refused (RST, or ICMP port unreachable)"
PER_PORT = "address-and-port-dependent"
LOOSE = "address-dependent or endpoint-independent"


class Check:
    """
    A check that runs on a host of a world.
    """

    def __init__(
        self, world: World, host: MemoryHost, name: str = RENDEZVOUS, **settings: Any
    ) -> None:
        self.world = world
        chosen = Settings(
            hostAddresses=lambda: list(host.addresses),
            probe=lambda interface, port: None,
            **settings,
        )
        rendezvous = rendezvousEndpoint(host, f"tcp:{name}:{PORT}")
        run = CheckRun(host, rendezvous, HostPort(name, PORT), chosen)
        self.running = Deferred.fromCoroutine(run.run())

    def found(self) -> Findings:
        """
        Let it find what it can, after which nothing is left of it.
        """
        found: Findings = self.world.spin(self.running)
        self.world.run(CLOSE_TIMEOUT + 0.001)
        self.world.end()
        return found

    def report(self) -> Report:
        """
        What that means.
        """
        return assess(self.found())


def looking() -> World:
    """
    A world whose rendezvous observes peers at two ports, and probes them.
    """
    world = World()
    world.rendezvous.look()
    world.rendezvous.factory.state.prober = Prober(world.rendezvous.host)
    return world


def check(behavior: NATBehavior) -> Report:
    """
    The report of a host behind one NAT.
    """
    world = looking()
    return Check(world, behind(world, behavior)).report()


@pytest.mark.parametrize(
    ("behavior", "truth"),
    [
        (
            KEEPS,
            {
                "verdict": "likely",
                "mapping": "endpoint-independent",
                "allocation": "preserves the port",
                "filtering": PER_PORT,
                "unsolicited": DROPPED,
                "hairpin": f"no, {DROPPED}",
            },
        ),
        (
            SHUFFLES,
            {
                "verdict": "likely",
                "mapping": "endpoint-independent",
                "allocation": "random, from the whole range",
            },
        ),
        (
            NEXT,
            {
                "verdict": "possible",
                "mapping": PER_PORT,
                "allocation": "sequential, step 1",
            },
        ),
        (
            BLOCK,
            {
                "verdict": "possible",
                "mapping": PER_PORT,
                "allocation": "random, from the block 20480 to 21503",
            },
        ),
        (
            RANDOM,
            {
                "verdict": "possible",
                "mapping": PER_PORT,
                "allocation": "random, from the whole range",
                "filtering": PER_PORT,
                "unsolicited": DROPPED,
            },
        ),
        (
            ANSWERS,
            {
                "filtering": PER_PORT,
                "unsolicited": REFUSED,
                "hairpin": f"no, {REFUSED}",
            },
        ),
        (REJECTS, {"filtering": PER_PORT, "unsolicited": REFUSED}),
        (BY_HOST, {"filtering": LOOSE, "unsolicited": "accepted"}),
        (OPEN, {"filtering": LOOSE, "unsolicited": "accepted", "hairpin": "yes"}),
    ],
    ids=[
        "keeps",
        "shuffles",
        "next",
        "block",
        "random",
        "reset",
        "reject",
        "by-host",
        "open",
    ],
)
def test_values(behavior: NATBehavior, truth: dict[str, str]) -> None:
    """
    The report says how the NAT maps, allocates ports and filters, what it answers, and
    whether it has hairpinning.
    """
    report = check(behavior)
    said = {name: str(value) for name, value in report.values.items()}
    said["verdict"] = report.verdict.value
    assert {name: said[name] for name in truth} == truth
    keeps = behavior.allocation is Allocation.PRESERVE
    assert report.values["preservation"].value is keeps


SECOND = "192.0.2.9"


@pytest.mark.parametrize(
    ("behavior", "filtering"),
    [
        (KEEPS, PER_PORT),
        (ANSWERS, PER_PORT),
        (BY_HOST, "address-dependent"),
        (OPEN, "endpoint-independent"),
    ],
    ids=["drop", "reset", "by-host", "open"],
)
def test_filteringElsewhere(behavior: NATBehavior, filtering: str) -> None:
    """
    A rendezvous with a second address tells all three kinds of filter apart.
    """
    world = World()
    world.rendezvous.stop()
    server = world.network.host("192.0.2.8", SECOND)
    rendezvous = world.rendezvous = Rendezvous(server, Limits())
    rendezvous.look()
    rendezvous.factory.state.prober = Prober(server)
    rendezvous.factory.state.prober.addresses.append(SECOND)
    check = Check(world, behind(world, behavior), "192.0.2.8")
    found = check.found()
    assert str(assess(found).values["filtering"]) == filtering
    asked = [each.asked for each in found.evidence]
    assert ("knock of the rendezvous from another address" in asked) is (
        filtering != PER_PORT
    )


def test_mappingElsewhere() -> None:
    """
    Such a rendezvous also tells a NAT that gives a port for each address from one that
    gives a port for each address and port.
    """
    for mapping in (Mapping.ADDRESS_DEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT):
        world = looking()
        world.rendezvous.lookElsewhere(world.host("none"))
        moves = replace(NEXT, mapping=mapping)
        values = Check(world, behind(world, moves)).report().values
        assert str(values["mapping"]) == mapping.value
        assert str(values["allocation"]) == "sequential, step 1"


def test_noNAT() -> None:
    """
    Without a NAT there is nothing in the way.
    """
    world = looking()
    report = Check(world, world.host("none")).report()
    assert report.verdict.value == "likely"
    assert str(report.values["ipv4"]).endswith("(no NAT)")
    assert str(report.values["unsolicited"]) == "accepted"
    assert report.values["hairpin"].state is ValueState.NOT_TESTED


def test_twoNATs() -> None:
    """
    Behind two, both of which keep ports, the port is kept.
    """
    world = looking()
    report = Check(world, world.host("double")).report()
    assert str(report.values["mapping"]) == "endpoint-independent"


def test_onePort() -> None:
    """
    If the rendezvous observes at one port only and does not probe, nothing is known.
    """
    world = World()
    report = Check(world, world.host("drop")).report()
    assert report.verdict.value == "unlikely"
    for name in ("mapping", "filtering", "unsolicited", "allocation"):
        assert report.values[name].state is ValueState.NOT_TESTED, name
    assert report.values["preservation"].value is True


def test_secondPortSilent() -> None:
    """
    A second port that does not answer is told apart from one that is not there.
    """
    world = looking()
    world.rendezvous.factory.state.observers = [f":{PORT + 9}"]
    report = Check(world, world.host("drop")).report()
    assert report.verdict.value == "unlikely"
    assert report.values["mapping"].state is ValueState.FAILED
    assert "failed (stun-unreachable)" in report.toText()


def test_nobody() -> None:
    """
    Without a rendezvous the report says only why there is none.
    """
    world = looking()
    world.rendezvous.stop()
    found = Check(world, world.host("drop")).found()
    assert found.reachability is Reachability.NOT
    assert "refuses connections" in found.why
    assert assess(found).verdict.value == "blocked"


def test_onlyOtherPorts() -> None:
    """
    If the rendezvous is reached from another port, but not from the shared one, the
    report says so.
    """
    world = looking()
    host = world.host("drop")
    connectTCP = host.connectTCP
    blocked = makeBinding("", 5000, reuseAddress=True, reusePort=True)

    def refuse(
        address: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> Any:
        # A firewall that lets nothing of port 5000 out.
        where = 9 if bindAddress == blocked else port
        return connectTCP(address, where, factory, timeout, bindAddress)

    host.connectTCP = refuse  # type: ignore[assignment, method-assign]
    found = Check(world, host, port=5000).found()
    assert found.reachability is Reachability.OTHER
    report = assess(found)
    assert report.verdict.value == "blocked"
    assert "other ports than 5000" in report.advice


@pytest.mark.parametrize("after", [0.01, 0.1, 0.3, 2.0, 4.5, 5.0, 6.0])
def test_cancelled(after: float) -> None:
    """
    A check that is cancelled at any instant leaves nothing.
    """
    world = looking()
    running = Check(world, behind(world, RANDOM)).running
    running.addErrback(lambda why: why.trap(CancelledError) and None)
    world.run(after)
    running.cancel()
    world.run(6.0)
    assert running.called
    world.end()


@pytest.mark.parametrize("after", [0.05, 0.1, 0.2, 0.4, 2.0, 4.15, 4.25, 4.4, 6.0])
@pytest.mark.parametrize("vanishes", [False, True], ids=["ends", "vanishes"])
def test_rendezvousLost(after: float, vanishes: bool) -> None:
    """
    If the rendezvous is lost in the middle, the report has what was found until then;
    the rest has failed, and nobody waits for it for long.
    """
    world = looking()
    check = Check(world, behind(world, RANDOM))
    world.run(after)
    if vanishes:
        world.rendezvous.host.cut()
    else:
        world.rendezvous.stop()
    assert world.until(lambda: check.running.called, 45.0)
    found = check.found()
    report = assess(found)
    if after < 0.17:
        assert found.reachability is Reachability.NOT
        assert found.why
    elif after < 4.3:
        assert report.verdict.value == "unlikely"
        assert report.values["mapping"].state is ValueState.FAILED
    else:
        assert report.values["mapping"].value == PER_PORT
    if 0.17 < after < 4.0:
        assert report.values["filtering"].state is ValueState.FAILED


def test_bothFamilies() -> None:
    """
    A rendezvous that has IPv4 and IPv6 observes us over both, although our NAT
    translates only IPv4.
    """
    world = looking()
    server = world.network.host("192.0.2.7", "2001:db8::7")
    world.network.name("rv.example.org", "192.0.2.7", "2001:db8::7")
    rendezvous = Rendezvous(server, Limits())
    world.atEnd.append(rendezvous.stop)
    stun = STUNFactory(server)
    for interface in ("", "::"):
        port = server.listenTCP(PORT + 1, stun, interface=interface)
        world.atEnd.append(port.stopListening)
    rendezvous.factory.state.observers = [f":{PORT + 1}"]
    nat = world.network.nat("198.51.100.9", KEEPS)
    host = world.network.host("192.168.9.2", "2001:db8:9::2", behind=nat)
    found = world.spin(Check(world, host, "rv.example.org").running)
    values = assess(found).values
    assert values["ipv4"].value == f"198.51.100.9:{found.port}"
    assert values["ipv6"].value == f"[2001:db8:9::2]:{found.port}"
    assert str(values["ipv6"]).endswith("(no NAT)")
    world.end()


def test_nat64() -> None:
    """
    A NAT64 is examined as any NAT is, and named.
    """
    world = looking()
    nat = world.network.nat64("198.51.100.64", SHUFFLES)
    world.network.name("rv.example.org", nat.synthesized(RENDEZVOUS))
    host = world.network.host("2001:db8:6::2", behind=nat)
    report = Check(world, host, "rv.example.org").report()
    values = report.values
    assert report.verdict.value == "likely"
    assert str(values["ipv4"]).endswith("(behind a NAT64)")
    assert str(values["ipv6"]) == "not tested (the rendezvous is behind a NAT64)"
    assert values["mapping"].value == "endpoint-independent"
    assert str(values["allocation"]) == "random, from the whole range"
    assert str(values["hairpin"]).startswith("no")

"""
Tests for L{punch.check.assessment}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from punch.check.assessment import (
    Findings,
    IdleTimeout,
    InboundProbe,
    Reachability,
    assess,
    isInside,
)
from punch.check.report import Likelihood, Value, ValueState
from punch.net.address import Address, tcpAddress
from punch.net.outcome import Outcome

FIRST = tcpAddress("192.0.2.1", 4040)
SECOND = tcpAddress("192.0.2.1", 4041)
ELSEWHERE = tcpAddress("192.0.2.9", 3478)


def us(port: int, host: str = "198.51.100.1") -> Address:
    """
    The outside address at which somebody sees us.
    """
    return tcpAddress(host, port)


def seen(*ports: int) -> tuple[tuple[Address, Address], ...]:
    """
    At which ports the rendezvous sees us, from its first port and from its second,
    and a server at another address.
    """
    servers = (FIRST, SECOND, ELSEWHERE)
    return tuple((each, us(port)) for each, port in zip(servers, ports, strict=False))


def otherPorts(*ports: int) -> tuple[tuple[int, Address], ...]:
    """
    At which ports our ports are seen, 6000 and those after it.
    """
    return tuple((6000 + number, us(port)) for number, port in enumerate(ports))


NATTED = Findings(
    5000, frozenset({"192.168.1.2"}), Reachability.SHARED, seen=seen(5000, 5000)
)

VERDICTS: list[tuple[Any, ...]] = [
    ("likely", Reachability.SHARED, seen(5000, 5000), "endpoint-independent"),
    ("likely", Reachability.SHARED, seen(777, 777, 777), "endpoint-independent"),
    ("possible", Reachability.SHARED, seen(5000, 5001), "address-and-port-dependent"),
    ("possible", Reachability.SHARED, seen(700, 700, 900), "address-dependent"),
    ("unlikely", Reachability.SHARED, seen(5000), None),
    ("blocked", Reachability.OTHER, (), None),
    ("blocked", Reachability.NOT, (), None),
]


@pytest.mark.parametrize(("verdict", "reachability", "views", "mapping"), VERDICTS)
def test_verdict(
    verdict: str,
    reachability: Reachability,
    views: tuple[tuple[Address, Address], ...],
    mapping: str | None,
) -> None:
    """
    The verdict depends on the mapping, if the shared port has one.
    """
    report = assess(replace(NATTED, reachability=reachability, seen=views))
    assert report.verdict.value == verdict
    assert report.values["mapping"].value == mapping
    assert report.advice
    assert "\n" not in report.toText().splitlines()[-1]


def test_noNAT() -> None:
    """
    A host that is seen at its own address has no NAT, even if nobody else looked.
    """
    ours = frozenset({"198.51.100.1"})
    report = assess(replace(NATTED, addresses=ours, seen=seen(5000)))
    assert report.verdict is Likelihood.LIKELY
    assert str(report.values["ipv4"]) == "198.51.100.1:5000 (no NAT)"
    assert report.values["allocation"].value == {"kind": "preserve"}


ALLOCATIONS: list[tuple[Any, ...]] = [
    (seen(5000, 5000), otherPorts(6000, 6001, 6002), "preserves the port"),
    (seen(5000, 5000), otherPorts(41, 42, 43, 44), "sequential, step 1"),
    (seen(41, 43), otherPorts(45, 47), "sequential, step 2"),
    (
        seen(20480, 21000),
        otherPorts(20600, 21400),
        "random, from the block 20480 to 21503",
    ),
    (seen(2000, 60000), otherPorts(30000, 9000), "random, from the whole range"),
    (seen(5000, 5000), otherPorts(41), "failed (too few answers)"),
    (seen(5000), (), "not tested (the rendezvous looks from one port only)"),
]


@pytest.mark.parametrize(("views", "more", "text"), ALLOCATIONS)
def test_allocation(views: Any, more: Any, text: str) -> None:
    """
    The ports that our connections got tell how the NAT chooses them.
    """
    report = assess(replace(NATTED, seen=views, otherPorts=more))
    assert str(report.values["allocation"]) == text


PER_PORT = "address-and-port-dependent"
LET_IN = InboundProbe(Outcome.CONNECTED, True)
NOT_US = InboundProbe(Outcome.CONNECTED, False)
REFUSED = InboundProbe(Outcome.REFUSED, False)
DROPPED = InboundProbe(Outcome.TIMED_OUT, False)
UNREACHABLE = InboundProbe(Outcome.UNREACHABLE, False)
NO_PROBE = InboundProbe(Outcome.FAILED, False)


@pytest.mark.parametrize(
    ("inbound", "filtering", "answer"),
    [
        (LET_IN, "not-port-dependent", "accepted"),
        (NOT_US, None, "accepted"),
        (REFUSED, PER_PORT, "refused"),
        (DROPPED, PER_PORT, "dropped"),
        (UNREACHABLE, PER_PORT, "unreachable"),
        (NO_PROBE, None, None),
    ],
)
def test_inbound(
    inbound: InboundProbe, filtering: str | None, answer: str | None
) -> None:
    """
    A SYN to us tells of the filter, and how it is answered.  If somebody else accepted
    it, it tells nothing of the filter.
    """
    values = assess(replace(NATTED, inbound=inbound)).values
    assert values["filtering"].value == filtering
    assert values["unsolicited"].value == answer
    if filtering is None:
        assert values["filtering"].state is ValueState.FAILED


@pytest.mark.parametrize(
    ("inbound", "elsewhere", "filtering"),
    [
        (LET_IN, LET_IN, "endpoint-independent"),
        (LET_IN, DROPPED, "address-dependent"),
        (LET_IN, REFUSED, "address-dependent"),
        (LET_IN, UNREACHABLE, "address-dependent"),
        (LET_IN, NO_PROBE, "not-port-dependent"),
        (LET_IN, NOT_US, "not-port-dependent"),
        (LET_IN, Value.failed("too many"), "not-port-dependent"),
        (DROPPED, LET_IN, PER_PORT),
        (NOT_US, LET_IN, None),
        (InboundProbe(Outcome.FAILED, True), LET_IN, None),
    ],
)
def test_inboundElsewhere(
    inbound: InboundProbe, elsewhere: InboundProbe | Value, filtering: str | None
) -> None:
    """
    If the first SYN is let in, one from another address tells the two filters apart
    that do so, as far as its answer is known.
    """
    found = replace(NATTED, inbound=inbound, inboundElsewhere=elsewhere)
    assert assess(found).values["filtering"].value == filtering


@pytest.mark.parametrize(
    ("found", "name", "text"),
    [
        ({"hairpin": LET_IN}, "hairpin", "yes"),
        ({"hairpin": NOT_US}, "hairpin", "no, accepted, but not by us"),
        ({"hairpin": DROPPED}, "hairpin", "no, dropped (no answer)"),
        ({"hairpin": NO_PROBE}, "hairpin", "failed (no connect was possible)"),
        ({"hairpin": Value.notTested("no NAT")}, "hairpin", "not tested (no NAT)"),
        ({"idle": IdleTimeout(50.0, None)}, "lifetime", "at least 50 s of silence"),
        ({"idle": IdleTimeout(20.0, 30.0)}, "lifetime", "20 to 30 s of silence"),
        ({"idle": IdleTimeout(None, 10.0)}, "lifetime", "less than 10 s of silence"),
        (
            {"idle": IdleTimeout(None, None)},
            "lifetime",
            "failed (the rendezvous hung up)",
        ),
    ],
)
def test_text(found: dict[str, Any], name: str, text: str) -> None:
    """
    We reached ourselves, or somebody else, or nobody; and the mapping's lifetime is
    between the longest silence after which it was there and the shortest after which
    it was not.
    """
    assert str(assess(replace(NATTED, **found)).values[name]) == text


def test_preservation() -> None:
    """
    The port is preserved if it was each time; a person reads how often it was.
    """
    some = replace(NATTED, otherPorts=otherPorts(6000, 7777))
    value = assess(some).values["preservation"]
    assert (str(value), value.value) == ("3 of 4", False)
    value = assess(replace(NATTED, seen=seen(1, 1))).values["preservation"]
    assert (str(value), value.value) == ("no", False)


def test_bothFamilies() -> None:
    """
    IPv4 and IPv6 have their own lines, whichever the rendezvous was reached by.
    """
    six = tcpAddress("2001:db8::1", 5000)
    values = assess(replace(NATTED, otherFamily=six)).values
    assert values["ipv4"].value == "198.51.100.1:5000"
    assert values["ipv6"].value == "[2001:db8::1]:5000"
    turned = replace(NATTED, seen=((FIRST, six),), otherFamily=us(5000))
    again = assess(turned).values
    assert [again[each] for each in ("ipv4", "ipv6")] == [
        values["ipv4"],
        values["ipv6"],
    ]


@pytest.mark.parametrize(
    ("host", "isLAN"),
    [
        ("127.0.0.1", True),
        ("192.168.7.1", True),
        ("fd00::1", True),
        ("100.64.0.1", False),
        ("198.51.100.1", False),
        ("2001:db8::1", False),
    ],
)
def test_inside(host: str, isLAN: bool) -> None:
    """
    An observer that sees us at an address of a LAN is inside that.
    """
    assert isInside(tcpAddress(host, 1)) is isLAN


def test_unreached() -> None:
    """
    The advice is why the rendezvous was not reached, and no value is made up.
    """
    report = assess(Findings(5000, frozenset(), why="it is down"))
    assert "it is down" in report.advice
    assert not any(each.value for each in report.values.values())
    assert not any(each.state is ValueState.TESTED for each in report.values.values())

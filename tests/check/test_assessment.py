"""
Tests for L{punch.check.assessment}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from punch.check.assessment import Findings, Idle, Knock, Reach, assess, isWithin
from punch.check.report import State, Value, Verdict
from punch.net.address import Address, tcpAddress
from punch.net.outcome import Outcome

FIRST = tcpAddress("192.0.2.1", 4040)
SECOND = tcpAddress("192.0.2.1", 4041)
ELSEWHERE = tcpAddress("192.0.2.9", 3478)


def us(port: int, host: str = "198.51.100.1") -> Address:
    """
    We, as somebody sees us.
    """
    return tcpAddress(host, port)


def seen(*ports: int) -> tuple[tuple[Address, Address], ...]:
    """
    As what the rendezvous sees us, and from its second port, and as elsewhere.
    """
    vantages = (FIRST, SECOND, ELSEWHERE)
    return tuple(
        (vantage, us(port)) for vantage, port in zip(vantages, ports, strict=False)
    )


def others(*ports: int) -> tuple[tuple[int, Address], ...]:
    """
    As what other ports are seen, 6000 and those after it.
    """
    return tuple((6000 + number, us(port)) for number, port in enumerate(ports))


NATTED = Findings(5000, frozenset({"192.168.1.2"}), Reach.SHARED, seen=seen(5000, 5000))

VERDICTS: list[tuple[Any, ...]] = [
    ("likely", Reach.SHARED, seen(5000, 5000), "endpoint-independent"),
    ("likely", Reach.SHARED, seen(777, 777, 777), "endpoint-independent"),
    ("possible", Reach.SHARED, seen(5000, 5001), "address-and-port-dependent"),
    ("possible", Reach.SHARED, seen(700, 700, 900), "address-dependent"),
    ("unlikely", Reach.SHARED, seen(5000), None),
    ("blocked", Reach.OTHER, (), None),
    ("blocked", Reach.NOT, (), None),
]


@pytest.mark.parametrize(("verdict", "reach", "views", "mapping"), VERDICTS)
def test_verdict(
    verdict: str,
    reach: Reach,
    views: tuple[tuple[Address, Address], ...],
    mapping: str | None,
) -> None:
    """
    The verdict is about the mapping, and whether there is one at all.
    """
    report = assess(replace(NATTED, reach=reach, seen=views))
    assert report.verdict.value == verdict
    assert report.values["mapping"].value == mapping
    assert report.advice
    assert "\n" not in report.toText().splitlines()[-1]


def test_bare() -> None:
    """
    A host that is seen as what it is has no NAT before it, whoever else looks.
    """
    bare = replace(NATTED, addresses=frozenset({"198.51.100.1"}), seen=seen(5000))
    report = assess(bare)
    assert report.verdict is Verdict.LIKELY
    assert str(report.values["ipv4"]) == "198.51.100.1:5000 (no NAT)"
    assert report.values["allocation"].value == {"kind": "preserve"}


ALLOCATIONS: list[tuple[Any, ...]] = [
    (seen(5000, 5000), others(6000, 6001, 6002), "preserves the port"),
    (seen(5000, 5000), others(41, 42, 43, 44), "sequential, step 1"),
    (seen(41, 43), others(45, 47), "sequential, step 2"),
    (
        seen(20480, 21000),
        others(20600, 21400),
        "random, from the block 20480 to 21503",
    ),
    (seen(2000, 60000), others(30000, 9000), "random, from the whole range"),
    (seen(5000, 5000), others(41), "failed (too few answers)"),
    (seen(5000), (), "not tested (the rendezvous looks from one port only)"),
]


@pytest.mark.parametrize(("views", "more", "text"), ALLOCATIONS)
def test_allocation(views: Any, more: Any, text: str) -> None:
    """
    Which port comes next is told by those that were given.
    """
    report = assess(replace(NATTED, seen=views, others=more))
    assert str(report.values["allocation"]) == text


PER_PORT = "address-and-port-dependent"
KNOCKS = [
    (Knock(Outcome.CONNECTED, True), "not-port-dependent", "accepted"),
    (Knock(Outcome.CONNECTED, False), None, "accepted"),
    (Knock(Outcome.REFUSED, False), PER_PORT, "refused"),
    (Knock(Outcome.TIMED_OUT, False), PER_PORT, "dropped"),
    (Knock(Outcome.UNREACHABLE, False), PER_PORT, "unreachable"),
    (Knock(Outcome.FAILED, False), None, None),
]


@pytest.mark.parametrize(("knock", "filtering", "answer"), KNOCKS)
def test_knock(knock: Knock, filtering: str | None, answer: str | None) -> None:
    """
    A knock tells of the filter, and of its answer.  What was accepted, but not by us,
    tells nothing of the filter.
    """
    values = assess(replace(NATTED, knock=knock)).values
    assert values["filtering"].value == filtering
    assert values["unsolicited"].value == answer
    if filtering is None:
        assert values["filtering"].state is State.FAILED


LET_IN = Knock(Outcome.CONNECTED, True)
FROM_ELSEWHERE: list[tuple[Any, ...]] = [
    (LET_IN, LET_IN, "endpoint-independent"),
    (LET_IN, Knock(Outcome.TIMED_OUT, False), "address-dependent"),
    (LET_IN, Knock(Outcome.REFUSED, False), "address-dependent"),
    (LET_IN, Knock(Outcome.UNREACHABLE, False), "address-dependent"),
    (LET_IN, Knock(Outcome.FAILED, False), "not-port-dependent"),
    (LET_IN, Knock(Outcome.CONNECTED, False), "not-port-dependent"),
    (LET_IN, Value.failed("too many"), "not-port-dependent"),
    (Knock(Outcome.TIMED_OUT, False), LET_IN, PER_PORT),
    (Knock(Outcome.CONNECTED, False), LET_IN, None),
    (Knock(Outcome.FAILED, True), LET_IN, None),
]


@pytest.mark.parametrize(("knock", "elsewhere", "filtering"), FROM_ELSEWHERE)
def test_knockElsewhere(
    knock: Knock, elsewhere: Knock | Value, filtering: str | None
) -> None:
    """
    One from another address tells the two filters apart that let in the first, if
    anything is known of it.
    """
    values = assess(replace(NATTED, knock=knock, elsewhere=elsewhere)).values
    assert values["filtering"].value == filtering


@pytest.mark.parametrize(
    ("knock", "text"),
    [
        (Knock(Outcome.CONNECTED, True), "yes"),
        (Knock(Outcome.CONNECTED, False), "no, accepted, but not by us"),
        (Knock(Outcome.TIMED_OUT, False), "no, dropped (no answer)"),
        (Knock(Outcome.FAILED, False), "failed (no connect was possible)"),
        (Value.notTested("no NAT"), "not tested (no NAT)"),
    ],
)
def test_hairpin(knock: Knock | Value, text: str) -> None:
    """
    We reached ourselves, or somebody else, or nobody.
    """
    assert str(assess(replace(NATTED, hairpin=knock)).values["hairpin"]) == text


@pytest.mark.parametrize(
    ("idle", "text"),
    [
        (Idle(50.0, None), "at least 50 s of silence"),
        (Idle(20.0, 30.0), "20 to 30 s of silence"),
        (Idle(None, 10.0), "less than 10 s of silence"),
        (Idle(None, None), "failed (the rendezvous hung up)"),
    ],
)
def test_lifetime(idle: Idle, text: str) -> None:
    """
    The lifetime is between the longest silence borne and the shortest not borne.
    """
    assert str(assess(replace(NATTED, idle=idle)).values["lifetime"]) == text


def test_preservation() -> None:
    """
    A port is preserved each time, or it is not; how often tells a person.
    """
    some = replace(NATTED, others=others(6000, 7777))
    value = assess(some).values["preservation"]
    assert (str(value), value.value) == ("3 of 4", False)
    value = assess(replace(NATTED, seen=seen(1, 1))).values["preservation"]
    assert (str(value), value.value) == ("no", False)


def test_bothFamilies() -> None:
    """
    Whichever of IPv4 and IPv6 the rendezvous was reached by, each stands in its line.
    """
    six = tcpAddress("2001:db8::1", 5000)
    values = assess(replace(NATTED, other=six)).values
    assert values["ipv4"].value == "198.51.100.1:5000"
    assert values["ipv6"].value == "[2001:db8::1]:5000"
    turned = replace(NATTED, seen=((FIRST, six),), other=us(5000))
    again = assess(turned).values
    assert [again[each] for each in ("ipv4", "ipv6")] == [
        values["ipv4"],
        values["ipv6"],
    ]


@pytest.mark.parametrize(
    ("host", "within"),
    [
        ("127.0.0.1", True),
        ("192.168.7.1", True),
        ("fd00::1", True),
        ("100.64.0.1", False),
        ("198.51.100.1", False),
        ("2001:db8::1", False),
    ],
)
def test_within(host: str, within: bool) -> None:
    """
    Who sees us at an address of a LAN is on it.
    """
    assert isWithin(tcpAddress(host, 1)) is within


def test_unreached() -> None:
    """
    Why the rendezvous was not reached is the advice; nothing is made up.
    """
    report = assess(Findings(5000, frozenset(), why="it is down"))
    assert "it is down" in report.advice
    assert not any(each.value for each in report.values.values())
    assert not any(each.state is State.TESTED for each in report.values.values())

"""
Tests for L{punch.ice.candidate}.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.ice.candidate import (
    MAX_CANDIDATES,
    BadCandidate,
    Candidate,
    Kind,
    isUsableAddress,
    trustedAddresses,
    usableCandidates,
)
from punch.net.address import parseAddresses, tcpAddress
from tests.support.strategies import candidates


def host(ip: str, port: int = 4040) -> Candidate:
    """
    A host candidate.
    """
    return Candidate(Kind.HOST, tcpAddress(ip, port))


def test_text() -> None:
    """
    The text form is that of the standard.
    """
    assert host("192.0.2.1").toText() == (
        "candidate:host4 1 TCP 2122318335 192.0.2.1 4040 typ host tcptype so"
    )


def test_unknownExtensions() -> None:
    """
    Attributes that follow are ignored, and the priority is ours to compute.
    """
    text = host("192.0.2.1").toText().replace(" 2122318335 ", " 1 ")
    assert Candidate.fromText(f"{text} generation 0") == host("192.0.2.1")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("candidate:", ""),
        ("TCP", "UDP"),
        (" 1 TCP", " 2 TCP"),
        ("typ host", "typ relay"),
        ("tcptype so", "tcptype active"),
        (" tcptype so", ""),
        ("192.0.2.1", "192.0.2.256"),
        ("192.0.2.1", "host.local"),
        ("192.0.2.1", "fe80::1%eth0"),
        (" 4040 ", " 0 "),
        (" 4040 ", " 65536 "),
        ("so", "so\n"),
        ("so", "so " + "x" * 201),
        ("host4", "h" * 33),
    ],
)
def test_refused(old: str, new: str) -> None:
    """
    A candidate of another sort, or none, is refused.
    """
    good = host("192.0.2.1").toText()
    bad = new.join(good.rsplit(old, 1))
    assert bad != good
    with pytest.raises(BadCandidate):
        Candidate.fromText(bad)


def test_priorities() -> None:
    """
    Host before peer-reflexive before server-reflexive, IPv6 before IPv4 (RFC 8445
    section 5.1.2.2, RFC 8421).
    """
    best = [
        Candidate(kind, tcpAddress(ip, 1))
        for kind in (Kind.HOST, Kind.PEER_REFLEXIVE, Kind.SERVER_REFLEXIVE)
        for ip in ("2001:db8::1", "192.0.2.1")
    ]
    priorities = [each.priority for each in best]
    assert priorities == sorted(priorities, reverse=True)
    assert len(set(priorities)) == len(priorities)
    assert all(0 < each < 2**31 for each in priorities)


@given(candidates, candidates)
def test_foundation(one: Candidate, other: Candidate) -> None:
    """
    Foundations are equal for one kind and family, and for no others.
    """
    alike = one.kind is other.kind and type(one.address) is type(other.address)
    assert (one.foundation == other.foundation) is alike


NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "ff02::1",
    "ff0e::1",
    "fe80::1",
    "::ffff:0.0.0.0",
    "::ffff:224.0.0.1",
]


@pytest.mark.parametrize("overLoopback", [False, True])
@pytest.mark.parametrize("ip", NEVER)
def test_neverUsable(ip: str, overLoopback: bool) -> None:
    """
    Nobody makes us dial multicast, broadcast or unspecified addresses, nor
    link-local ones of IPv6, whose zone we don't know.
    """
    assert not isUsableAddress(tcpAddress(ip, 1), overLoopback)


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback(ip: str) -> None:
    """
    Loopback is for peers met over loopback.
    """
    assert isUsableAddress(tcpAddress(ip, 1), overLoopback=True)
    assert not isUsableAddress(tcpAddress(ip, 1), overLoopback=False)


@pytest.mark.parametrize("overLoopback", [False, True])
@pytest.mark.parametrize(
    "ip",
    ["192.0.2.1", "10.0.0.1", "100.64.0.1", "169.254.1.1", "2001:db8::1", "fd00::1"],
)
def test_alwaysUsable(ip: str, overLoopback: bool) -> None:
    """
    Public, private and shared addresses may be dialed.
    """
    assert isUsableAddress(tcpAddress(ip, 1), overLoopback)


@given(st.lists(candidates, max_size=3 * MAX_CANDIDATES), st.booleans())
def test_usable(offered: list[Candidate], overLoopback: bool) -> None:
    """
    What is taken was offered, is usable, comes best first, each address once, and
    is not more than the bound.
    """
    taken = usableCandidates(offered, overLoopback)
    assert set(taken) <= set(offered)
    assert all(isUsableAddress(each.address, overLoopback) for each in taken)
    priorities = [each.priority for each in taken]
    assert priorities == sorted(priorities, reverse=True)
    assert len({each.address for each in taken}) == len(taken) <= MAX_CANDIDATES


def test_tooMany() -> None:
    """
    Past the bound it is the worst that are dropped, wherever they stood.
    """
    worse = [host(f"192.0.2.{n}") for n in range(1, MAX_CANDIDATES + 1)]
    best = host("2001:db8::1")
    taken = usableCandidates([*worse, best], overLoopback=False)
    assert taken == [best, *worse[: MAX_CANDIDATES - 1]]


def test_fairShare() -> None:
    """
    Past the bound neither family crowds the other out, however many addresses a host
    has: those of IPv6 that it made for privacy may be dozens.
    """
    six = [host(f"2001:db8::{n:x}") for n in range(1, 3 * MAX_CANDIDATES)]
    four = [
        host("192.0.2.1"),
        Candidate(Kind.SERVER_REFLEXIVE, tcpAddress("192.0.2.2", 1)),
    ]
    taken = usableCandidates([*six, *four], overLoopback=False)
    assert taken == [*six[: MAX_CANDIDATES - 2], *four]
    many = [host(f"192.0.2.{n}") for n in range(1, 3 * MAX_CANDIDATES)]
    taken = usableCandidates([*many, *six], overLoopback=False)
    assert taken == [*six[: MAX_CANDIDATES // 2], *many[: MAX_CANDIDATES // 2]]


def test_bad() -> None:
    """
    The useless ones take nobody's place.
    """
    bad = [host(ip) for ip in NEVER]
    good = [host(f"192.0.2.{n}") for n in range(1, MAX_CANDIDATES + 1)]
    assert usableCandidates(bad + good, overLoopback=False) == good


def test_str() -> None:
    """
    A person reads the address and how it was found.
    """
    assert str(host("2001:db8::1")) == "[2001:db8::1]:4040 (host)"


@pytest.mark.parametrize(
    ("first", "other", "isTrusted"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", True),
        ("192.0.2.1", "2001:db8::1", True),
        ("192.0.2.1", "10.0.0.1", False),
        ("192.0.2.1", "127.0.0.1", False),
        ("192.0.2.1", "fd00::1", False),
        ("192.0.2.1", "224.0.0.1", False),
        ("10.0.0.1", "10.0.0.2", True),
        ("10.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", True),
        ("127.0.0.1", "224.0.0.1", False),
    ],
)
def test_trusted(first: str, other: str, isTrusted: bool) -> None:
    """
    Nobody from outside sends us into our own networks, or onto our own host.
    """
    known = [tcpAddress(first, 4040), tcpAddress(other, 4041)]
    assert trustedAddresses(known) == (known if isTrusted else known[:1])


def test_trustedNobody() -> None:
    """
    A rendezvous whose own address has a zone has no observers that we could name.
    """
    assert trustedAddresses(parseAddresses([":4040", ":4041"], "fe80::1%eth0")) == []

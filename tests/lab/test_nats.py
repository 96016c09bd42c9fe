"""
Each kind of NAT does what its name says, as seen by plain blocking sockets.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from time import monotonic

import pytest

from .nats import DOUBLE, DROP, FULL_CONE, NONE, RANDOM, REJECT, RESET, SAME
from .sockets import connectError, cross, observed, quickest
from .topology import PUBLIC, RENDEZVOUS_ADDRESS, Laboratory

pytestmark = pytest.mark.lab

_PORT = 5000


@pytest.fixture(params=[DROP, RESET, REJECT, FULL_CONE, DOUBLE])
def preserving(request: pytest.FixtureRequest) -> Iterator[Laboratory]:
    """
    A laboratory whose peer A is behind a NAT that preserves ports.
    """
    with Laboratory(request.param, NONE) as lab:
        yield lab


def test_mapping(preserving: Laboratory) -> None:
    """
    A NAT that preserves ports shows one inside port to two destinations as one
    port, the same, of its public address.
    """
    lab = preserving
    seen = [observed(lab.a, server, _PORT) for server in (lab.rendezvous, lab.b)]
    assert seen == [(PUBLIC["a"], _PORT)] * 2


def test_randomMapping() -> None:
    """
    A random NAT shows one inside port to two destinations as two others.
    """
    with Laboratory(RANDOM, NONE) as lab:
        (hostA, portA), (hostB, portB) = (
            observed(lab.a, server, _PORT) for server in (lab.rendezvous, lab.b)
        )
    assert hostA == hostB == PUBLIC["a"]
    assert len({portA, portB, _PORT}) == 3


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (NONE, "refused"),
        (DROP, "silence"),
        (RESET, "refused"),
        (REJECT, "refused"),
        (FULL_CONE, "silence"),
        (DOUBLE, "silence"),
        (RANDOM, "silence"),
    ],
)
def test_unsolicited(kind: str, answer: str) -> None:
    """
    Each kind has its answer to a SYN that nobody asked for; and after having
    given it, a NAT knows nothing of the stranger and still preserves its port.
    """
    with Laboratory(kind, NONE) as lab:
        isSilent = answer == "silence"
        assert connectError(lab.b, (PUBLIC["a"], _PORT), 4000, isSilent) == answer
        assert not any(
            PUBLIC["b"] in c for n in lab.nats.values() for c in n.connections()
        )
        if kind != RANDOM:
            assert observed(lab.a, lab.b, _PORT) == (PUBLIC["a"], _PORT)


@pytest.mark.parametrize(
    ("kind", "answer"), [(RESET, "tcp reset"), (REJECT, "icmp port-unreachable")]
)
def test_wayOfRefusing(kind: str, answer: str) -> None:
    """
    The kind C{reset} refuses by RST, C{reject} by ICMP: told apart by IP_RECVERR,
    with which Linux queues ICMP errors alone.
    """
    ip_recverr, msg_errqueue = 11, 0x2000
    with Laboratory(kind, NONE) as lab, closing(lab.b.socket()) as out:
        out.setsockopt(socket.IPPROTO_IP, ip_recverr, 1)
        # Wait in the kernel: a poll may see the queued error before the failure.
        out.setblocking(True)
        with pytest.raises(ConnectionRefusedError):
            out.connect((PUBLIC["a"], _PORT))
        out.setblocking(False)
        try:
            out.recvmsg(1, 100, msg_errqueue)
        except BlockingIOError:
            way = "tcp reset"
        else:
            way = "icmp port-unreachable"
    assert way == answer


@pytest.mark.parametrize(
    ("kind", "outcome"), [(FULL_CONE, "connected"), (DROP, "silence")]
)
def test_stranger(kind: str, outcome: str) -> None:
    """
    A mapped port admits a stranger through a full cone and through no other.
    """
    with Laboratory(kind, NONE) as lab:
        observed(lab.a, lab.rendezvous, _PORT)
        with closing(lab.a.socket(_PORT)) as listening:
            listening.listen()
            isSilent = outcome == "silence"
            assert connectError(lab.b, (PUBLIC["a"], _PORT), 0, isSilent) == outcome


def test_fullConeUnmapped() -> None:
    """
    A port that nobody used admits nobody, full cone or not.
    """
    with Laboratory(FULL_CONE, NONE) as lab:
        observed(lab.a, lab.rendezvous, _PORT)
        with closing(lab.a.socket(_PORT + 1)) as listening:
            listening.listen()
            assert connectError(lab.b, (PUBLIC["a"], _PORT + 1), 0, True) == "silence"


@pytest.mark.parametrize(
    ("kindA", "kindB"), [(DROP, DROP), (DOUBLE, DOUBLE), (FULL_CONE, DROP)]
)
def test_simultaneousOpen(kindA: str, kindB: str) -> None:
    """
    Crossing connects meet through two NATs that are silent to strangers.
    """
    with Laboratory(kindA, kindB) as lab:
        assert cross(lab) == ["b", "a"]


def test_randomPairDoesNotMeet() -> None:
    """
    Crossing connects to the port that was bound miss each other behind two random
    NATs: this kind is really as bad as it should be.
    """
    with Laboratory(RANDOM, RANDOM) as lab:
        assert cross(lab, timeout=1.5) == ["TimeoutError"] * 2


def test_same() -> None:
    """
    Two peers behind one NAT have one public address, reach each other on their
    LAN, and not through the NAT, which does not hairpin.
    """
    with Laboratory(SAME, SAME) as lab, closing(lab.a.socket(_PORT)) as listening:
        assert observed(lab.a, lab.rendezvous, _PORT) == (PUBLIC["a"], _PORT)
        assert observed(lab.b, lab.rendezvous, _PORT + 1) == (PUBLIC["a"], _PORT + 1)
        listening.listen()
        near = (lab.a.address, _PORT)
        assert quickest(lambda: connectError(lab.b, near), "connected") < 0.05
        assert connectError(lab.b, (PUBLIC["a"], _PORT), 0, True) == "silence"


@pytest.mark.parametrize("kind", [DROP, RESET, FULL_CONE])
def test_forget(kind: str) -> None:
    """
    A NAT that is told to forget lets the connection to the rendezvous live.
    """
    with Laboratory(kind, NONE) as lab, closing(lab.rendezvous.socket(4040)) as waiting:
        waiting.listen()
        with closing(lab.a.socket(_PORT)) as out:
            out.connect((RENDEZVOUS_ADDRESS, 4040))
            inbound = waiting.accept()[0]
            observed(lab.a, lab.b, _PORT)
            assert len(lab.nats["a-nat1"].connections()) == 2
            deadline = monotonic() + 5.0
            lab.forget()
            while len(lab.nats["a-nat1"].connections()) != 1:
                # The end of the other connection, still on the wire, was seen again.
                assert monotonic() < deadline
                lab.forget()
            with closing(inbound):
                inbound.sendall(b"still here")
                assert out.recv(20) == b"still here"

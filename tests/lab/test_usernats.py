"""
The user-space NATs at work: what plain blocking sockets see of each side.
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

import pytest

from .host import Host
from .nats import NONE
from .run import dial
from .sockets import connectError, cross, observed, quickest
from .topology import PUBLIC, Laboratory

pytestmark = pytest.mark.lab

_PORT = 5000


@pytest.mark.parametrize(
    ("kind", "keeps", "isOne"),
    [
        ("fw", True, True),
        ("home-eim", False, True),
        ("home-seq", False, False),
        ("cgn-eif", False, True),
        ("cell-blk", False, False),
    ],
)
def test_mapping(kind: str, keeps: bool, isOne: bool) -> None:
    """
    Two destinations see the inside port or another, the same or two; within the
    block, or in order, where the kind says so; and all of a large answer arrives.
    """
    with Laboratory(kind, NONE) as lab:
        seen = [observed(lab.a, server, _PORT) for server in (lab.rendezvous, lab.b)]
        assert receive(lab.b, lab.a, 1 << 20) == 1 << 20
    (hostA, portA), (hostB, portB) = seen
    assert hostA == hostB == PUBLIC["a"]
    assert (portA == _PORT, portA == portB) == (keeps, isOne)
    if kind == "home-seq":
        assert 1 <= portB - portA < 5
    if kind == "cell-blk":
        assert abs(portB - portA) < 1024


def receive(server: Host, host: Host, size: int) -> int:
    """
    How much of so many bytes arrives from a public server.
    """
    with closing(server.socket(4000)) as listening, closing(host.socket()) as out:
        listening.listen()
        out.connect((server.publicAddress, 4000))
        with closing(listening.accept()[0]) as inbound:
            inbound.settimeout(0)
            left = size
            received = 0
            while received < size:
                if left:
                    with suppress(BlockingIOError):
                        left -= inbound.send(bytes(min(left, 1 << 16)))
                received += len(out.recv(1 << 16))
    return received


@pytest.mark.parametrize(
    ("kind", "answer"),
    [("fw", "silence"), ("corp-vpn", "refused")],
)
def test_unsolicited(kind: str, answer: str) -> None:
    """
    Each kind has its answer to a SYN that nobody asked for.
    """
    with Laboratory(kind, NONE) as lab:
        isSilent = answer == "silence"
        assert connectError(lab.b, (PUBLIC["a"], _PORT), 0, isSilent) == answer


@pytest.mark.parametrize(
    ("kind", "heard", "outcome"),
    [
        ("home-eif", "rendezvous", "connected"),
        ("home-adf", "rendezvous", "silence"),
        ("home-adf", "b", "connected"),
        ("cgn-eif", "rendezvous", "connected"),
    ],
)
def test_stranger(kind: str, heard: str, outcome: str) -> None:
    """
    Who may come in to a mapped port: anybody, who was spoken to, or nobody.
    """
    with Laboratory(kind, NONE) as lab, closing(lab.a.socket(_PORT)) as listening:
        server = {"rendezvous": lab.rendezvous, "b": lab.b}[heard]
        mapped = observed(lab.a, server, _PORT)
        listening.listen()
        assert connectError(lab.b, mapped, 4001, outcome == "silence") == outcome


@pytest.mark.parametrize(
    ("kindA", "kindB", "outcomes"),
    [
        ("home-noso", "home-nf", ["b", "a"]),
        ("home-noso", "home-noso", ["TimeoutError"] * 2),
    ],
)
def test_simultaneousOpen(kindA: str, kindB: str, outcomes: list[str]) -> None:
    """
    Crossing connects meet, unless neither side lets the other's SYN in.
    """
    with Laboratory(kindA, kindB) as lab:
        timeout = 1.5 if "TimeoutError" in outcomes else 15.0
        assert cross(lab, timeout) == outcomes


def test_poisoning() -> None:
    """
    Who was refused cannot be reached any more, from the same port to the same port.
    """
    with Laboratory("home-poison", NONE) as lab:
        assert connectError(lab.b, (PUBLIC["a"], _PORT), 4000) == "refused"
        assert connectError(lab.a, (PUBLIC["b"], 4000), _PORT, True) == "silence"
        assert connectError(lab.a, (PUBLIC["b"], 4001), _PORT) == "refused"


def test_onlyBrowsing() -> None:
    """
    Behind C{corp-block} a server is reached at port 443; another port is refused at
    once, by the NAT.
    """
    with (
        Laboratory("corp-block", NONE, latency=0.05) as lab,
        closing(lab.b.socket(443)) as listening,
    ):
        listening.listen()
        assert connectError(lab.a, (PUBLIC["b"], 443)) == "connected"
        other = (PUBLIC["b"], 444)
        assert quickest(lambda: connectError(lab.a, other), "refused") < 0.1


def test_browserIsRelayed(tmp_path: Path) -> None:
    """
    A peer behind C{corp-block} is told the rendezvous' port 443, and is relayed.
    """
    outcome = dial(Laboratory("corp-block", NONE, seed="7"), tmp_path, 15.0)
    assert (outcome.connected, outcome.path) == (True, "relayed")


@pytest.mark.parametrize(
    ("kind", "outcome"), [("home-eif", "connected"), ("home-adf", "silence")]
)
def test_hairpin(kind: str, outcome: str) -> None:
    """
    With hairpin, inside reaches inside by the outside address.
    """
    with Laboratory(kind, NONE) as lab, closing(lab.a.socket(_PORT)) as listening:
        mapped = observed(lab.a, lab.rendezvous, _PORT)
        listening.listen()
        assert connectError(lab.a, mapped, 0, outcome == "silence") == outcome


def test_seed() -> None:
    """
    The same seed draws the same ports.
    """
    ports = set()
    for _ in range(2):
        with Laboratory("home-eim", NONE, seed="again") as lab:
            ports.add(observed(lab.a, lab.rendezvous, _PORT))
    assert len(ports) == 1


def test_forget() -> None:
    """
    A NAT that is told to forget lets the connection to the rendezvous live, and
    strangers in no more.
    """
    with Laboratory("home-adf", NONE) as lab:
        with closing(lab.rendezvous.socket(4040)) as waiting:
            waiting.listen()
            with closing(lab.a.socket(_PORT + 1)) as out:
                out.connect((lab.rendezvousAddress, 4040))
                mapped = observed(lab.a, lab.b, _PORT)
                lab.forget()
                with closing(waiting.accept()[0]) as inbound:
                    inbound.sendall(b"still here")
                    assert out.recv(20) == b"still here"
        with closing(lab.a.socket(_PORT)) as listening:
            listening.listen()
            assert connectError(lab.b, mapped, 0, True) == "silence"


@pytest.mark.parametrize(
    ("kindA", "kindB"), [("pub", "home-nf-rst"), ("home-rnd", "cgn-apdf")]
)
def test_start(kindA: str, kindB: str) -> None:
    """
    Classes that no other test needs come up too, and reach out.
    """
    with Laboratory(kindA, kindB) as lab, closing(lab.rendezvous.socket(443)) as web:
        web.listen()
        for host in (lab.a, lab.b):
            with closing(host.socket()) as out:
                out.connect((lab.rendezvousAddress, 443))
                assert web.accept()[1][0] == host.publicAddress

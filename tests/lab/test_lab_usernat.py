"""
Tests of L{tests.lab.usernat}: the rules of each side, on packets, without a kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from random import Random
from time import perf_counter

import pytest
from twisted.internet.task import Clock

from punch.testing.segment import SocketAddress

from . import packet as ip
from .packet import timeExceeded
from .packets import ACK, RST, SYN, isRight, tcpPacket
from .sides import sideOf
from .tcp import endsOf
from .usernat import Passage, UserNAT

OUTSIDE = "198.51.100.1"
INSIDE: SocketAddress = ("192.168.1.2", 5000)
PEER: SocketAddress = ("203.0.113.1", 6000)
SERVER: SocketAddress = ("192.0.2.1", 4040)


class Box:
    """
    A NAT of one kind, whose time is ours.
    """

    def __init__(self, kind: str, seed: str = "box") -> None:
        random = Random(seed)
        behavior = sideOf(kind).drawn(random)
        assert behavior is not None
        self.clock = Clock()
        self.nat = UserNAT(OUTSIDE, behavior, self.clock.seconds, random)

    def out(
        self, remote: SocketAddress, inside: SocketAddress = INSIDE, sequence: int = 1
    ) -> int:
        """
        Send a SYN out.

        @return: the outside port that it left by, or 0 if it did not.
        """
        left = self.nat.leave(tcpPacket(inside, remote, SYN, (sequence, 0)))
        if left.outward is None:
            return 0
        assert isRight(left.outward)
        (host, port), destination = endsOf(left.outward)
        assert (host, destination) == (OUTSIDE, remote)
        return port

    def come(
        self, remote: SocketAddress, port: int, flags: int = SYN, acks: int = 0
    ) -> str:
        """
        Send something in.

        @return: what became of it.
        """
        packet = tcpPacket(remote, (OUTSIDE, port), flags, (70, acks))
        return self._named(self.nat.enter(packet), remote, port)

    def _named(self, passage: Passage, remote: SocketAddress, port: int) -> str:
        if passage.inward is not None:
            assert isRight(passage.inward)
            assert endsOf(passage.inward) == (remote, INSIDE)
            return "in"
        if passage.outward is None:
            return "dropped"
        assert isRight(passage.outward)
        assert endsOf(passage.outward) == ((OUTSIDE, port), remote)
        return "refused"


def other(address: SocketAddress, port: int = 7000) -> SocketAddress:
    """
    The same host's other port.
    """
    return address[0], port


_FILTERINGS = [
    ("fw", ["in", "dropped", "dropped"]),
    ("home-poison", ["in", "refused", "refused"]),
    ("home-eif", ["in", "in", "in"]),
    ("home-adf", ["in", "in", "dropped"]),
    ("home-eim", ["in", "dropped", "dropped"]),
    ("home-noso", ["dropped", "dropped", "dropped"]),
    ("home-seq", ["in", "dropped", "dropped"]),
    ("cgn-eif", ["in", "in", "in"]),
    ("cgn-apdf", ["in", "dropped", "dropped"]),
    ("cell-blk", ["in", "dropped", "dropped"]),
    ("corp-vpn", ["in", "refused", "refused"]),
    ("ei/ad/rst/so", ["in", "in", "refused"]),
    ("next/ei/drop/noso", ["dropped", "in", "in"]),
    ("random/apd/rst/noso", ["dropped", "refused", "refused"]),
]


@pytest.mark.parametrize(("kind", "became"), _FILTERINGS)
def test_filtering(kind: str, became: list[str]) -> None:
    """
    A SYN that crosses ours, one from another port of that host, and one from
    somebody else: each kind of side has its answers.
    """
    box = Box(kind)
    port = box.out(PEER)
    comers = PEER, other(PEER), SERVER
    assert [box.come(each, port) for each in comers] == became


@pytest.mark.parametrize(("kind", "_"), _FILTERINGS)
def test_answer(kind: str, _: list[str]) -> None:
    """
    What answers our SYN comes in, whatever the kind.
    """
    box = Box(kind)
    assert box.come(PEER, box.out(PEER), SYN | ACK, 2) == "in"


def test_preserving() -> None:
    """
    An endpoint-independent mapping that preserves is the inside port, to everybody.
    """
    box = Box("home-eif")
    assert [box.out(each) for each in (SERVER, PEER, other(PEER))] == [5000] * 3


def test_randomButIndependent() -> None:
    """
    One that does not preserve is another port, but one to everybody.
    """
    box = Box("home-eim")
    ports = {box.out(each) for each in (SERVER, PEER, other(PEER))}
    assert len(ports) == 1
    assert ports != {5000}


def test_sequential() -> None:
    """
    Ports follow each other; as time passes others take some between.
    """
    box = Box("home-seq")
    ports = [box.out((PEER[0], port)) for port in range(6000, 6004)]
    assert [port - ports[0] for port in ports] == [0, 1, 2, 3]
    box.clock.advance(60)
    assert 10 < box.out(SERVER) - ports[-1] < 60


@pytest.mark.parametrize(("kind", "size"), [("cell-blk", 1024), ("cgn-apdf", 1024)])
def test_block(kind: str, size: int) -> None:
    """
    All ports of one are in a block; when that is exhausted, nothing more goes out.
    """
    box = Box(kind)
    ports = {box.out(SERVER, (INSIDE[0], port)) for port in range(2000, 2000 + size)}
    assert max(ports) - min(ports) == size - 1
    assert box.out(SERVER, (INSIDE[0], 1999)) == 0


def test_blocksDiffer() -> None:
    """
    Which block it is depends on the seed.
    """
    firsts = {Box("cgn-eif", seed).out(SERVER) // 2048 for seed in "abcdefgh"}
    assert len(firsts) > 3


def test_poisoning() -> None:
    """
    Who has been refused once is cut off for ten seconds, both ways; nobody else is.
    """
    box = Box("home-poison")
    assert box.come(PEER, 5000) == "refused"
    box.clock.advance(9)
    assert box.out(PEER) == 0
    assert box.come(PEER, 5000) == "dropped"
    assert box.out(SERVER) == 5000
    box.clock.advance(1)
    assert box.out(PEER) == 5000
    assert box.come(PEER, 5000) == "in"


@pytest.mark.parametrize(("kind", "seconds"), [("cgn-apdf", 30), ("cell-blk", 65)])
def test_timers(kind: str, seconds: int) -> None:
    """
    A SYN that nobody answers is forgotten after a while; a connection is not.
    """
    box = Box(kind)
    port, used = box.out(PEER), box.out(SERVER)
    box.come(SERVER, used, SYN | ACK, 2)
    box.nat.leave(tcpPacket(INSIDE, SERVER, ACK, (2, 71)))
    box.clock.advance(seconds + 1)
    assert box.come(PEER, port) == "dropped"
    assert box.come(SERVER, used, ACK) == "in"


def test_onlyBrowsing() -> None:
    """
    To ports 80 and 443 there is a way out; a SYN to another is refused, inside.
    """
    box = Box("corp-block")
    assert box.out((SERVER[0], 443)) == box.out((SERVER[0], 80)) == 5000
    refused = box.nat.leave(tcpPacket(INSIDE, SERVER))
    assert refused.outward is None
    assert refused.inward is not None
    assert endsOf(refused.inward) == (SERVER, INSIDE)
    assert refused.inward[33] == RST | ACK


@pytest.mark.parametrize(("kind", "became"), [("home-eif", True), ("home-adf", False)])
def test_hairpin(kind: str, became: bool) -> None:
    """
    A side with hairpin lets inside reach inside by the outside address.
    """
    box = Box(kind)
    box.out(SERVER)
    neighbor: SocketAddress = ("192.168.1.3", 5001)
    passage = box.nat.leave(tcpPacket(neighbor, (OUTSIDE, 5000)))
    assert passage.outward is None
    assert (passage.inward is not None) is became
    if passage.inward is not None:
        assert endsOf(passage.inward) == ((OUTSIDE, 5001), INSIDE)


def test_error() -> None:
    """
    An ICMP error about what went out comes in, and quotes what the inside sent.
    """
    box = Box("home-eim")
    left = box.nat.leave(tcpPacket(INSIDE, PEER)).outward
    assert left is not None
    error = timeExceeded(left, IPv4Address("192.0.2.254").packed)
    assert error is not None
    inward = box.nat.enter(error).inward
    assert inward is not None
    assert ip.checksum(inward[:20]) == ip.checksum(inward[20:]) == 0
    assert ip.destination(inward) == IPv4Address(INSIDE[0]).packed
    quoted = ip.quotedIn(inward)
    assert quoted is not None
    assert endsOf(quoted) == (INSIDE, PEER)
    assert ip.checksum(quoted[:20]) == 0


def test_foreignError() -> None:
    """
    One about what nobody sent does not, nor does an echo request.
    """
    box = Box("home-eim")
    error = timeExceeded(tcpPacket((OUTSIDE, 9), PEER), bytes(4))
    assert error is not None
    assert box.nat.enter(error) == Passage()
    echo = ip.icmpError((8, 0), bytes(28), bytes(8))
    assert box.nat.enter(echo) == box.nat.leave(echo) == Passage()


def test_forget() -> None:
    """
    A NAT that is told to forget knows the rendezvous alone.
    """
    box = Box("home-eif")
    box.out(SERVER)
    box.out(PEER, (INSIDE[0], 5001))
    box.nat.forget(SERVER[0])
    assert box.come(SERVER, 5000) == "in"
    assert box.come(PEER, 5001) == "dropped"


@pytest.mark.parametrize("renumbered", [False, True])
def test_renumber(renumbered: bool) -> None:
    """
    A NAT with another outside address sends from there.
    """
    box = Box("home-eif")
    address = "198.51.100.9" if renumbered else OUTSIDE
    box.nat.renumber(address)
    left = box.nat.leave(tcpPacket(INSIDE, PEER)).outward
    assert left is not None
    assert endsOf(left)[0] == (address, 5000)


def test_manyMappings() -> None:
    """
    A packet costs the same among twenty thousand mappings as among twenty.
    """

    def cost(send: Callable[[int], object]) -> float:
        started = perf_counter()
        for port in range(1000):
            send(10_000 + port)
        return perf_counter() - started

    box = Box("random/apd/drop/so")
    few = min(cost(lambda port: box.out((PEER[0], port))) for _ in range(5))
    for port in range(20_000, 40_000):
        box.out((PEER[0], port))
    many = min(cost(lambda port: box.out((PEER[0], port))) for _ in range(5))
    assert many < 5 * few

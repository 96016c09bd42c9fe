"""
Tests of the wire between real hosts: its delays, losses and hops.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from .host import Host
from .nats import DOUBLE, DROP, NONE, SAME
from .sockets import connectError, quickest
from .topology import Laboratory

pytestmark = pytest.mark.lab


def roundTrip(host: Host, other: Host) -> float:
    """
    The seconds that a refused connect takes, the least of several.
    """
    return quickest(lambda: connectError(host, (other.publicAddress, 9)), "refused")


@pytest.fixture(scope="module")
def lab() -> Iterator[Laboratory]:
    """
    A laboratory of three public hosts.
    """
    with Laboratory(NONE, NONE) as lab:
        yield lab


def test_threeRoundTrips(lab: Laboratory) -> None:
    """
    All three round trips are 80 ms.

    The wire wakes up four times in one, each time as late as the machine lets it, be
    that a millisecond or two; what it means to the microsecond, its rules are tested
    for (L{tests.lab.test_lab_core}).
    """
    for host, other in [
        (lab.a, lab.b),
        (lab.a, lab.rendezvous),
        (lab.b, lab.rendezvous),
    ]:
        assert 0.08 <= roundTrip(host, other) < 0.09


def test_setLatency(lab: Laboratory) -> None:
    """
    A leg's latency can be changed while the wire runs.
    """
    lab.wire.set("b", latency=0.05)
    try:
        assert 0.14 <= roundTrip(lab.a, lab.b) < 0.15
        assert roundTrip(lab.a, lab.rendezvous) < 0.1
    finally:
        lab.wire.set("b", latency=0.02)


def test_setLoss(lab: Laboratory) -> None:
    """
    A leg that loses everything is cut; the others are not.
    """
    lab.wire.set("b", loss=1.0)
    try:
        with closing(lab.a.socket(timeout=0.2)) as out, pytest.raises(TimeoutError):
            out.connect((lab.b.address, 9))
        assert roundTrip(lab.a, lab.rendezvous) < 0.1
    finally:
        lab.wire.set("b", loss=0.0)


@pytest.mark.parametrize(("ttl", "error"), [(5, ConnectionRefusedError), (4, OSError)])
def test_hops(lab: Laboratory, ttl: int, error: type[OSError]) -> None:
    """
    The core is four hops wide: a packet with five arrives, one with four makes
    the core answer, which Linux reports as no route to host.
    """
    with closing(lab.a.socket()) as out:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        with pytest.raises(error) as raised:
            out.connect((lab.b.address, 9))
    assert isinstance(raised.value, ConnectionRefusedError) is (ttl == 5)


def test_setHops(lab: Laboratory) -> None:
    """
    The number of hops can be changed while the wire runs.
    """
    lab.wire.setHops(64)
    try:
        with closing(lab.a.socket()) as out, pytest.raises(OSError, match="No route"):
            out.connect((lab.b.address, 9))
    finally:
        lab.wire.setHops(4)


def test_bulk(lab: Laboratory) -> None:
    """
    A few megabytes pass whole.
    """
    data = bytes(range(256)) * 8192
    with closing(lab.b.socket(4000)) as waiting, closing(lab.a.socket()) as out:
        waiting.listen()
        out.connect((lab.b.address, 4000))
        with closing(waiting.accept()[0]) as inbound:
            received = bytearray()
            out.settimeout(0)
            sent = 0
            while len(received) < len(data):
                if sent < len(data):
                    sent += _sendSome(out, data[sent : sent + 65536])
                received += _receiveSome(inbound)
    assert bytes(received) == data


def _sendSome(out: socket.socket, data: bytes) -> int:
    try:
        return out.send(data)
    except BlockingIOError:
        return 0


def _receiveSome(inbound: socket.socket) -> bytes:
    inbound.settimeout(0.05)
    try:
        return inbound.recv(1 << 20)
    except TimeoutError:
        return b""


@pytest.mark.parametrize(
    ("kindA", "kindB", "inside"),
    [
        (NONE, DROP, ("198.51.100.1", "10.0.0.2")),
        (DROP, DOUBLE, ("192.168.1.2", "10.0.0.2")),
        (SAME, SAME, ("192.168.1.2", "192.168.1.3")),
    ],
)
def test_addresses(kindA: str, kindB: str, inside: tuple[str, str]) -> None:
    """
    A host tells its own address and the one that strangers see.
    """
    with Laboratory(kindA, kindB) as lab:
        assert (lab.a.address, lab.b.address) == inside
        for host in (lab.a, lab.b):
            addresses = host.run(["ip", "-4", "-brief", "address"]).stdout
            assert f" {host.address}/24" in addresses
            with closing(lab.rendezvous.socket(4000)) as waiting:
                waiting.listen()
                with closing(host.socket()) as out:
                    out.connect((lab.rendezvousAddress, 4000))
                    assert waiting.accept()[1][0] == host.publicAddress


def test_halfSame() -> None:
    """
    One side cannot be behind the same NAT as the other alone.
    """
    with pytest.raises(ValueError, match="both sides"):
        Laboratory(SAME, DROP)

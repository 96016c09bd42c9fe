"""
The IPv6 of the laboratory does what it says, as seen by plain blocking sockets.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing

import pytest

from .firewalls import address6
from .host import Host
from .nat64 import through64
from .nats import NONE
from .sockets import observed, quickest
from .topology import PUBLIC, Laboratory

pytestmark = pytest.mark.lab

_PORT = 5000


def socket6(host: Host, port: int = 0, timeout: float = 5.0) -> socket.socket:
    """
    A TCP socket over IPv6.
    """
    return host.socket(port, timeout, socket.AF_INET6)


def connectError(host: Host, address: str, silent: bool = False, hops: int = 64) -> str:
    """
    How a connect ends: with the name of an C{errno}, C{silence} or C{connected}.

    @param silent: is silence expected, for which nobody waits longer than it takes?
    """
    with closing(socket6(host, timeout=0.4 if silent else 5.0)) as out:
        out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
        try:
            out.connect((address, _PORT))
        except TimeoutError:
            return "silence"
        except OSError as error:
            return errno.errorcode[error.errno or 0]
    return "connected"


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("v6-open", "connected"),
        ("v6-drop", "silence"),
        ("v6-reject", "ECONNREFUSED"),
        ("v6-prohibit", "EACCES"),
    ],
)
def test_unsolicited(kind: str, answer: str) -> None:
    """
    Each kind of firewall has its answer to a SYN that nobody asked for, and lets out
    what is sent from inside, untranslated.
    """
    with Laboratory(kind, "v6-open") as lab:
        with closing(socket6(lab.a, _PORT)) as inside:
            inside.listen()
            isSilent = answer == "silence"
            assert connectError(lab.b, address6("a"), isSilent) == answer
        with closing(socket6(lab.b, _PORT)) as outside:
            outside.listen()
            with closing(socket6(lab.a, _PORT)) as out:
                out.connect((address6("b"), _PORT))
                inbound, where = outside.accept()
                inbound.close()
    assert where[:2] == (address6("a"), _PORT)


def test_wire() -> None:
    """
    Over IPv6 the wire is as long as over IPv4, in time and in routers.
    """
    with Laboratory("v6-open", "v6-open") as lab:
        far = address6("rendezvous")
        took = quickest(lambda: connectError(lab.a, far), "ECONNREFUSED")
        assert 0.08 <= took < 0.12
        # The router before the peer is one more.
        assert connectError(lab.a, address6("rendezvous"), hops=6) == "ECONNREFUSED"
        assert connectError(lab.a, address6("rendezvous"), hops=5) == "EHOSTUNREACH"
        assert connectError(lab.a, "2001:db8:cafe::1", True) == "silence"


def test_onlySix() -> None:
    """
    Who has IPv6 alone reaches nobody by IPv4.
    """
    unreachable = pytest.raises(OSError, match=os.strerror(errno.ENETUNREACH))
    with (
        Laboratory("v6-only", NONE) as lab,
        closing(lab.a.socket()) as out,
        unreachable,
    ):
        out.connect((lab.b.address, _PORT))


def test_nat64() -> None:
    """
    A NAT64 leads to IPv4, from one outside port to all; what comes back unasked is
    dropped.
    """
    with Laboratory("nat64", NONE) as lab:
        seen = []
        for server in (lab.rendezvous, lab.b):
            with (
                closing(server.socket(_PORT)) as listening,
                closing(socket6(lab.a, _PORT)) as out,
            ):
                listening.listen()
                out.connect((through64(server.address), _PORT))
                inbound, where = listening.accept()
                with closing(inbound):
                    inbound.sendall(b"x" * 5000)
                    inbound.shutdown(socket.SHUT_WR)
                    assert out.makefile("rb").read() == b"x" * 5000
                seen.append(where)
        assert seen[0] == seen[1]
        assert seen[0][0] == PUBLIC["a"]
        with pytest.raises(OSError, match=os.strerror(errno.ENETUNREACH)):
            observed(lab.a, lab.b, _PORT)

"""
C{twist punch-check} behind real NATs: its lines against the truth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .eventfile import EventFile
from .host import TWIST
from .nats import DROP, NONE, RANDOM, RESET
from .topology import PUBLIC, Laboratory
from .topology import SECOND_ADDRESS as SECOND
from .trial import awaitDirect, directSince

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

PORT = 4040

PER_PORT = "address-and-port-dependent"
DROPPED = "dropped (no answer)"
REFUSED = "refused (RST, or ICMP port unreachable)"
ANY = "endpoint-independent"
BY_HOST = "address-dependent"


@contextmanager
def serving(lab: Laboratory) -> Iterator[str]:
    """
    A rendezvous that looks from two ports, and from a second address: where it is.
    """
    address = lab.rendezvous.address
    stun = [f"--stun=tcp:{PORT + 1}:interface={each}" for each in (address, SECOND)]
    command = ["punch-rendezvous", "--listen", f"tcp:{PORT}", *stun]
    server = lab.rendezvous.start([*TWIST, *command])
    try:
        assert lab.rendezvous.answers((SECOND, PORT + 1), 15.0), server.tail()
        yield f"tcp:{address}:{PORT}"
    finally:
        server.end()


def check(kind: str) -> tuple[int, str, dict[str, str]]:
    """
    The exit status, the verdict, and each line by its label.
    """
    with Laboratory(kind, NONE) as lab, serving(lab) as where:
        return checked(lab, where)


def checked(
    lab: Laboratory, where: str, *options: str
) -> tuple[int, str, dict[str, str]]:
    """
    The same, in a laboratory.
    """
    command = [*TWIST, "punch-check", "--rendezvous", where, *options]
    done = lab.a.run(command, 60.0)
    assert done.stderr == "", done
    verdict, *lines = done.stdout.splitlines()
    pairs = [line.partition(": ")[::2] for line in lines]
    return done.returncode, verdict, dict(pairs)


@pytest.mark.parametrize(
    ("kind", "verdict", "mapping", "allocation", "filtering", "answer"),
    [
        (NONE, "likely", ANY, "preserves", ANY, "accepted"),
        (DROP, "likely", ANY, "preserves", PER_PORT, DROPPED),
        (RESET, "likely", ANY, "preserves", PER_PORT, REFUSED),
        (RANDOM, "possible", PER_PORT, "random, from the whole", PER_PORT, DROPPED),
        ("home-seq", "possible", PER_PORT, "sequential", PER_PORT, DROPPED),
        ("cell-blk", "possible", PER_PORT, "random, from the block", PER_PORT, DROPPED),
        ("home-adf", "likely", ANY, "preserves", BY_HOST, "accepted"),
    ],
)
def test_truth(
    kind: str, verdict: str, mapping: str, allocation: str, filtering: str, answer: str
) -> None:
    """
    What a NAT does is what is told.
    """
    status, said, told = check(kind)
    assert (status, said) == (0, verdict), told
    assert told["Mapping"] == mapping
    assert told["Allocation"].startswith(allocation)
    assert told["Filtering"] == filtering
    assert told["Answer to an unsolicited SYN"] == answer
    assert told["IPv4 address"].startswith(PUBLIC["a"])
    assert told["Hairpin"].startswith("not tested" if kind == NONE else "no, ")


def test_hairpin() -> None:
    """
    Where a NAT leads us back to ourselves, that is told too.
    """
    status, _, told = check("home-eif")
    assert (status, told["Hairpin"]) == (0, "yes"), told
    assert told["Filtering"] == ANY


@pytest.mark.parametrize(
    ("ours", "theirs", "status", "pair", "path"),
    [
        (RESET, DROP, 0, "likely \\(direct after ", "direct"),
        (RANDOM, RANDOM, 1, "unlikely \\(both-random-mapping: ", "relayed"),
    ],
)
def test_pair(
    ours: str, theirs: str, status: int, pair: str, path: str, tmp_path: Path
) -> None:
    """
    With a code the pair's verdict is what becomes of the pair: it goes on waiting under
    that code, and is met, or not, as was said.
    """
    events = EventFile(tmp_path / "listener.events")
    with Laboratory(ours, theirs) as lab, serving(lab) as where:
        punch = [*TWIST, "punch", "--rendezvous", where, "--once", "--events"]
        listener = lab.b.start([*punch, str(events.path)])
        assert events.wait({"waiting"}, 15.0), listener.tail()
        [code] = [each["code"] for each in events.named("code")]
        said = checked(lab, where, "--code", code, "--timeout", "4")
        assert said[0] == status, said
        assert re.match(pair, said[2]["Pair"]), said
        assert said[2]["Peer"].startswith(PUBLIC["b"])
        assert listener.status is None, listener.tail()
        dialer = lab.a.start([*punch, str(tmp_path / "dialer.events"), "--code", code])
        assert events.wait({"connected"}, 15.0) is not None, listener.tail()
        if path == "direct":
            awaitDirect(events, 15.0)
        isDirect = directSince(events.read()) is not None
        assert isDirect == (path == "direct"), listener.tail()
        dialer.end()
        listener.end()


def test_secondAddress(tmp_path: Path) -> None:
    """
    A rendezvous that looks from two addresses knows a NAT that gives a port for each
    address; and who is behind one meets who keeps his port, and lets nobody else in,
    directly.
    """
    heard = EventFile(tmp_path / "listener.events")
    with Laboratory("home-adm", DROP, seed="7") as lab, serving(lab) as where:
        punch = [*TWIST, "punch", "--rendezvous", where, "--once", "--relay", "never"]
        listener = lab.b.start([*punch, "--events", str(heard.path)])
        status, said, told = checked(lab, where)
        assert (status, said) == (0, "possible"), told
        assert told["Mapping"] == BY_HOST
        assert told["Allocation"].startswith("sequential")
        assert heard.wait({"waiting"}, 15.0), listener.tail()
        [code] = [each["code"] for each in heard.named("code")]
        dialer = lab.a.start([*punch, "--code", code])
        connected = heard.wait({"connected"}, 30.0)
        assert connected is not None, (listener.tail(), dialer.tail())
        assert connected["path"] == "direct"
        dialer.end()
        listener.end()

"""
Each fault kills what it should, as seen by plain blocking sockets, and leaves a
network that works.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Event, Thread
from time import monotonic

import pytest

from .faults import FAULTS, Uplink, namespaceOf, outermost, reset, unplug
from .host import Host
from .nats import DOUBLE, DROP, NONE
from .topology import PUBLIC, Laboratory

pytestmark = pytest.mark.lab

_SILENCE = 0.4
"""
Seconds in which what comes would have come: five round trips.
"""

_PATIENCE = 5.0
"""
Seconds to wait for what must come, on a machine that is busy.
"""


class Flow:
    """
    A plain TCP connection from one host to another, both ends of it.
    """

    def __init__(self, here: Host, there: Host, address: str = "") -> None:
        with closing(there.socket(4000)) as waiting:
            waiting.listen()
            self.out = here.socket()
            self.out.connect((address or there.publicAddress, 4000))
            self.inbound, self.seenAs = waiting.accept()

    def __enter__(self) -> Flow:
        return self

    def __exit__(self, *error: object) -> None:
        self.out.close()
        self.inbound.close()

    @property
    def isAlive(self) -> bool:
        """
        Whether both directions carry something.
        """
        return self._carried(_PATIENCE) == [True, True]

    @property
    def isDead(self) -> bool:
        """
        Whether neither direction does.
        """
        return self._carried(_SILENCE) == [False, False]

    def _carried(self, patience: float) -> list[bool]:
        for end in (self.out, self.inbound):
            with suppress(OSError):
                end.sendall(b".")
        return [hears(end, patience) for end in (self.inbound, self.out)]


def hears(end: socket.socket, patience: float) -> bool:
    """
    Does something come, before a time is over?
    """
    end.settimeout(patience)
    try:
        return end.recv(1) == b"."
    except OSError:
        return False


@contextmanager
def chatter(flow: Flow) -> Iterator[list[str]]:
    """
    Both ends of a flow say something all the time.

    @return: the errors that ended it, by the name of their types.
    """
    errors: list[str] = []
    over = Event()

    def say(end: socket.socket) -> None:
        try:
            while not over.wait(0.02):
                end.sendall(b".")
        except OSError as error:
            errors.append(type(error).__name__)

    threads = [Thread(target=say, args=(end,)) for end in (flow.out, flow.inbound)]
    for thread in threads:
        thread.start()
    yield errors
    over.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def lab() -> Iterator[Laboratory]:
    """
    A laboratory whose peer A is behind a NAT.
    """
    with Laboratory(DROP, NONE) as lab:
        yield lab


@pytest.mark.parametrize("name", ["flush", "move", "renumber"])
def test_silent(name: str, lab: Laboratory) -> None:
    """
    A NAT without memory, and another address of either sort, end a flow, which
    stays dead; what is new works, at once.
    """
    with Flow(lab.a, lab.b) as flow, Flow(lab.a, lab.rendezvous) as other:
        assert flow.isAlive
        assert other.isAlive
        assert FAULTS[name](lab, "a") <= monotonic()
        with Flow(lab.a, lab.b) as fresh:
            assert fresh.isAlive
            assert fresh.seenAs[0] == lab.a.publicAddress
        assert flow.isDead
        assert other.isDead


def test_addresses(lab: Laboratory) -> None:
    """
    The addresses are really others.
    """
    inside, outside = lab.a.address, lab.a.publicAddress
    FAULTS["move"](lab, "a")
    assert lab.a.publicAddress == outside != inside != lab.a.address
    with closing(lab.a.socket()) as out:
        out.connect_ex((lab.b.address, 9))
        assert out.getsockname()[0] == lab.a.address
    FAULTS["renumber"](lab, "a")
    assert lab.a.publicAddress not in (outside, PUBLIC["b"])


def test_reset(lab: Laboratory) -> None:
    """
    Both ends of a flow on which something is said are told of its reset; a flow to
    elsewhere is not touched.
    """
    with (
        Flow(lab.a, lab.b) as flow,
        Flow(lab.a, lab.rendezvous) as other,
        chatter(flow) as errors,
    ):
        reset(lab, "a")
        assert other.isAlive
    assert errors == ["ConnectionResetError"] * 2
    with Flow(lab.a, lab.b) as fresh:
        assert fresh.isAlive


@pytest.mark.parametrize("side", ["a", "b"])
def test_unplug(side: str, lab: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nothing passes while an interface is down, behind a NAT or not; then a flow goes
    on, by TCP's own patience, and what is new works.
    """
    with Flow(lab.a, lab.b) as flow:
        wasDead: list[bool] = []
        monkeypatch.setattr(
            "tests.lab.faults.sleep", lambda seconds: wasDead.append(flow.isDead)
        )
        unplug(lab, side)
        assert wasDead == [True]
        with Flow(lab.a, lab.b) as fresh:
            assert fresh.isAlive
        assert hears(flow.inbound, _PATIENCE)


def test_forGood(lab: Laboratory) -> None:
    """
    An interface that stays down stays down.
    """
    with Flow(lab.a, lab.b) as flow:
        uplink = Uplink(namespaceOf(lab.a))
        uplink.down()
        assert flow.isDead
        with closing(lab.a.socket()) as out, pytest.raises(OSError, match="unreach"):
            out.connect((lab.b.address, 4000))
        uplink.up()
        with Flow(lab.a, lab.b) as fresh:
            assert fresh.isAlive


def test_blocked(lab: Laboratory) -> None:
    """
    The direct way alone can be blocked, and opened again: a flow that has waited
    goes on.
    """
    with Flow(lab.a, lab.b) as flow, Flow(lab.b, lab.rendezvous) as other:
        lab.wire.block("a", "b")
        assert flow.isDead
        assert other.isAlive
        lab.wire.unblock()
        assert hears(flow.inbound, _PATIENCE)


def test_outermost() -> None:
    """
    Of two NATs before a peer it is the outer one that is meant.
    """
    with Laboratory(DOUBLE, NONE) as lab:
        assert outermost(lab, "a") is lab.nats["a-nat2"]
        with Flow(lab.a, lab.b) as flow:
            FAULTS["renumber"](lab, "a")
            assert flow.isDead
        with Flow(lab.a, lab.b) as fresh:
            assert fresh.seenAs[0] == lab.a.publicAddress != PUBLIC["a"]

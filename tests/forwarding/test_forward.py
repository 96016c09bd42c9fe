"""
Tests for L{punch.forwarding.forward}.
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone

from punch.errors import BadOption
from punch.forwarding.forward import MOST_WAITING, TIMEOUT, addressText, parseForwards
from punch.testing import MemoryNetwork
from tests.support.doubles import watching
from tests.support.forwardedpair import FORWARD, ForwardedPair
from tests.support.programs import HalfCloser, Recorder, Service, connect


def refusals(lines: list[str]) -> list[str]:
    """
    The lines of a log that tell of refused connections.
    """
    return [each for each in lines if each.startswith("A connection to")]


def test_named() -> None:
    """
    Each port leads to its own service.
    """
    forwarded = ForwardedPair(
        expose=["web=tcp:192.0.2.4:80", "tcp:192.0.2.4:22"],
        forward=[FORWARD, "web=tcp:8080"],
    ).link()
    web = Service(forwarded.target, 80, kind=HalfCloser)
    for port, service in ((2222, forwarded.service), (8080, web)):
        client = forwarded.connect(port=port)
        client.transport.write(b"%d" % port)
        forwarded.run()
        assert [each.received for each in service.accepted] == [b"%d" % port]


def test_noRoundTripLost() -> None:
    """
    The client's bytes are sent right behind the request: they wait for no answer.
    """
    forwarded = ForwardedPair().link()
    started = forwarded.network.clock.seconds()
    # Its first ACK has this too: the forward begins when it arrives.
    forwarded.connect().transport.write(b"hello")
    accepted = forwarded.service.accepted
    assert forwarded.network.runUntil(lambda: accepted and accepted[0].received, 1.0)
    trip = 2 * forwarded.client.latency
    elapsed = forwarded.network.clock.seconds() - started
    # SYN, SYN-ACK, data to the forward; over the link; SYN, SYN-ACK, data.
    assert elapsed <= 7 * trip + 0.001


def test_connectionsWait() -> None:
    """
    Connections wait for a link, unread, and are served when it comes.
    """
    forwarded = ForwardedPair()
    clients = [forwarded.connect() for _ in range(3)]
    for number, client in enumerate(clients):
        client.transport.write(b"%d" % number)
        client.transport.loseWriteConnection()
    forwarded.run(TIMEOUT / 2)
    assert all(each.isOpen and each.ended != ["read"] for each in clients)
    forwarded.link()
    forwarded.run()
    assert sorted(each.received for each in forwarded.service.accepted) == [
        b"0",
        b"1",
        b"2",
    ]


def test_waitEnds() -> None:
    """
    After a while they are refused, and the log has the reason.
    """
    forwarded = ForwardedPair()
    client = forwarded.connect()
    with watching() as log:
        forwarded.run(TIMEOUT - 2)
        assert client.isOpen
        assert refusals(log.sentences) == []
        forwarded.run(3)
    assert client.isBroken
    [line] = refusals(log.sentences)
    assert "There is no link to the other side" in line
    assert "60 seconds" in line
    # It no longer counts as one that waits.
    forwarded.link()
    assert forwarded.joined()[1].isOpen


def test_tooManyWait() -> None:
    """
    Not too many may wait, in all forwards together; the next are refused at once.
    """
    forwarded = ForwardedPair(forward=[FORWARD, "other=tcp:2223"])
    waiting = [forwarded.connect(port=2222 + n % 2) for n in range(MOST_WAITING)]
    with watching() as log:
        late = [forwarded.connect(port=2222 + n) for n in range(2)]
        forwarded.run()
    assert all(each.isOpen for each in waiting)
    assert not any(each.isOpen for each in late)
    lines = refusals(log.sentences)
    assert len(lines) == 2
    assert "'other'" in lines[1]
    assert str(MOST_WAITING) in lines[1]


def test_stopped() -> None:
    """
    When a process stops, connections that wait for a link are aborted, and nothing is
    left.
    """
    forwarded = ForwardedPair()
    client = forwarded.connect()
    forwarded.run()
    with watching() as log:
        forwarded.near.opener.close()
        forwarded.run()
    assert client.isBroken
    assert refusals(log.sentences) == []
    assert forwarded.network.clock.getDelayedCalls() == []


def test_noSuchService() -> None:
    """
    A refusal is an abort for the client, and in the log a sentence.
    """
    forwarded = ForwardedPair(forward=["web=tcp:2222"]).link()
    with watching() as log:
        client = forwarded.connect()
        client.transport.write(b"hello")
        forwarded.run()
    assert client.isBroken
    [line] = refusals(log.sentences)
    assert "'web'" in line
    assert "must --expose it" in line


def test_clientLeaves() -> None:
    """
    That a client left before it was served is no refusal.
    """
    forwarded = ForwardedPair().link()
    forwarded.target.cut()
    with watching() as log:
        client = forwarded.connect()
        forwarded.run()
        client.transport.abortConnection()
        forwarded.run()
    assert log.sentences == []
    assert forwarded.isQuiet


def test_noAnswer() -> None:
    """
    If the other side never says whether we get the service, the client is not kept
    waiting for ever.
    """
    forwarded = ForwardedPair()
    [first, second] = forwarded.pair.links()
    first.start(forwarded.near.pool.buildProtocol(None))
    second.start(deaf := Recorder())
    client = forwarded.connect()
    with watching() as log:
        forwarded.run(TIMEOUT - 2)
        assert client.isOpen
        forwarded.run(3)
    assert deaf.received
    assert client.isBroken
    [line] = refusals(log.sentences)
    assert "did not say in time" in line


def test_badForward() -> None:
    """
    What is no server endpoint is a mistake.
    """
    forwarded = ForwardedPair()
    near = forwarded.near
    with pytest.raises(BadOption, match="--forward"):
        parseForwards(forwarded.client, ["nonsense"], near.connections, near.opener)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (IPv4Address("TCP", "127.0.0.1", 22), "127.0.0.1:22"),
        (IPv6Address("TCP", "::1", 22), "[::1]:22"),
        (UNIXAddress("/tmp/s"), "/tmp/s"),
        (None, "None"),
    ],
)
def test_addressText(address: Any, text: str) -> None:
    """
    Where a forward is open.
    """
    assert addressText(address) == text


# A thousand at once.

CLIENTS = 1000
SEED = 20261122
LARGEST = 40_000


class Talker(HalfCloser):
    """
    Says something in pieces, with stalls, finishes, and hears the other side out;
    or breaks off on the way.
    """

    def __init__(self, chance: random.Random, network: MemoryNetwork) -> None:
        HalfCloser.__init__(self)
        self._chance = chance
        self._later = network.timeline.after
        self.says = chance.randbytes(ID + chance.randrange(LARGEST))
        self.hasAborted = False
        self._hasty = chance.random() < 0.1
        self._said = 0

    def connectionMade(self) -> None:
        """
        Begin.
        """
        self._go()

    def _go(self) -> None:
        if not self.isOpen:
            return
        chance = self._chance
        if self._hasty and chance.random() < 0.3:
            self.hasAborted = True
            self.transport.abortConnection()
        elif self._said < len(self.says):
            size = chance.choice([1, 100, 5_000, LARGEST])
            self.transport.write(self.says[self._said : self._said + size])
            self._said += size
            self._stall()
        else:
            self.transport.loseWriteConnection()

    def _stall(self) -> None:
        if self._chance.random() < 0.3:
            self.transport.pauseProducing()
            self._later(self._chance.uniform(0, 5), self._resume)
        self._later(self._chance.choice([0, 0.1, 3]), self._go)

    def _resume(self) -> None:
        if self.isOpen and "read" not in self.ended:
            self.transport.resumeProducing()

    def readConnectionLost(self) -> None:
        """
        The other side has finished.
        """
        HalfCloser.readConnectionLost(self)
        self._end()

    def writeConnectionLost(self) -> None:
        """
        This side has.
        """
        HalfCloser.writeConnectionLost(self)
        self._end()

    def _end(self) -> None:
        if sorted(self.ended) == ["read", "write"]:
            self.transport.loseConnection()

    def hears(self, other: Talker) -> bool:
        """
        Did we hear what we had to of what C{other} said?
        """
        assert self.reason is not None
        isWhole = self.reason.check(ConnectionDone) and "read" in self.ended
        if self.hasAborted or other.hasAborted:
            return not isWhole and other.says.startswith(self.received)
        return bool(isWhole) and self.received == other.says


ID = 16
"""
Bytes by which we know who talks.
"""


def test_aThousand() -> None:
    """
    A thousand connections at once, with random sizes, stalls, half-closes and
    aborts: what arrives is what was sent, nobody starves, and what was broken off
    never looks whole.
    """
    chance = random.Random(SEED)
    forwarded = ForwardedPair().link()
    make: Any = partial(Talker, chance, forwarded.network)
    forwarded.service.factory.kind = make
    clients: list[Any] = []
    for number in range(CLIENTS):
        connecting = connect(forwarded.client, "192.0.2.1", 2222, kind=make)
        connecting.addCallback(clients.append)
        if number % 40 == 0:
            # A port's backlog is 50.
            forwarded.run(0.1)
    forwarded.run(200)
    assert len(clients) == CLIENTS
    assert forwarded.isQuiet
    callers = {each.says[:ID]: each for each in clients}
    accepted: Any = forwarded.service.accepted
    whole = 0
    for target in accepted:
        client = callers.get(target.received[:ID])
        if client is None:
            continue
        assert client.hears(target)
        assert target.hears(client)
        whole += not (client.hasAborted or target.hasAborted)
    assert whole > CLIENTS * 0.7

"""
Tests for L{punch.rendezvous.server.amp}: it and Twisted's AMP understand each other.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.protocols import amp
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase

from punch.errors import NoSuchName
from punch.rendezvous import commands
from punch.rendezvous.commands import Allocate, Dial, Hello, Introduce, Leave, Relay
from punch.rendezvous.relaypreamble import TICKET_BYTES
from punch.rendezvous.server.amp import MAX_KEYS, BadBox, codecOf, errorBox, readBox
from punch.rendezvous.server.factory import RendezvousFactory

LONGEST = 16_384

keys = st.binary(min_size=1, max_size=255)
boxes = st.dictionaries(keys, st.binary(max_size=300), max_size=8)

addresses = st.builds(
    IPv4Address, st.just("TCP"), st.just("192.0.2.1"), st.integers(1, 65535)
) | st.builds(
    IPv6Address, st.just("TCP"), st.just("2001:db8::1"), st.integers(1, 65535)
)
VALUES: dict[type[amp.Argument], st.SearchStrategy[Any]] = {
    amp.Integer: st.integers(-(10**9), 10**9),
    amp.Unicode: st.text(max_size=50),
    amp.String: st.binary(max_size=500),
    amp.ListOf: st.lists(st.text(max_size=5), max_size=5),
    commands.Address: addresses,
    amp.Boolean: st.booleans(),
    commands.ProbeAnswer: st.sampled_from([*commands.PROBE_ANSWERS]),
    commands.Seconds: st.integers(0, 3_600_000_000).map(lambda us: us / 1e6),
}
COMMANDS = [
    commands.Hello,
    commands.Allocate,
    commands.Publish,
    commands.Withdraw,
    commands.Dial,
    commands.Introduce,
    commands.Relay,
    commands.Leave,
    commands.Probe,
    commands.Ping,
]


def values(arguments: list[tuple[bytes, amp.Argument]]) -> st.SearchStrategy[Any]:
    """
    Values for a command or its answer.
    """
    return st.fixed_dictionaries(
        {key.decode("ascii"): VALUES[type(argument)] for key, argument in arguments}
    )


def only(data: bytes) -> amp.Box:
    """
    The one box in some bytes, by Twisted's own parser.
    """
    box: amp.Box
    (box,) = amp.parseString(data)
    return box


@given(st.lists(boxes, max_size=4), st.binary(max_size=20))
def test_takesWhatAMPWrites(written: list[dict[bytes, bytes]], before: bytes) -> None:
    """
    Boxes that Twisted serializes are read back, one by one.
    """
    data = before + b"".join(amp.Box(box).serialize() for box in written)
    at, taken = len(before), []
    while at < len(data):
        found = readBox(data, at, LONGEST)
        assert found is not None
        box, at = found
        taken.append(box)
    assert taken == written


@given(boxes, st.data())
def test_waitsForTheRest(box: dict[bytes, bytes], data: st.DataObject) -> None:
    """
    A box of which the end is missing is waited for.
    """
    wire = amp.Box(box).serialize()
    cut = data.draw(st.integers(0, len(wire) - 1))
    assert readBox(wire[:cut], 0, LONGEST) is None


@given(st.binary(max_size=2000))
def test_anyBytes(data: bytes) -> None:
    """
    Any bytes are a box, or the beginning of one, or refused.
    """
    try:
        taken = readBox(data, 0, LONGEST)
    except BadBox:
        return
    assert taken is None or only(data[: taken[1]]) == taken[0]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\1\0", id="a key of 256 bytes"),
        pytest.param(b"\0\1k\xff\xff", id="a value longer than a box"),
        pytest.param(b"\0\1k\0\1v\0\1k\0\1w\0\0", id="a key twice"),
        pytest.param(
            b"".join(b"\0\1%c\0\0" % key for key in range(MAX_KEYS + 1)),
            id="many keys",
        ),
        pytest.param(
            b"".join(b"\0\1%c\x1f\xff%8191s" % (key, b"") for key in range(1, 4)),
            id="values too long together",
        ),
    ],
)
def test_bounds(data: bytes) -> None:
    """
    Bytes that exceed a bound are refused before the box is complete.
    """
    with pytest.raises(BadBox):
        readBox(data, 0, LONGEST)


@given(st.sampled_from(COMMANDS), st.data())
def test_commands(command: type[amp.Command], data: st.DataObject) -> None:
    """
    Each command is written as Twisted reads it, and read as Twisted writes it.
    """
    given = data.draw(values(command.arguments))
    box = only(codecOf(command).ask(given, b"2f"))
    assert box.pop(amp.COMMAND) == command.commandName
    assert box.pop(amp.ASK) == b"2f"
    assert box == command.makeArguments(given, None)
    assert codecOf(command).arguments.read(box) == command.parseArguments(box, None)


def test_badProbeAnswer() -> None:
    """
    A word that is no answer of a probe is refused.
    """
    with pytest.raises(ValueError, match="no answer of a probe"):
        commands.ProbeAnswer().fromString(b"connected")


@given(st.sampled_from(COMMANDS), st.data())
def test_answers(command: type[amp.Command], data: st.DataObject) -> None:
    """
    Each answer is written as Twisted reads it.
    """
    given = data.draw(values(command.response))
    box = only(codecOf(command).answer(b"2f", given))
    assert box.pop(amp.ANSWER) == b"2f"
    assert box == command.makeResponse(given, None)


def test_noAnswerWanted() -> None:
    """
    A command without a tag wants no answer.
    """
    assert only(codecOf(commands.Ping).ask({})) == {amp.COMMAND: b"Ping"}


def test_optional() -> None:
    """
    Optional arguments may be missing, others may not.
    """
    arguments = codecOf(commands.Hello).arguments
    read = arguments.read({b"version": b"1", b"features": b""})
    assert read == {"version": 1, "features": []}
    with pytest.raises(BadBox):
        arguments.read({b"version": b"1"})
    for more in ({}, {"roundTrip": None}):
        box = only(codecOf(commands.Hello).ask({"version": 1, "features": [], **more}))
        assert set(box) == {b"_command", b"version", b"features"}


@pytest.mark.parametrize(
    "box",
    [
        {b"version": b"one", b"features": b""},
        {b"version": b"", b"features": b""},
        {b"version": b"1", b"features": b"\0\1\xff"},
        {b"version": b"1", b"features": b"", b"roundTrip": b"-1"},
        {b"version": b"1", b"features": b"", b"roundTrip": b"9" * 5000},
    ],
)
def test_malformed(box: dict[bytes, bytes]) -> None:
    """
    Values that are none are refused.
    """
    with pytest.raises(BadBox):
        codecOf(commands.Hello).arguments.read(box)


def test_refusal() -> None:
    """
    An error is written as Twisted reads it.
    """
    assert only(errorBox(b"2f", b"TOO-FAST", "wait … a minute")) == {
        amp.ERROR: b"2f",
        amp.ERROR_CODE: b"TOO-FAST",
        amp.ERROR_DESCRIPTION: "wait … a minute".encode(),
    }


class OlderDial(Dial):
    """
    The command as it was before there were tickets.
    """

    commandName = b"Dial"
    response = Dial.response[:-1]


class OlderIntroduce(Introduce):
    """
    The command as it was before there were tickets.
    """

    commandName = b"Introduce"
    arguments = Introduce.arguments[:-1]


class Peer(amp.AMP):
    """
    A client made of Twisted's AMP alone, which records what the server sends.
    """

    def __init__(self) -> None:
        amp.AMP.__init__(self)
        self.received: list[dict[str, Any]] = []

    @Introduce.responder
    @Relay.responder
    @Leave.responder
    def commandReceived(self, **values: Any) -> dict[str, Any]:
        """
        Record the arguments of a command.
        """
        self.received.append(values)
        return {}


class OlderPeer(Peer):
    """
    A client that knows the older commands.
    """

    @OlderIntroduce.responder
    def olderCommandReceived(self, **values: Any) -> dict[str, Any]:
        """
        Record the arguments of an older command.
        """
        return self.commandReceived(**values)


class AMPTests(SynchronousTestCase):
    """
    Two peers and a rendezvous, joined by their bytes.
    """

    def setUp(self) -> None:
        """
        A rendezvous.
        """
        self.factory = RendezvousFactory(Clock())
        self.pumps: list[IOPump] = []

    def join(self, port: int, peer: amp.AMP | None = None) -> Any:
        """
        A peer that is connected.
        """
        address = IPv4Address("TCP", "192.0.2.1", port)
        server = self.factory.buildProtocol(address)
        peer = peer or Peer()
        self.pumps.append(
            connect(
                server,
                FakeTransport(server, True, peerAddress=address),
                peer,
                FakeTransport(peer, False),
            )
        )
        return peer

    def flush(self) -> None:
        """
        Carry all bytes.
        """
        for pump in self.pumps * 3:
            pump.flush()

    def ask(self, peer: amp.AMP, command: type[amp.Command], **values: Any) -> Any:
        """
        Have a command answered.
        """
        answer = amp.AMP.callRemote(peer, command, **values)
        self.flush()
        return self.successResultOf(answer)

    def test_meeting(self) -> None:
        """
        They meet, speak and part.
        """
        listener, dialer = self.join(1001), self.join(1002)
        for peer in (listener, dialer):
            self.ask(peer, Hello, version=1, features=["a", "b"], roundTrip=0.01)
        name = self.ask(listener, Allocate, owner=b"o" * 16)["name"]
        answer = self.ask(dialer, Dial, name=name, message=b"PAKE")
        assert answer["peer"] == IPv4Address("TCP", "192.0.2.1", 1001)
        meeting = answer["introduction"]
        amp.AMP.callRemote(listener, Relay, introduction=meeting, message=b"details")
        self.flush()
        amp.AMP.callRemote(dialer, Leave, introduction=meeting, reason="done")
        self.flush()
        assert listener.received == [
            {
                "introduction": meeting,
                "name": name,
                "peer": IPv4Address("TCP", "192.0.2.1", 1002),
                "wait": 0.0,
                "message": b"PAKE",
                "ticket": ANY,
            },
            {"introduction": meeting, "reason": "done"},
        ]
        assert dialer.received == [{"introduction": meeting, "message": b"details"}]
        tickets = {answer["ticket"], listener.received[0]["ticket"]}
        assert {len(each) for each in tickets} == {TICKET_BYTES}
        assert len(tickets) == 2

    def test_older(self) -> None:
        """
        A peer that knows no tickets is introduced all the same.
        """

        listener, dialer = self.join(1001, OlderPeer()), self.join(1002)
        for peer in (listener, dialer):
            self.ask(peer, Hello, version=1, features=[])
        name = self.ask(listener, Allocate, owner=b"o" * 16)["name"]
        answer = self.ask(dialer, OlderDial, name=name, message=b"PAKE")
        assert set(answer) == {"introduction", "peer", "wait"}
        [introduced] = listener.received
        assert introduced["introduction"] == answer["introduction"]

    def test_refusal(self) -> None:
        """
        A refusal is an error of the command's; its text is for a person, once.
        """
        peer = self.join(1001)
        self.ask(peer, Hello, version=1, features=[])
        refusals: list[Any] = []
        dialing = amp.AMP.callRemote(peer, Dial, name="nobody", message=b"")
        dialing.addErrback(refusals.append)
        self.flush()
        assert [type(each.value) for each in refusals] == [NoSuchName]
        assert refusals[0].value.detail == "nobody"

"""
Tests for L{punch.rendezvous.server.connection}: hello, liveness, limits, hostile bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from punch.errors import (
    NoSuchName,
    RendezvousViolation,
    TooFast,
    TooMany,
    UnsupportedVersion,
)
from punch.rendezvous import commands
from punch.rendezvous.commands import (
    Dial,
    Introduce,
    Leave,
    Ping,
    Publish,
    Relay,
    Withdraw,
)
from tests.support.doubles import watching
from tests.support.rendezvous import OWNER, Client, Server


class HelloTests(SynchronousTestCase):
    """
    The first command of a connection.
    """

    def setUp(self) -> None:
        """
        A rendezvous.
        """
        self.server = Server()

    def client(self, peer: IAddress) -> Client:
        """
        A client from a given address.
        """
        return Client(self.server.factory, peer)

    def test_observed(self) -> None:
        """
        The answer tells the address that the client comes from.
        """
        client = self.client(IPv4Address("TCP", "198.51.100.7", 4711))
        response = client.hello()
        assert response["observed"] == IPv4Address("TCP", "198.51.100.7", 4711)
        assert response["features"] == []

    def test_mapped(self) -> None:
        """
        An IPv4 address on an IPv6 socket is an IPv4 address.
        """
        client = self.client(IPv6Address("TCP", "::ffff:198.51.100.7", 4711))
        observed = client.hello()["observed"]
        assert observed == IPv4Address("TCP", "198.51.100.7", 4711)

    def test_notIP(self) -> None:
        """
        A client without an address that a peer could connect to is refused.
        """
        client = self.client(UNIXAddress("/run/somewhere"))
        with pytest.raises(RendezvousViolation):
            client.hello()
        assert client.dropped

    def test_unknownFeatures(self) -> None:
        """
        Features that we do not know are ignored.
        """
        client = self.server.connect()
        assert client.hello(features=["telepathy"])["features"] == []

    def test_version(self) -> None:
        """
        Another version is refused, by name, and the connection closed.
        """
        client = self.server.connect()
        with pytest.raises(UnsupportedVersion) as refusal:
            client.hello(version=2)
        assert "version 1" in refusal.value.detail
        assert client.dropped

    def test_first(self) -> None:
        """
        Nothing comes before the hello.
        """
        client = self.server.connect()
        with pytest.raises(RendezvousViolation):
            client.ask(Publish, name="name", owner=OWNER)
        assert client.dropped

    def test_once(self) -> None:
        """
        There is one hello.
        """
        client = self.server.client()
        with pytest.raises(RendezvousViolation):
            client.hello()
        assert client.dropped

    def test_silence(self) -> None:
        """
        A client that says no hello is dropped after a while.
        """
        client = self.server.connect()
        self.server.advance(9)
        assert not client.dropped
        self.server.advance(1)
        assert client.dropped


class LifeTests(SynchronousTestCase):
    """
    How long connections live.
    """

    def test_idle(self) -> None:
        """
        A client without a name or an introduction is dropped after a while.
        """
        server = Server(idleSeconds=30)
        client = server.client()
        server.advanceAnswering(29)
        assert not client.dropped
        server.advanceAnswering(1)
        assert client.dropped

    def test_idleAfterUse(self) -> None:
        """
        That time starts when the last name or introduction ends.
        """
        server = Server(idleSeconds=30)
        listener, dialer = server.listener("name"), server.client()
        meeting = dialer.ask(Dial, name="name", message=b"")["introduction"]
        server.advanceAnswering(100)
        listener.ask(Withdraw, name="name")
        dialer.send(Leave, introduction=meeting, reason="done")
        server.advanceAnswering(29)
        assert [listener.dropped, dialer.dropped] == [False, False]
        server.advanceAnswering(1)
        assert [listener.dropped, dialer.dropped] == [True, True]

    def test_waitsForEver(self) -> None:
        """
        A listener that answers pings waits as long as it likes; each ping comes
        within 45 seconds of the last.
        """
        server = Server()
        listener = server.listener("name")
        server.advanceAnswering(3600)
        assert not listener.dropped
        listener.commands.clear()
        server.advance(45)
        assert len(listener.received(Ping)) == 1

    def test_dead(self) -> None:
        """
        A client that does not answer a ping is dropped, and its dialer is told.
        """
        server = Server()
        server.listener("name")
        dialer = server.client()
        dialer.ask(Dial, name="name", message=b"")
        server.advance(21)
        assert dialer.leaveReasons == ["peer-left"]
        assert not dialer.dropped

    def test_answersWithError(self) -> None:
        """
        A client that answers a ping with an error is kept.
        """
        server = Server()
        listener = server.listener("name")
        server.advance(1)
        listener.write(b"\0\6_error\0\0011\0\0")
        server.advance(30)
        assert not listener.dropped

    def test_asked(self) -> None:
        """
        A client may ask whether we live.
        """
        assert Server().client().ask(Ping) == {}

    def test_lingering(self) -> None:
        """
        A client that does not read our last bytes is aborted after a while.
        """
        server = Server()
        client = server.connect()
        client.protocol.dataReceived(b"\0\0")
        assert client.transport.disconnecting
        server.clock.advance(4)
        assert not client.transport.disconnected
        server.clock.advance(1)
        assert client.transport.disconnected

    def test_stopped(self) -> None:
        """
        A rendezvous that stops closes all connections and leaves no timer.
        """
        server = Server()
        clients = [server.connect(), server.client(), server.listener("name")]
        server.factory.doStop()
        server.advance(1)
        assert [each.dropped for each in clients] == [True] * 3
        assert server.clock.getDelayedCalls() == []


class LimitTests(SynchronousTestCase):
    """
    Limits on connections and requests.
    """

    def test_connectionsPerAddress(self) -> None:
        """
        One address has so many connections; as many again are told so, and more
        not even that.  Others are let in.
        """
        server = Server(connectionsPerAddress=2)
        kept = [server.client() for _ in range(2)]
        extra = [server.connect() for _ in range(3)]
        assert [each.dropped for each in extra] == [False, False, True]
        with pytest.raises(TooMany) as refusal:
            extra[0].hello()
        assert refusal.value.detail == "at most 2 connections"
        assert extra[0].dropped
        server.client("192.0.2.2")
        kept[0].disconnect()
        extra[1].disconnect()
        server.client()

    def test_connectionsPerMinute(self) -> None:
        """
        One address connects so often.
        """
        server = Server(connectionsPerMinute=2)
        for _ in range(2):
            server.client().disconnect()
        with pytest.raises(TooFast):
            server.connect().hello()
        server.client("192.0.2.2")
        server.advance(31)
        server.client()

    def test_connections(self) -> None:
        """
        There are so many connections in all.
        """
        server = Server(connections=2)
        kept = [server.client(f"192.0.2.{host}") for host in (1, 2)]
        assert server.connect("192.0.2.3").dropped
        kept[0].disconnect()
        server.client("192.0.2.3")

    def test_refusals(self) -> None:
        """
        A client that is refused too often is dropped, after an answer to the last
        request.
        """
        server = Server(refusals=3)
        client = server.client()
        for _ in range(3):
            assert not client.dropped
            with pytest.raises(NoSuchName):
                client.ask(Dial, name="a", message=b"")
        assert client.dropped

    def test_commandsTooFast(self) -> None:
        """
        One connection sends so many commands; the first too many is the last.
        """
        server = Server(commandsPerMinute=10)
        client = server.client()
        for _ in range(9):
            client.ask(Publish, name="name", owner=OWNER)
        with pytest.raises(TooFast):
            client.ask(Publish, name="name", owner=OWNER)
        assert client.dropped

    def test_doesNotRead(self) -> None:
        """
        For a client who does not read only so much is kept; then it is dropped, and
        others are told.
        """
        server = Server(unsentBytes=1000, messagesPerIntroduction=1000)
        listener, dialer = server.listener("name"), server.client()
        meeting = dialer.ask(Dial, name="name", message=b"")["introduction"]
        listener.protocol.pauseProducing()
        listener.transport.clear()
        for _ in range(100):
            dialer.send(Relay, introduction=meeting, message=b"x" * 100)
        assert len(listener.transport.value()) <= 1000
        listener.transport.clear()
        server.advance(1)
        assert listener.dropped
        assert dialer.leaveReasons == ["peer-left"]

    def test_readsLate(self) -> None:
        """
        A client that reads in time is not dropped, however much it is sent.
        """
        server = Server(unsentBytes=1000, messagesPerIntroduction=1000)
        listener, dialer = server.listener("name"), server.client()
        meeting = dialer.ask(Dial, name="name", message=b"")["introduction"]
        for _ in range(100):
            listener.protocol.pauseProducing()
            dialer.send(Relay, introduction=meeting, message=b"x" * 500)
            listener.protocol.resumeProducing()
            listener.settle()
        assert len(listener.received(Relay)) == 100
        assert not listener.dropped


NAMES = [
    b"Hello",
    b"Allocate",
    b"Publish",
    b"Withdraw",
    b"Dial",
    b"Introduce",
    b"Relay",
    b"Leave",
    b"Ping",
    b"StartTLS",
    b"ProtocolSwitch",
    b"",
]
KEYS = [
    b"version",
    b"features",
    b"roundTrip",
    b"name",
    b"owner",
    b"message",
    b"introduction",
    b"reason",
    amp.ASK,
    amp.ANSWER,
    amp.ERROR,
    amp.ERROR_CODE,
]
contents = st.binary(max_size=40) | st.sampled_from(
    [b"1", b"name", b"7", OWNER, b"99999999999999999999", b"\0\1a", b"done", b"\xff"]
)
boxes = st.dictionaries(st.sampled_from(KEYS) | st.binary(min_size=1), contents)
named = st.tuples(st.sampled_from(NAMES), boxes).map(
    lambda pair: amp.Box({amp.COMMAND: pair[0], **pair[1]}).serialize()
)
unnamed = boxes.map(lambda box: amp.Box(box).serialize())
speech = st.lists(st.one_of(st.binary(max_size=400), named, named, unnamed), max_size=8)


HOSTILE = [
    pytest.param(
        b"".join(b"\0\2%2d\0\1v" % key for key in range(100)), True, id="endless keys"
    ),
    pytest.param(
        b"".join(b"\0\1%d\x0f\xff%4095s" % (key, b"") for key in range(9)),
        True,
        id="values too large together",
    ),
    pytest.param(b"\0\1k\0\1v" * 10_000, True, id="the same key again"),
    pytest.param(b"GET / HTTP/1.1\r\n", False, id="HTTP: a key too long"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", False, id="TLS: a key too long"),
    pytest.param(b"\0\0", True, id="an empty box"),
    pytest.param(
        amp.Box({amp.ANSWER: b"1"}).serialize(), True, id="an answer to nothing"
    ),
    pytest.param(
        amp.Box({amp.ERROR: b"77", amp.ERROR_CODE: b"x"}).serialize(),
        True,
        id="an error to nothing",
    ),
]


class Bystanders:
    """
    Two honest clients of a server, who have met.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.listener = server.listener("honest", "198.51.100.1")
        self.dialer = server.client()
        answer = self.dialer.ask(Dial, name="honest", message=b"")
        self.introduction = answer["introduction"]

    def checkUnharmed(self) -> None:
        """
        See that the two still exchange messages, and that others still meet.
        """
        message = {"introduction": self.introduction, "message": b"hello"}
        self.dialer.send(Relay, **message)
        assert self.listener.received(Relay)[-1]["message"] == b"hello"
        other = self.server.client("198.51.100.2")
        other.ask(Dial, name="honest", message=b"PAKE")
        assert self.listener.received(Introduce)[-1]["message"] == b"PAKE"


class TestHostileBytes:
    """
    Whatever a client sends, it raises nothing, and harms nobody else.
    """

    @pytest.fixture(autouse=True)
    def _noFailures(self) -> Iterator[None]:
        with watching() as log:
            yield
        assert not any("log_failure" in each for each in log.events)

    @settings(max_examples=150)
    @given(st.booleans(), speech, st.integers(1, 50))
    def test_anyBytes(self, isPolite: bool, said: list[bytes], size: int) -> None:
        """
        Any bytes, in pieces of any size, with or without a hello, raise nothing, log
        no failure, and leave others unharmed.
        """
        bystanders = Bystanders(server := Server())
        stranger = server.client() if isPolite else server.connect()
        data = b"".join(said)
        for start in range(0, len(data), size):
            stranger.write(data[start : start + size])
        bystanders.checkUnharmed()
        server.advance(70)
        assert stranger.dropped

    @pytest.mark.parametrize(("data", "isPolite"), HOSTILE)
    def test_dropped(self, data: bytes, isPolite: bool) -> None:
        """
        Bytes that are not our AMP end the connection, and nobody else is harmed.
        """
        bystanders = Bystanders(server := Server())
        stranger = server.client() if isPolite else server.connect()
        stranger.write(data)
        assert stranger.dropped
        bystanders.checkUnharmed()

    def test_answerTwice(self) -> None:
        """
        A question is answered once.
        """
        server = Server()
        client = server.listener("name")
        server.advance(1)
        client.write(amp.Box({amp.ANSWER: b"1"}).serialize())
        assert not client.dropped
        client.write(amp.Box({amp.ANSWER: b"1"}).serialize())
        assert client.dropped

    def test_nothingAfterTheEnd(self) -> None:
        """
        Commands after a violation are ignored, even in the same flight.
        """
        server = Server()
        stranger = server.client()
        publish = {amp.COMMAND: b"Publish", b"name": b"evil", b"owner": OWNER}
        stranger.write(b"\0\0" + amp.Box(publish).serialize())
        stranger.protocol.dataReceived(amp.Box(publish).serialize())
        with pytest.raises(NoSuchName):
            server.client().ask(Dial, name="evil", message=b"")

    def test_unknownCommand(self) -> None:
        """
        A command that we do not know is refused as AMP refuses it; the connection
        goes on, since newer peers may know more.
        """
        server = Server()
        client = server.client()
        box = amp.Box({amp.COMMAND: b"Teleport", amp.ASK: b"9"})
        client.write(box.serialize())
        with pytest.raises(amp.UnknownRemoteError):
            client.response(Ping, b"9")
        assert client.ask(Ping) == {}

    def test_startTLS(self) -> None:
        """
        AMP's own commands, by which it changes protocols, are unknown.
        """
        for command in (amp.StartTLS, amp.ProtocolSwitchCommand):
            server = Server()
            client = server.client()
            box = amp.Box({amp.COMMAND: command.commandName, amp.ASK: b"9"})
            client.write(box.serialize())
            with pytest.raises(amp.UnknownRemoteError):
                client.response(Ping, b"9")
            assert client.ask(Ping) == {}

    def test_badArguments(self) -> None:
        """
        Arguments that do not parse are refused by name, and are the end.
        """
        wrong: list[dict[bytes, bytes]] = [
            {b"version": b"one", b"features": b""},
            {b"features": b""},
            {b"version": b"1", b"features": b"\0\1\xff"},
        ]
        for arguments in wrong:
            client = Server().connect()
            box = amp.Box({amp.COMMAND: b"Hello", amp.ASK: b"9", **arguments})
            client.write(box.serialize())
            with pytest.raises(RendezvousViolation):
                client.response(commands.Hello, b"9")
            assert client.dropped

    def test_noAnswerWanted(self) -> None:
        """
        A command that asks for no answer gets none, and no error.
        """
        client = Server().client()
        for values in ({"name": "a"}, {"name": "a b"}):
            client.send(Publish, owner=OWNER, **values)
        assert client.commands == []

    def test_logged(self) -> None:
        """
        A flood of refusals is a few lines in the log, and one in the summary.
        """
        with watching() as log:
            server = Server(connectionsPerMinute=10_000)
            for _ in range(500):
                server.connect().write(b"\0\0")
            told = [each for each in log.events if each["log_level"].name != "debug"]
            assert len(told) == 10
            assert told[0]["reason"] == "rendezvous-violation"
            server.advance(61)
            assert log.events[-1]["refused"] == 500
            server.advance(61)
            assert log.events[-1]["refused"] == 500

"""
Tests for L{punch.rendezvous.server.handlers}: names and introductions.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from punch.errors import (
    BadName,
    NameTaken,
    NoSuchName,
    RendezvousViolation,
    TooFast,
    TooLarge,
    TooMany,
)
from punch.rendezvous.commands import (
    Allocate,
    Dial,
    Introduce,
    Leave,
    Ping,
    Publish,
    Relay,
    Withdraw,
)
from punch.rendezvous.server.directory import MemoryDirectory
from tests.support.rendezvous import OWNER, Server


class NameTests(SynchronousTestCase):
    """
    Names.
    """

    def setUp(self) -> None:
        """
        A rendezvous with small limits.
        """
        self.server = Server(
            publicationsPerConnection=2, publicationsPerMinute=6, nameBytes=20
        )
        self.client = self.server.client()

    def test_allocate(self) -> None:
        """
        A free number is a short one.
        """
        name = self.client.ask(Allocate, owner=OWNER)["name"]
        assert name in set("123456789")

    def test_publish(self) -> None:
        """
        A name waits for its dialer; to publish it again changes nothing.
        """
        for _ in range(10):
            self.client.ask(Publish, name="name", owner=OWNER)
        self.server.client().ask(Dial, name="name", message=b"")
        assert len(self.client.received(Introduce)) == 1

    def test_taken(self) -> None:
        """
        A name that another owner waits under is taken.
        """
        self.client.ask(Publish, name="name", owner=OWNER)
        with pytest.raises(NameTaken) as refusal:
            self.server.client().ask(Publish, name="name", owner=b"somebody else's!")
        assert refusal.value.detail == "name"

    def test_takeover(self) -> None:
        """
        The same owner takes its names over; the connection that had them is dropped
        and what it had besides is free.
        """
        self.client.ask(Publish, name="name", owner=OWNER)
        self.client.ask(Publish, name="besides", owner=OWNER)
        again = self.server.listener("name")
        assert self.client.dropped
        dialer = self.server.client()
        dialer.ask(Dial, name="name", message=b"")
        assert len(again.received(Introduce)) == 1
        with pytest.raises(NoSuchName):
            dialer.ask(Dial, name="besides", message=b"")

    def test_badName(self) -> None:
        """
        A malformed or too long name is refused; the connection stays.
        """
        for name in ("", "007", "a b", "x" * 21, "ä", "a\n"):
            with pytest.raises(BadName):
                self.client.ask(Publish, name=name, owner=OWNER)
        assert not self.client.dropped

    def test_badOwner(self) -> None:
        """
        An owner's secret is long enough to be one, and not longer.
        """
        for owner in (b"x" * 15, b"x" * 65, b""):
            client = self.server.client()
            with pytest.raises(RendezvousViolation):
                client.ask(Allocate, owner=owner)

    def test_tooMany(self) -> None:
        """
        One connection holds so many names.
        """
        self.client.ask(Allocate, owner=OWNER)
        name = self.client.ask(Allocate, owner=OWNER)["name"]
        with pytest.raises(TooMany):
            self.client.ask(Allocate, owner=OWNER)
        self.client.ask(Withdraw, name=name)
        self.client.ask(Publish, name="name", owner=OWNER)

    def test_tooFast(self) -> None:
        """
        One address publishes so many a minute.
        """
        for _ in range(6):
            name = self.client.ask(Allocate, owner=OWNER)["name"]
            self.client.ask(Withdraw, name=name)
        with pytest.raises(TooFast):
            self.server.client().ask(Allocate, owner=OWNER)
        self.server.client("192.0.2.2").ask(Allocate, owner=OWNER)
        self.server.advance(11)
        self.server.client().ask(Allocate, owner=OWNER)

    def test_withdraw(self) -> None:
        """
        Under a name that was withdrawn nobody waits.
        """
        self.client.ask(Publish, name="name", owner=OWNER)
        self.client.ask(Withdraw, name="name")
        dialer = self.server.client()
        with pytest.raises(NoSuchName):
            dialer.ask(Dial, name="name", message=b"")

    def test_withdrawOthers(self) -> None:
        """
        One withdraws one's own names.
        """
        self.client.ask(Publish, name="name", owner=OWNER)
        other = self.server.client()
        for name in ("name", "none", "a b"):
            with pytest.raises(NoSuchName):
                other.ask(Withdraw, name=name)

    def test_lost(self) -> None:
        """
        The names of a connection go with it.
        """
        self.client.ask(Publish, name="name", owner=OWNER)
        self.client.disconnect()
        dialer = self.server.client()
        with pytest.raises(NoSuchName):
            dialer.ask(Dial, name="name", message=b"")

    def test_restarted(self) -> None:
        """
        The listener of a rendezvous that was restarted publishes its number again.
        """
        self.client.ask(Publish, name="42", owner=OWNER)
        self.server.client().ask(Dial, name="42", message=b"")
        assert len(self.client.received(Introduce)) == 1


class SlowDirectory(MemoryDirectory):
    """
    A directory that takes its time.
    """

    def __init__(self, server: Server) -> None:
        MemoryDirectory.__init__(self, server.clock)
        self.blocked: Deferred[None] | None = None

    async def allocate(self, owner: bytes, waiter: object) -> str:
        """
        Allocate later.
        """
        await self._wait()
        return await MemoryDirectory.allocate(self, owner, waiter)

    async def claim(self, name: str, owner: bytes, waiter: object) -> Any:
        """
        Claim later.
        """
        await self._wait()
        return await MemoryDirectory.claim(self, name, owner, waiter)

    async def find(self, name: str) -> Any:
        """
        Find later.
        """
        found = await MemoryDirectory.find(self, name)
        await self._wait()
        return found

    async def _wait(self) -> None:
        if self.blocked is not None:
            await self.blocked

    def block(self) -> None:
        """
        Answer no more.
        """
        self.blocked = Deferred()

    def unblock(self) -> None:
        """
        Answer.
        """
        blocked, self.blocked = self.blocked, None
        assert blocked is not None
        blocked.callback(None)


class SlowDirectoryTests(SynchronousTestCase):
    """
    A directory may take its time.
    """

    def setUp(self) -> None:
        """
        A rendezvous with such a directory, which holds.
        """
        self.server = Server()
        self.directory = self.server.factory.state.directory = SlowDirectory(
            self.server
        )
        self.listener = self.server.listener("name")
        self.client = self.server.client()
        self.directory.block()

    def test_inOrder(self) -> None:
        """
        Commands wait for the ones before them; those of other clients do not.
        """
        first = self.client.request(Publish, name="mine", owner=OWNER)
        second = self.client.request(Withdraw, name="mine")
        third = self.client.request(Ping)
        assert self.client.transport.producerState == "paused"
        assert self.listener.ask(Ping) == {}
        self.directory.unblock()
        self.client.settle()
        for command, tag in ((Publish, first), (Withdraw, second), (Ping, third)):
            assert self.client.response(command, tag) == {}
        assert self.client.transport.producerState == "producing"

    def test_lostWhilePublishing(self) -> None:
        """
        A name that comes too late for its client is given back.
        """
        for command, values in ((Publish, {"name": "mine"}), (Allocate, {})):
            client = self.server.client()
            client.request(command, owner=OWNER, **values)
            client.disconnect()
        self.directory.unblock()
        assert len(self.directory) == 1

    def test_lostWhileDialing(self) -> None:
        """
        A dialer that has gone meets nobody.
        """
        self.client.request(Dial, name="name", message=b"")
        self.client.disconnect()
        self.directory.unblock()
        self.listener.settle()
        assert self.listener.received(Introduce) == []

    def test_listenerLostWhileDialing(self) -> None:
        """
        A listener that has gone is met by nobody.
        """
        tag = self.client.request(Dial, name="name", message=b"")
        self.listener.disconnect()
        self.directory.unblock()
        self.client.settle()
        with pytest.raises(NoSuchName):
            self.client.response(Dial, tag)

    def test_broken(self) -> None:
        """
        A directory that fails costs the client its connection, is logged, and
        nothing else.
        """
        self.client.request(Dial, name="name", message=b"")
        blocked, self.directory.blocked = self.directory.blocked, None
        assert blocked is not None
        blocked.errback(OSError("the database is gone"))
        self.client.settle()
        assert self.client.dropped
        assert len(SynchronousTestCase.flushLoggedErrors(self, OSError)) == 1
        self.server.client().ask(Dial, name="name", message=b"")


class MeetingTests(SynchronousTestCase):
    """
    Introductions.
    """

    def setUp(self) -> None:
        """
        A listener and a dialer who have met.
        """
        self.server = Server(
            messageBytes=100,
            messagesPerIntroduction=5,
            introductionsPerName=3,
            dialsPerMinutePerName=4,
            dialsPerMinutePerAddress=6,
            introductionSeconds=100,
        )
        self.listener = self.server.listener("name", "198.51.100.1")
        self.dialer = self.server.client("203.0.113.1")
        self.response = self.dialer.ask(Dial, name="name", message=b"PAKE")
        self.meeting = self.response["introduction"]

    def test_introduced(self) -> None:
        """
        Each hears of the other: one identifier, the other's address, the message.
        """
        (introduction,) = self.listener.received(Introduce)
        assert introduction["introduction"] == self.meeting
        assert introduction["name"] == "name"
        assert introduction["message"] == b"PAKE"
        assert introduction["peer"] == self.dialer.protocol.observed
        assert self.response["peer"] == self.listener.protocol.observed

    def test_oneFlight(self) -> None:
        """
        Hello and dial may come together.
        """
        dialer = self.server.connect()
        box = b"".join(
            (
                b"\0\x08_command\0\5Hello\0\4_ask\0\1a",
                b"\0\7version\0\0011\0\x08features\0\0\0\0",
                b"\0\x08_command\0\4Dial\0\4_ask\0\1b",
                b"\0\4name\0\4name\0\7message\0\0\0\0",
            )
        )
        dialer.write(box)
        response = dialer.response(Dial, b"b")
        assert response["peer"] == self.listener.protocol.observed

    def test_relay(self) -> None:
        """
        Messages pass both ways, unread and in order.
        """
        self.listener.send(Relay, introduction=self.meeting, message=b"one")
        self.listener.send(Relay, introduction=self.meeting, message=b"two")
        self.dialer.send(Relay, introduction=self.meeting, message=b"\0\xff")
        messages = [each["message"] for each in self.dialer.received(Relay)]
        assert messages == [b"one", b"two"]
        assert self.listener.received(Relay) == [
            {"introduction": self.meeting, "message": b"\0\xff"}
        ]

    def test_stranger(self) -> None:
        """
        A client cannot send to, or end, an introduction of others.
        """
        stranger = self.server.client()
        stranger.send(Relay, introduction=self.meeting, message=b"boo")
        stranger.send(Leave, introduction=self.meeting, reason="done")
        assert self.dialer.commands == []
        self.listener.send(Relay, introduction=self.meeting, message=b"still here")
        assert len(self.dialer.received(Relay)) == 1

    def test_leave(self) -> None:
        """
        The other side hears why one left; what follows is lost, and no error.
        """
        self.dialer.send(Leave, introduction=self.meeting, reason="wrong-code")
        assert self.listener.received(Leave) == [
            {"introduction": self.meeting, "reason": "wrong-code"}
        ]
        self.listener.send(Relay, introduction=self.meeting, message=b"late")
        self.listener.send(Leave, introduction=self.meeting, reason="done")
        assert self.dialer.commands == []
        assert not self.listener.dropped

    def test_strangeReason(self) -> None:
        """
        A reason that has not the form of one is not passed on.
        """
        self.dialer.send(Leave, introduction=self.meeting, reason="<b>\x1b[31m")
        assert self.listener.leaveReasons == ["peer-left"]

    def test_lost(self) -> None:
        """
        A client that loses its connection leaves all its introductions.
        """
        another = self.server.client()
        another.ask(Dial, name="name", message=b"")
        self.listener.disconnect()
        for dialer in (self.dialer, another):
            assert dialer.leaveReasons == ["peer-left"]

    def test_manyDialers(self) -> None:
        """
        A listener meets many dialers, each apart from the others.
        """
        another = self.server.client("203.0.113.2")
        second = another.ask(Dial, name="name", message=b"other")["introduction"]
        assert second != self.meeting
        self.listener.send(Relay, introduction=second, message=b"for the second")
        assert self.dialer.received(Relay) == []
        assert len(another.received(Relay)) == 1

    def test_withdrawn(self) -> None:
        """
        An introduction outlives the name it came about by.
        """
        self.listener.ask(Withdraw, name="name")
        self.dialer.send(Relay, introduction=self.meeting, message=b"hello?")
        assert len(self.listener.received(Relay)) == 1

    def test_self(self) -> None:
        """
        One does not meet oneself.
        """
        with pytest.raises(NoSuchName):
            self.listener.ask(Dial, name="name", message=b"")

    def test_unknown(self) -> None:
        """
        A name that nobody waits under, or that is none, meets nobody; the error
        does not repeat rubbish.
        """
        with pytest.raises(NoSuchName) as refusal:
            self.dialer.ask(Dial, name="nobody", message=b"")
        assert refusal.value.detail == "nobody"
        with pytest.raises(NoSuchName) as refusal:
            self.dialer.ask(Dial, name="\x1b[31m", message=b"")
        assert refusal.value.detail == ""

    def test_dialTooLarge(self) -> None:
        """
        A dial carries a message of a size.
        """
        with pytest.raises(TooLarge):
            self.dialer.ask(Dial, name="name", message=b"x" * 101)

    def test_relayTooLarge(self) -> None:
        """
        A message too large ends the introduction; both are told why.
        """
        self.dialer.send(Relay, introduction=self.meeting, message=b"x" * 101)
        for client in (self.dialer, self.listener):
            assert client.leaveReasons == ["too-large"]
        assert not self.dialer.dropped

    def test_tooManyMessages(self) -> None:
        """
        Too many messages end the introduction; both are told why.
        """
        for _ in range(6):
            self.dialer.send(Relay, introduction=self.meeting, message=b"x")
        assert len(self.listener.received(Relay)) == 5
        for client in (self.dialer, self.listener):
            assert client.leaveReasons == ["too-many"]

    def test_tooManyMeetings(self) -> None:
        """
        One name has so many introductions at a time.
        """
        for _ in range(2):
            self.server.client().ask(Dial, name="name", message=b"")
        with pytest.raises(TooMany):
            self.server.client().ask(Dial, name="name", message=b"")

    def test_dialedTooFast(self) -> None:
        """
        One name is dialed so often, whoever dials: that slows guessing.
        """
        for host in range(2, 5):
            dialer = self.server.client(f"203.0.113.{host}")
            meeting = dialer.ask(Dial, name="name", message=b"")
            dialer.send(Leave, introduction=meeting["introduction"], reason="done")
        late = self.server.client("203.0.113.9")
        with pytest.raises(TooFast):
            late.ask(Dial, name="name", message=b"")
        self.server.advance(16)
        late.ask(Dial, name="name", message=b"")

    def test_dialsTooFast(self) -> None:
        """
        One address dials so often, names that exist or not, and by whichever
        connection; an IPv6 address counts for its whole network.
        """
        server = Server(dialsPerMinutePerAddress=2)
        for host, other in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db9::")):
            for _ in range(2):
                client = server.client(host)
                with pytest.raises(NoSuchName):
                    client.ask(Dial, name="a", message=b"")
            near = server.client(host.replace("8::1", "8::ffff:0:2"))
            with pytest.raises(TooFast):
                near.ask(Dial, name="a", message=b"")
            far = server.client(other)
            with pytest.raises(NoSuchName):
                far.ask(Dial, name="a", message=b"")

    def test_overdue(self) -> None:
        """
        An introduction does not live for ever; both are told.
        """
        self.server.advanceAnswering(99)
        assert self.dialer.received(Leave) == []
        self.server.advanceAnswering(1)
        for client in (self.dialer, self.listener):
            assert client.leaveReasons == ["no-answer"]

    def test_askedToAnswer(self) -> None:
        """
        A command that has no answer is answered all the same if asked, as AMP has it.
        """
        values = {"introduction": self.meeting, "message": b"x"}
        assert self.dialer.ask(Relay, **values) == {}


class PacingTests(SynchronousTestCase):
    """
    Both start at one instant.
    """

    def meet(self, listener: float | None, dialer: float | None) -> tuple[Any, Any]:
        """
        The waits of two clients who report these round trips.
        """
        server = Server()
        waiting = server.listener("name", roundTrip=listener)
        response = server.client(roundTrip=dialer).ask(Dial, name="name", message=b"")
        return waiting.received(Introduce)[0]["wait"], response["wait"]

    def test_reported(self) -> None:
        """
        The nearer waits for half the difference.
        """
        assert self.meet(0.2, 0.1) == (0.0, 0.05)
        assert self.meet(0.02, 0.1) == (0.04, 0.0)

    def test_unknown(self) -> None:
        """
        With one round trip unknown nobody waits.
        """
        assert self.meet(None, 0.1) == (0.0, 0.0)

    def test_clamped(self) -> None:
        """
        A huge reported round trip makes nobody wait for longer than a second.
        """
        assert self.meet(3600.0, 0.0) == (0.0, 1.0)

    def test_pinged(self) -> None:
        """
        A client that reports no round trip is pinged, and it is measured.
        """
        server = Server()
        waiting = server.listener("name")
        server.advance(1)
        assert waiting.received(Ping) == [{}]
        server.clock.advance(0.25)
        waiting.write(b"\0\7_answer\0\0011\0\0")
        response = server.client(roundTrip=0.05).ask(Dial, name="name", message=b"")
        assert response["wait"] == 0.1

"""
What two visitors of the rendezvous get from each other.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.trial.unittest import SynchronousTestCase

from punch.errors import (
    NoSuchName,
    TooFast,
    TooLarge,
    TooMany,
)
from punch.rendezvous.commands import (
    Dial,
    Introduce,
    Leave,
    Ping,
    Relay,
    Withdraw,
)
from tests.support.visitor import MeetingPoint


class MeetingTests(SynchronousTestCase):
    """
    Introductions.
    """

    def setUp(self) -> None:
        """
        A listener and a dialer who have met.
        """
        self.place = MeetingPoint(
            messageBytes=100,
            messagesPerIntroduction=5,
            introductionsPerName=3,
            dialsPerMinutePerName=4,
            dialsPerMinutePerAddress=6,
            introductionSeconds=100,
        )
        self.listener = self.place.listener("name", "198.51.100.1")
        self.dialer = self.place.visit("203.0.113.1")
        self.answer = self.dialer.ask(Dial, name="name", message=b"PAKE")
        self.meeting = self.answer["introduction"]

    def test_introduced(self) -> None:
        """
        Each hears of the other: one identifier, the other's address, the message.
        """
        (introduction,) = self.listener.heard(Introduce)
        assert introduction["introduction"] == self.meeting
        assert introduction["name"] == "name"
        assert introduction["message"] == b"PAKE"
        assert introduction["peer"] == self.dialer.server.observed
        assert self.answer["peer"] == self.listener.server.observed

    def test_oneFlight(self) -> None:
        """
        Hello and dial may come together.
        """
        dialer = self.place.connect()
        box = b"".join(
            (
                b"\0\x08_command\0\5Hello\0\4_ask\0\1a",
                b"\0\7version\0\0011\0\x08features\0\0\0\0",
                b"\0\x08_command\0\4Dial\0\4_ask\0\1b",
                b"\0\4name\0\4name\0\7message\0\0\0\0",
            )
        )
        dialer.write(box)
        answer = dialer.answer(Dial, b"b")
        assert answer["peer"] == self.listener.server.observed

    def test_relay(self) -> None:
        """
        Messages pass both ways, unread and in order.
        """
        self.listener.send(Relay, introduction=self.meeting, message=b"one")
        self.listener.send(Relay, introduction=self.meeting, message=b"two")
        self.dialer.send(Relay, introduction=self.meeting, message=b"\0\xff")
        messages = [each["message"] for each in self.dialer.heard(Relay)]
        assert messages == [b"one", b"two"]
        assert self.listener.heard(Relay) == [
            {"introduction": self.meeting, "message": b"\0\xff"}
        ]

    def test_stranger(self) -> None:
        """
        Nobody speaks, or leaves, in an introduction of others.
        """
        stranger = self.place.visit()
        stranger.send(Relay, introduction=self.meeting, message=b"boo")
        stranger.send(Leave, introduction=self.meeting, reason="done")
        assert self.dialer.commands == []
        self.listener.send(Relay, introduction=self.meeting, message=b"still here")
        assert len(self.dialer.heard(Relay)) == 1

    def test_leave(self) -> None:
        """
        The other side hears why one left; what follows is lost, and no error.
        """
        self.dialer.send(Leave, introduction=self.meeting, reason="wrong-code")
        assert self.listener.heard(Leave) == [
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
        (left,) = self.listener.heard(Leave)
        assert left["reason"] == "peer-left"

    def test_lost(self) -> None:
        """
        Who loses its connection leaves all its introductions.
        """
        another = self.place.visit()
        another.ask(Dial, name="name", message=b"")
        self.listener.leave()
        for dialer in (self.dialer, another):
            (left,) = dialer.heard(Leave)
            assert left["reason"] == "peer-left"

    def test_manyDialers(self) -> None:
        """
        A listener meets many dialers, each apart from the others.
        """
        another = self.place.visit("203.0.113.2")
        second = another.ask(Dial, name="name", message=b"other")["introduction"]
        assert second != self.meeting
        self.listener.send(Relay, introduction=second, message=b"for the second")
        assert self.dialer.heard(Relay) == []
        assert len(another.heard(Relay)) == 1

    def test_withdrawn(self) -> None:
        """
        An introduction outlives the name it came about by.
        """
        self.listener.ask(Withdraw, name="name")
        self.dialer.send(Relay, introduction=self.meeting, message=b"hello?")
        assert len(self.listener.heard(Relay)) == 1

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
        for visitor in (self.dialer, self.listener):
            (left,) = visitor.heard(Leave)
            assert left["reason"] == "too-large"
        assert not self.dialer.dropped

    def test_tooManyMessages(self) -> None:
        """
        So do too many messages.
        """
        for _ in range(6):
            self.dialer.send(Relay, introduction=self.meeting, message=b"x")
        assert len(self.listener.heard(Relay)) == 5
        for visitor in (self.dialer, self.listener):
            (left,) = visitor.heard(Leave)
            assert left["reason"] == "too-many"

    def test_tooManyMeetings(self) -> None:
        """
        One name has so many introductions at a time.
        """
        for _ in range(2):
            self.place.visit().ask(Dial, name="name", message=b"")
        with pytest.raises(TooMany):
            self.place.visit().ask(Dial, name="name", message=b"")

    def test_dialedTooFast(self) -> None:
        """
        One name is dialed so often, whoever dials: that slows guessing.
        """
        for host in range(2, 5):
            dialer = self.place.visit(f"203.0.113.{host}")
            meeting = dialer.ask(Dial, name="name", message=b"")
            dialer.send(Leave, introduction=meeting["introduction"], reason="done")
        late = self.place.visit("203.0.113.9")
        with pytest.raises(TooFast):
            late.ask(Dial, name="name", message=b"")
        self.place.wait(16)
        late.ask(Dial, name="name", message=b"")

    def test_dialsTooFast(self) -> None:
        """
        One address dials so often, names that exist or not, and by whichever
        connection; an IPv6 address counts for its whole network.
        """
        place = MeetingPoint(dialsPerMinutePerAddress=2)
        for host, other in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db9::")):
            for _ in range(2):
                visitor = place.visit(host)
                with pytest.raises(NoSuchName):
                    visitor.ask(Dial, name="a", message=b"")
            near = place.visit(host.replace("8::1", "8::ffff:0:2"))
            with pytest.raises(TooFast):
                near.ask(Dial, name="a", message=b"")
            far = place.visit(other)
            with pytest.raises(NoSuchName):
                far.ask(Dial, name="a", message=b"")

    def test_overdue(self) -> None:
        """
        An introduction does not live for ever; both are told.
        """
        self.place.lively(99)
        assert self.dialer.heard(Leave) == []
        self.place.lively(1)
        for visitor in (self.dialer, self.listener):
            (left,) = visitor.heard(Leave)
            assert left["reason"] == "no-answer"

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
        The waits of two visitors who report these round trips.
        """
        place = MeetingPoint()
        waiting = place.listener("name", roundTrip=listener)
        answer = place.visit(roundTrip=dialer).ask(Dial, name="name", message=b"")
        return waiting.heard(Introduce)[0]["wait"], answer["wait"]

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
        Who claims to be on the moon makes nobody wait for longer than a second.
        """
        assert self.meet(3600.0, 0.0) == (0.0, 1.0)

    def test_pinged(self) -> None:
        """
        Who does not report a round trip is pinged, and it is measured.
        """
        place = MeetingPoint()
        waiting = place.listener("name")
        place.wait(1)
        assert waiting.heard(Ping) == [{}]
        place.clock.advance(0.25)
        waiting.write(b"\0\7_answer\0\0011\0\0")
        answer = place.visit(roundTrip=0.05).ask(Dial, name="name", message=b"")
        assert answer["wait"] == 0.1

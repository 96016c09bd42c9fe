"""
Too many, too fast, too slow.
"""

from __future__ import annotations

import pytest
from twisted.trial.unittest import SynchronousTestCase

from punch.errors import (
    NoSuchName,
    TooFast,
    TooMany,
)
from punch.rendezvous.commands import (
    Dial,
    Leave,
    Publish,
    Relay,
)
from tests.support.visitor import OWNER, MeetingPoint


class CrowdTests(SynchronousTestCase):
    """
    Too many, too fast, too slow.
    """

    def test_connectionsPerAddress(self) -> None:
        """
        One address has so many connections; as many again are told so, and more
        not even that.  Others are let in.
        """
        place = MeetingPoint(connectionsPerAddress=2)
        kept = [place.visit() for _ in range(2)]
        extra = [place.connect() for _ in range(3)]
        assert [each.dropped for each in extra] == [False, False, True]
        with pytest.raises(TooMany) as refusal:
            extra[0].hello()
        assert refusal.value.detail == "at most 2 connections"
        assert extra[0].dropped
        place.visit("192.0.2.2")
        kept[0].leave()
        extra[1].leave()
        place.visit()

    def test_connectionsPerMinute(self) -> None:
        """
        One address connects so often.
        """
        place = MeetingPoint(connectionsPerMinute=2)
        for _ in range(2):
            place.visit().leave()
        with pytest.raises(TooFast):
            place.connect().hello()
        place.visit("192.0.2.2")
        place.wait(31)
        place.visit()

    def test_connections(self) -> None:
        """
        There are so many connections in all.
        """
        place = MeetingPoint(connections=2)
        kept = [place.visit(f"192.0.2.{host}") for host in (1, 2)]
        assert place.connect("192.0.2.3").dropped
        kept[0].leave()
        place.visit("192.0.2.3")

    def test_refusals(self) -> None:
        """
        Who is refused again and again is shown out, with an answer to the last.
        """
        place = MeetingPoint(refusals=3)
        visitor = place.visit()
        for _ in range(3):
            assert not visitor.dropped
            with pytest.raises(NoSuchName):
                visitor.ask(Dial, name="a", message=b"")
        assert visitor.dropped

    def test_commandsTooFast(self) -> None:
        """
        One connection sends so many commands; the first too many is the last.
        """
        place = MeetingPoint(commandsPerMinute=10)
        visitor = place.visit()
        for _ in range(9):
            visitor.ask(Publish, name="name", owner=OWNER)
        with pytest.raises(TooFast):
            visitor.ask(Publish, name="name", owner=OWNER)
        assert visitor.dropped

    def test_doesNotRead(self) -> None:
        """
        For a visitor who does not read only so much is kept; then it is dropped, and
        others are told.
        """
        place = MeetingPoint(unsentBytes=1000, messagesPerIntroduction=1000)
        listener, dialer = place.listener("name"), place.visit()
        meeting = dialer.ask(Dial, name="name", message=b"")["introduction"]
        listener.server.pauseProducing()
        listener.transport.clear()
        for _ in range(100):
            dialer.send(Relay, introduction=meeting, message=b"x" * 100)
        assert len(listener.transport.value()) <= 1000
        listener.transport.clear()
        place.wait(1)
        assert listener.dropped
        (left,) = dialer.heard(Leave)
        assert left["reason"] == "peer-left"

    def test_readsLate(self) -> None:
        """
        Who reads in time is not dropped, however much passes.
        """
        place = MeetingPoint(unsentBytes=1000, messagesPerIntroduction=1000)
        listener, dialer = place.listener("name"), place.visit()
        meeting = dialer.ask(Dial, name="name", message=b"")["introduction"]
        for _ in range(100):
            listener.server.pauseProducing()
            dialer.send(Relay, introduction=meeting, message=b"x" * 500)
            listener.server.resumeProducing()
            listener.settle()
        assert len(listener.heard(Relay)) == 100
        assert not listener.dropped

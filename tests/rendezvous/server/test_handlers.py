"""
How visitors of the rendezvous begin, live and end.
"""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase

from punch.errors import (
    RendezvousViolation,
    UnsupportedVersion,
)
from punch.rendezvous.commands import (
    Dial,
    Leave,
    Ping,
    Publish,
    Withdraw,
)
from tests.support.visitor import OWNER, MeetingPoint, Visitor


class HelloTests(SynchronousTestCase):
    """
    The first word.
    """

    def setUp(self) -> None:
        """
        A rendezvous.
        """
        self.place = MeetingPoint()

    def visitor(self, peer: IAddress) -> Visitor:
        """
        A visitor from a given address.
        """
        return Visitor(self.place.factory, peer)

    def test_observed(self) -> None:
        """
        The answer tells the address that the visitor comes from.
        """
        visitor = self.visitor(IPv4Address("TCP", "198.51.100.7", 4711))
        answer = visitor.hello()
        assert answer["observed"] == IPv4Address("TCP", "198.51.100.7", 4711)
        assert answer["features"] == []

    def test_mapped(self) -> None:
        """
        An IPv4 address on an IPv6 socket is an IPv4 address.
        """
        visitor = self.visitor(IPv6Address("TCP", "::ffff:198.51.100.7", 4711))
        observed = visitor.hello()["observed"]
        assert observed == IPv4Address("TCP", "198.51.100.7", 4711)

    def test_notIP(self) -> None:
        """
        Who has no address that a peer could connect to is refused.
        """
        visitor = self.visitor(UNIXAddress("/run/somewhere"))
        with pytest.raises(RendezvousViolation):
            visitor.hello()
        assert visitor.dropped

    def test_unknownFeatures(self) -> None:
        """
        Features that we do not know are ignored.
        """
        visitor = self.place.connect()
        assert visitor.hello(features=["telepathy"])["features"] == []

    def test_version(self) -> None:
        """
        Another version is refused, by name, and the connection closed.
        """
        visitor = self.place.connect()
        with pytest.raises(UnsupportedVersion) as refusal:
            visitor.hello(version=2)
        assert "version 1" in refusal.value.detail
        assert visitor.dropped

    def test_first(self) -> None:
        """
        Nothing comes before the hello.
        """
        visitor = self.place.connect()
        with pytest.raises(RendezvousViolation):
            visitor.ask(Publish, name="name", owner=OWNER)
        assert visitor.dropped

    def test_once(self) -> None:
        """
        There is one hello.
        """
        visitor = self.place.visit()
        with pytest.raises(RendezvousViolation):
            visitor.hello()
        assert visitor.dropped

    def test_silence(self) -> None:
        """
        Who says no hello is dropped after a while.
        """
        visitor = self.place.connect()
        self.place.wait(9)
        assert not visitor.dropped
        self.place.wait(1)
        assert visitor.dropped


class LifeTests(SynchronousTestCase):
    """
    How long connections live.
    """

    def test_idle(self) -> None:
        """
        Who neither waits nor meets anybody is shown out after a while.
        """
        place = MeetingPoint(idleSeconds=30)
        visitor = place.visit()
        place.lively(29)
        assert not visitor.dropped
        place.lively(1)
        assert visitor.dropped

    def test_idleAfterUse(self) -> None:
        """
        The while begins when the last name or introduction is given up.
        """
        place = MeetingPoint(idleSeconds=30)
        listener, dialer = place.listener("name"), place.visit()
        meeting = dialer.ask(Dial, name="name", message=b"")["introduction"]
        place.lively(100)
        listener.ask(Withdraw, name="name")
        dialer.send(Leave, introduction=meeting, reason="done")
        place.lively(29)
        assert [listener.dropped, dialer.dropped] == [False, False]
        place.lively(1)
        assert [listener.dropped, dialer.dropped] == [True, True]

    def test_waitsForEver(self) -> None:
        """
        A listener that answers pings waits as long as it likes; each ping comes
        within 45 seconds of the last.
        """
        place = MeetingPoint()
        listener = place.listener("name")
        place.lively(3600)
        assert not listener.dropped
        listener.commands.clear()
        place.wait(45)
        assert len(listener.heard(Ping)) == 1

    def test_dead(self) -> None:
        """
        Who does not answer a ping is dropped, and its dialer told.
        """
        place = MeetingPoint()
        place.listener("name")
        dialer = place.visit()
        dialer.ask(Dial, name="name", message=b"")
        place.wait(21)
        (left,) = dialer.heard(Leave)
        assert left["reason"] == "peer-left"
        assert not dialer.dropped

    def test_answersWithError(self) -> None:
        """
        Who does not know pings, and says so, lives.
        """
        place = MeetingPoint()
        listener = place.listener("name")
        place.wait(1)
        listener.write(b"\0\6_error\0\0011\0\0")
        place.wait(30)
        assert not listener.dropped

    def test_asked(self) -> None:
        """
        A visitor may ask whether we live.
        """
        assert MeetingPoint().visit().ask(Ping) == {}

    def test_lingering(self) -> None:
        """
        Who does not take our last words is cut off after a while.
        """
        place = MeetingPoint()
        visitor = place.connect()
        visitor.server.dataReceived(b"\0\0")
        assert visitor.transport.disconnecting
        place.clock.advance(4)
        assert not visitor.transport.disconnected
        place.clock.advance(1)
        assert visitor.transport.disconnected

    def test_stopped(self) -> None:
        """
        A rendezvous that stops closes all connections and leaves no timer.
        """
        place = MeetingPoint()
        visitors = [place.connect(), place.visit(), place.listener("name")]
        place.factory.doStop()
        place.wait(1)
        assert [each.dropped for each in visitors] == [True] * 3
        assert place.clock.getDelayedCalls() == []

"""
Nothing that a stranger sends does harm.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from punch.errors import NoSuchName, RendezvousViolation
from punch.rendezvous import commands
from punch.rendezvous.commands import Dial, Introduce, Ping, Publish, Relay
from tests.support.visitor import OWNER, MeetingPoint, Visitor

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


class RubbishTests(SynchronousTestCase):
    """
    Any bytes.
    """

    def couple(self, place: MeetingPoint) -> tuple[Visitor, Visitor, bytes]:
        """
        Two honest visitors who have met.
        """
        listener, dialer = place.listener("honest", "198.51.100.1"), place.visit()
        meeting = dialer.ask(Dial, name="honest", message=b"")["introduction"]
        return listener, dialer, meeting

    def unharmed(
        self, place: MeetingPoint, couple: tuple[Visitor, Visitor, bytes]
    ) -> None:
        """
        The honest two still speak, and others still meet.
        """
        listener, dialer, meeting = couple
        dialer.send(Relay, introduction=meeting, message=b"hello")
        assert listener.heard(Relay)[-1]["message"] == b"hello"
        place.visit("198.51.100.2").ask(Dial, name="honest", message=b"PAKE")
        assert listener.heard(Introduce)[-1]["message"] == b"PAKE"
        assert SynchronousTestCase.flushLoggedErrors(self) == []

    @settings(max_examples=150, deadline=None)
    @given(st.booleans(), speech, st.integers(1, 50))
    def test_anyBytes(self, polite: bool, said: list[bytes], size: int) -> None:
        """
        Any bytes, in pieces of any size, with or without a hello, raise nothing, log
        no failure, and leave others unharmed.
        """
        place = MeetingPoint()
        couple = self.couple(place)
        stranger = place.visit() if polite else place.connect()
        data = b"".join(said)
        for start in range(0, len(data), size):
            stranger.write(data[start : start + size])
        self.unharmed(place, couple)
        place.wait(70)
        assert stranger.dropped
        assert SynchronousTestCase.flushLoggedErrors(self) == []

    def drops(self, data: bytes, polite: bool = True) -> Visitor:
        """
        A stranger is dropped for some bytes, and nobody else is harmed.
        """
        place = MeetingPoint()
        couple = self.couple(place)
        stranger = place.visit() if polite else place.connect()
        stranger.write(data)
        assert stranger.dropped
        self.unharmed(place, couple)
        return stranger

    def test_endlessKeys(self) -> None:
        """
        A box without end is not kept.
        """
        self.drops(b"".join(b"\0\2%2d\0\1v" % key for key in range(100)))

    def test_endlessValues(self) -> None:
        """
        Nor one whose values are together too large.
        """
        self.drops(b"".join(b"\0\1%d\x0f\xff%4095s" % (key, b"") for key in range(9)))

    def test_sameKey(self) -> None:
        """
        Nor one that says the same for ever.
        """
        self.drops(b"\0\1k\0\1v" * 10_000)

    def test_longKey(self) -> None:
        """
        A key longer than AMP allows, as in HTTP or TLS, is the end.
        """
        self.drops(b"GET / HTTP/1.1\r\n", polite=False)
        self.drops(b"\x16\x03\x01\x02\x00\x01\x00", polite=False)

    def test_emptyBox(self) -> None:
        """
        So is a box that says nothing.
        """
        self.drops(b"\0\0")

    def test_answerToNothing(self) -> None:
        """
        So is an answer to what was not asked.
        """
        self.drops(amp.Box({amp.ANSWER: b"1"}).serialize())
        self.drops(amp.Box({amp.ERROR: b"77", amp.ERROR_CODE: b"x"}).serialize())

    def test_answerTwice(self) -> None:
        """
        A question is answered once.
        """
        place = MeetingPoint()
        visitor = place.listener("name")
        place.wait(1)
        visitor.write(amp.Box({amp.ANSWER: b"1"}).serialize())
        assert not visitor.dropped
        visitor.write(amp.Box({amp.ANSWER: b"1"}).serialize())
        assert visitor.dropped

    def test_nothingAfterTheEnd(self) -> None:
        """
        What follows a violation is not obeyed, even in the same flight.
        """
        place = MeetingPoint()
        stranger = place.visit()
        publish = {amp.COMMAND: b"Publish", b"name": b"evil", b"owner": OWNER}
        stranger.write(b"\0\0" + amp.Box(publish).serialize())
        stranger.server.dataReceived(amp.Box(publish).serialize())
        with pytest.raises(NoSuchName):
            place.visit().ask(Dial, name="evil", message=b"")

    def test_unknownCommand(self) -> None:
        """
        A command that we do not know is refused as AMP refuses it; the connection
        goes on, since newer peers may know more.
        """
        place = MeetingPoint()
        visitor = place.visit()
        box = amp.Box({amp.COMMAND: b"Teleport", amp.ASK: b"9"})
        visitor.write(box.serialize())
        with pytest.raises(amp.UnknownRemoteError):
            visitor.answer(Ping, b"9")
        assert visitor.ask(Ping) == {}

    def test_startTLS(self) -> None:
        """
        AMP's own commands, by which it changes protocols, are unknown.
        """
        for command in (amp.StartTLS, amp.ProtocolSwitchCommand):
            place = MeetingPoint()
            visitor = place.visit()
            box = amp.Box({amp.COMMAND: command.commandName, amp.ASK: b"9"})
            visitor.write(box.serialize())
            with pytest.raises(amp.UnknownRemoteError):
                visitor.answer(Ping, b"9")
            assert visitor.ask(Ping) == {}

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
            visitor = MeetingPoint().connect()
            box = amp.Box({amp.COMMAND: b"Hello", amp.ASK: b"9", **arguments})
            visitor.write(box.serialize())
            with pytest.raises(RendezvousViolation):
                visitor.answer(commands.Hello, b"9")
            assert visitor.dropped

    def test_noAnswerWanted(self) -> None:
        """
        What was not asked is not answered, nor refused aloud.
        """
        visitor = MeetingPoint().visit()
        for values in ({"name": "a"}, {"name": "a b"}):
            visitor.send(Publish, owner=OWNER, **values)
        assert visitor.commands == []

    def test_logged(self) -> None:
        """
        A flood of refusals is a few lines in the log, and one in the summary.
        """
        events: list[dict[str, Any]] = []

        @implementer(ILogObserver)
        def observe(event: dict[str, Any]) -> None:
            events.append(event)

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        place = MeetingPoint(connectionsPerMinute=10_000)
        for _ in range(500):
            place.connect().write(b"\0\0")
        told = [each for each in events if each["log_level"].name != "debug"]
        assert len(told) == 10
        assert told[0]["reason"] == "rendezvous-violation"
        place.wait(61)
        assert events[-1]["refused"] == 500
        place.wait(61)
        assert events[-1]["refused"] == 500

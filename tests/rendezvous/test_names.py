"""
What a listener gets from the rendezvous.
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
    TooMany,
)
from punch.rendezvous.commands import (
    Allocate,
    Dial,
    Introduce,
    Ping,
    Publish,
    Withdraw,
)
from punch.rendezvous.server.directory import MemoryDirectory
from tests.support.visitor import OWNER, MeetingPoint


class NameTests(SynchronousTestCase):
    """
    Names.
    """

    def setUp(self) -> None:
        """
        A rendezvous with small limits.
        """
        self.place = MeetingPoint(
            publicationsPerConnection=2, publicationsPerMinute=6, nameBytes=20
        )
        self.visitor = self.place.visit()

    def test_allocate(self) -> None:
        """
        A free number is a short one.
        """
        name = self.visitor.ask(Allocate, owner=OWNER)["name"]
        assert name in set("123456789")

    def test_publish(self) -> None:
        """
        A name waits for its dialer; to publish it again changes nothing.
        """
        for _ in range(10):
            self.visitor.ask(Publish, name="name", owner=OWNER)
        self.place.visit().ask(Dial, name="name", message=b"")
        assert len(self.visitor.heard(Introduce)) == 1

    def test_taken(self) -> None:
        """
        A name that another owner waits under is taken.
        """
        self.visitor.ask(Publish, name="name", owner=OWNER)
        with pytest.raises(NameTaken) as refusal:
            self.place.visit().ask(Publish, name="name", owner=b"somebody else's!")
        assert refusal.value.detail == "name"

    def test_takeover(self) -> None:
        """
        The same owner takes its names over; the connection that had them is dropped
        and what it had besides is free.
        """
        self.visitor.ask(Publish, name="name", owner=OWNER)
        self.visitor.ask(Publish, name="besides", owner=OWNER)
        again = self.place.listener("name")
        assert self.visitor.dropped
        dialer = self.place.visit()
        dialer.ask(Dial, name="name", message=b"")
        assert len(again.heard(Introduce)) == 1
        with pytest.raises(NoSuchName):
            dialer.ask(Dial, name="besides", message=b"")

    def test_badName(self) -> None:
        """
        What is no name, or too long, is refused; the connection stays.
        """
        for name in ("", "007", "a b", "x" * 21, "ä", "a\n"):
            with pytest.raises(BadName):
                self.visitor.ask(Publish, name=name, owner=OWNER)
        assert not self.visitor.dropped

    def test_badOwner(self) -> None:
        """
        An owner's secret is long enough to be one, and not longer.
        """
        for owner in (b"x" * 15, b"x" * 65, b""):
            visitor = self.place.visit()
            with pytest.raises(RendezvousViolation):
                visitor.ask(Allocate, owner=owner)

    def test_tooMany(self) -> None:
        """
        One connection holds so many names.
        """
        self.visitor.ask(Allocate, owner=OWNER)
        name = self.visitor.ask(Allocate, owner=OWNER)["name"]
        with pytest.raises(TooMany):
            self.visitor.ask(Allocate, owner=OWNER)
        self.visitor.ask(Withdraw, name=name)
        self.visitor.ask(Publish, name="name", owner=OWNER)

    def test_tooFast(self) -> None:
        """
        One address publishes so many a minute.
        """
        for _ in range(6):
            name = self.visitor.ask(Allocate, owner=OWNER)["name"]
            self.visitor.ask(Withdraw, name=name)
        with pytest.raises(TooFast):
            self.place.visit().ask(Allocate, owner=OWNER)
        self.place.visit("192.0.2.2").ask(Allocate, owner=OWNER)
        self.place.wait(11)
        self.place.visit().ask(Allocate, owner=OWNER)

    def test_withdraw(self) -> None:
        """
        Under a name that was withdrawn nobody waits.
        """
        self.visitor.ask(Publish, name="name", owner=OWNER)
        self.visitor.ask(Withdraw, name="name")
        dialer = self.place.visit()
        with pytest.raises(NoSuchName):
            dialer.ask(Dial, name="name", message=b"")

    def test_withdrawOthers(self) -> None:
        """
        One withdraws one's own names.
        """
        self.visitor.ask(Publish, name="name", owner=OWNER)
        other = self.place.visit()
        for name in ("name", "none", "a b"):
            with pytest.raises(NoSuchName):
                other.ask(Withdraw, name=name)

    def test_lost(self) -> None:
        """
        The names of a connection go with it.
        """
        self.visitor.ask(Publish, name="name", owner=OWNER)
        self.visitor.leave()
        dialer = self.place.visit()
        with pytest.raises(NoSuchName):
            dialer.ask(Dial, name="name", message=b"")

    def test_restarted(self) -> None:
        """
        The listener of a rendezvous that was restarted publishes its number again.
        """
        self.visitor.ask(Publish, name="42", owner=OWNER)
        self.place.visit().ask(Dial, name="42", message=b"")
        assert len(self.visitor.heard(Introduce)) == 1


class Slow(MemoryDirectory):
    """
    A directory that takes its time.
    """

    def __init__(self, place: MeetingPoint) -> None:
        MemoryDirectory.__init__(self, place.clock)
        self.wait: Deferred[None] | None = None

    async def allocate(self, owner: bytes, waiter: object) -> str:
        """
        Allocate later.
        """
        await self._later()
        return await MemoryDirectory.allocate(self, owner, waiter)

    async def claim(self, name: str, owner: bytes, waiter: object) -> Any:
        """
        Claim later.
        """
        await self._later()
        return await MemoryDirectory.claim(self, name, owner, waiter)

    async def find(self, name: str) -> Any:
        """
        Find later.
        """
        found = await MemoryDirectory.find(self, name)
        await self._later()
        return found

    async def _later(self) -> None:
        if self.wait is not None:
            await self.wait

    def hold(self) -> None:
        """
        Answer no more.
        """
        self.wait = Deferred()

    def goOn(self) -> None:
        """
        Answer.
        """
        wait, self.wait = self.wait, None
        assert wait is not None
        wait.callback(None)


class SlowDirectoryTests(SynchronousTestCase):
    """
    A directory may take its time.
    """

    def setUp(self) -> None:
        """
        A rendezvous with such a directory, which holds.
        """
        self.place = MeetingPoint()
        self.directory = self.place.factory.state.directory = Slow(self.place)
        self.listener = self.place.listener("name")
        self.visitor = self.place.visit()
        self.directory.hold()

    def test_inOrder(self) -> None:
        """
        What comes after a command waits for it; the other visitors do not.
        """
        first = self.visitor.tell(Publish, name="mine", owner=OWNER)
        second = self.visitor.tell(Withdraw, name="mine")
        third = self.visitor.tell(Ping)
        assert self.visitor.transport.producerState == "paused"
        assert self.listener.ask(Ping) == {}
        self.directory.goOn()
        self.visitor.settle()
        for command, tag in ((Publish, first), (Withdraw, second), (Ping, third)):
            assert self.visitor.answer(command, tag) == {}
        assert self.visitor.transport.producerState == "producing"

    def test_lostWhilePublishing(self) -> None:
        """
        A name that comes too late for its visitor is given back.
        """
        for command, values in ((Publish, {"name": "mine"}), (Allocate, {})):
            visitor = self.place.visit()
            visitor.tell(command, owner=OWNER, **values)
            visitor.leave()
        self.directory.goOn()
        assert len(self.directory) == 1

    def test_lostWhileDialing(self) -> None:
        """
        A dialer that has gone meets nobody.
        """
        self.visitor.tell(Dial, name="name", message=b"")
        self.visitor.leave()
        self.directory.goOn()
        self.listener.settle()
        assert self.listener.heard(Introduce) == []

    def test_listenerLostWhileDialing(self) -> None:
        """
        A listener that has gone is met by nobody.
        """
        tag = self.visitor.tell(Dial, name="name", message=b"")
        self.listener.leave()
        self.directory.goOn()
        self.visitor.settle()
        with pytest.raises(NoSuchName):
            self.visitor.answer(Dial, tag)

    def test_broken(self) -> None:
        """
        A directory that fails costs the visitor its connection, is logged, and
        nothing else.
        """
        self.visitor.tell(Dial, name="name", message=b"")
        wait, self.directory.wait = self.directory.wait, None
        assert wait is not None
        wait.errback(OSError("the database is gone"))
        self.visitor.settle()
        assert self.visitor.dropped
        assert len(SynchronousTestCase.flushLoggedErrors(self, OSError)) == 1
        self.place.visit().ask(Dial, name="name", message=b"")

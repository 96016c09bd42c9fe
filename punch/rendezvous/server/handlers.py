"""
What a client of the rendezvous may ask: names, and introductions under them.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch.errors import (
    BadName,
    NoSuchName,
    Refusal,
    RendezvousViolation,
    TooLarge,
    TooMany,
)
from punch.reasons import Reason
from punch.rendezvous import commands
from punch.rendezvous.server.amp import Responders
from punch.rendezvous.server.connection import ServedConnection
from punch.rendezvous.server.directory import isName
from punch.rendezvous.server.introductions import waits

_log = Logger()

OWNER_BYTES = range(16, 65)
"""
How long an owner's secret may be.
"""

_REASON = re.compile(r"[a-z-]{1,40}")


class RendezvousProtocol(ServedConnection):
    """
    One client: a listener that holds names, a dialer, or both.

    @ivar names: the names it waits under.
    """

    names: tuple[str, ...] = ()

    def idle(self) -> bool:
        """
        Whether the client neither waits nor is introduced.
        """
        return not self.names and not self.factory.introductions.busy(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Leave its introductions and release its names.
        """
        ServedConnection.connectionLost(self, reason)
        for meeting in self.factory.introductions.of(self):
            self.factory.leave(meeting, Reason.PEER_LEFT.value, meeting.other(self))
        for name in self.names:
            self._forget(name)
            Deferred.fromCoroutine(self._release(name)).addErrback(
                lambda failure: _log.failure("A name was not released.", failure)
            )

    # What a client may ask.

    async def allocate(self, owner: bytes) -> dict[str, Any]:
        """
        See L{commands.Allocate}.
        """
        self._mayPublish(owner)
        name = await self.factory.directory.allocate(owner, self)
        await self._published(name)
        return {"name": name}

    async def publish(self, name: str, owner: bytes) -> dict[str, Any]:
        """
        See L{commands.Publish}.
        """
        self._checkName(name, BadName)
        if name not in self.names:
            self._mayPublish(owner)
            previous = await self.factory.directory.claim(name, owner, self)
            if previous is not None:
                previous.superseded(name)
            await self._published(name)
        return {}

    async def withdraw(self, name: str) -> dict[str, Any]:
        """
        See L{commands.Withdraw}.
        """
        self._checkName(name, NoSuchName)
        if name not in self.names:
            raise NoSuchName(name)
        self._forget(name)
        await self._release(name)
        self.rested()
        return {}

    async def dial(self, name: str, message: bytes) -> dict[str, Any]:
        """
        See L{commands.Dial}.
        """
        factory, limits = self.factory, self.factory.limits
        if len(message) > limits.messageBytes:
            raise TooLarge(f"at most {limits.messageBytes} bytes")
        factory.dialsPerAddress.spend(self.addressKey, factory.now())
        self._checkName(name, NoSuchName)
        listener = await factory.directory.find(name)
        if listener is self or not listener.served or not self.served:
            raise NoSuchName(name)
        factory.dialsPerName.spend(name, factory.now())
        meeting = factory.introduce(name, listener, self)
        ours, theirs = waits(self.roundTrip(), listener.roundTrip())
        identifier = meeting.identifier
        tickets = meeting.tickets
        listener.send(
            commands.Introduce,
            introduction=identifier,
            name=name,
            peer=self.observed,
            wait=theirs,
            message=message,
            ticket=None if tickets is None else tickets.listener,
        )
        return {
            "introduction": identifier,
            "peer": listener.observed,
            "wait": ours,
            "ticket": None if tickets is None else tickets.dialer,
        }

    async def knock(self, elsewhere: bool = False) -> dict[str, Any]:
        """
        See L{commands.Probe}.
        """
        knocker = self.factory.knocker
        if knocker is None:
            raise TooMany("this rendezvous knocks at nobody's")
        ours = self.ourHost()
        if elsewhere:
            ours = knocker.elsewhere(ours)
            if not ours:
                raise TooMany("this rendezvous has no other address")
        self.factory.knockRate.spend(self.addressKey, self.factory.now())
        answer = await knocker.knock(self.observed, ours)
        return {"answer": answer}

    async def relay(self, introduction: bytes, message: bytes) -> dict[str, Any]:
        """
        See L{commands.Relay}.  An introduction that just ended is no error.
        """
        meeting = self.factory.introductions.find(introduction, self)
        if meeting is not None:
            try:
                self.factory.introductions.count(meeting, message)
            except (TooLarge, TooMany) as error:
                reason = error.reason.value
                self.factory.leave(meeting, reason, meeting.listener, meeting.dialer)
                raise
            other = meeting.other(self)
            other.send(commands.Relay, introduction=introduction, message=message)
        return {}

    async def leave(self, introduction: bytes, reason: str) -> dict[str, Any]:
        """
        See L{commands.Leave}.  An introduction that just ended is no error.
        """
        meeting = self.factory.introductions.find(introduction, self)
        if meeting is not None:
            if _REASON.fullmatch(reason) is None:
                reason = Reason.PEER_LEFT.value
            self.factory.leave(meeting, reason, meeting.other(self))
            if self.factory.relay is not None and meeting.tickets is not None:
                self.factory.relay.forget(meeting.tickets)
        return {}

    responders: ClassVar[Responders] = {
        command.commandName: (command, responder)
        for command, responder in (
            (commands.Hello, ServedConnection.hello),
            (commands.Allocate, allocate),
            (commands.Publish, publish),
            (commands.Withdraw, withdraw),
            (commands.Dial, dial),
            (commands.Relay, relay),
            (commands.Leave, leave),
            (commands.Probe, knock),
            (commands.Ping, ServedConnection.ping),
        )
    }

    # Names.

    def superseded(self, name: str) -> None:
        """
        The same owner waits under C{name} by a newer connection, so this one is
        dead, whether or not it knows.
        """
        self._forget(name)
        self.cut()

    def _checkName(self, name: str, error: type[Refusal]) -> None:
        """
        @raise error: C{name} does not have the form of a name.
        """
        if len(name) > self.factory.limits.nameBytes or not isName(name):
            raise error()

    def _mayPublish(self, owner: bytes) -> None:
        """
        @raise Refusal: the client may not hold one more name.
        """
        if len(owner) not in OWNER_BYTES:
            raise RendezvousViolation("an owner has 16 to 64 bytes")
        most = self.factory.limits.publicationsPerConnection
        if len(self.names) >= most:
            raise TooMany(f"at most {most} names")
        self.factory.publicationRate.spend(self.addressKey, self.factory.now())

    async def _published(self, name: str) -> None:
        """
        The directory has entered a name for us.
        """
        if self.served:
            self.names += (name,)
            self.factory.tally.named()
            self._liveness.waits(self.factory.now())
            self.plan()
        else:
            await self._release(name)

    def _forget(self, name: str) -> None:
        """
        We no longer wait under C{name}.
        """
        self.names = tuple(each for each in self.names if each != name)
        self.factory.tally.unnamed()

    async def _release(self, name: str) -> None:
        """
        Tell the directory that we no longer wait under C{name}.
        """
        await self.factory.directory.release(name, self)

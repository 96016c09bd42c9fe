"""
The commands of a client: names, introductions under them, and probes.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch import errors
from punch.reasons import Reason
from punch.rendezvous import commands
from punch.rendezvous.server.amp import Responders
from punch.rendezvous.server.connection import ServedConnection
from punch.rendezvous.server.directory import isName
from punch.rendezvous.server.introductions import startDelays

_log = Logger()

OWNER_BYTES = range(16, 65)
"""
How many bytes an owner's secret may have.
"""

_REASON = re.compile(r"[a-z-]{1,40}")


class RendezvousProtocol(ServedConnection):
    """
    The server's side of one client's connection: it answers the client's commands.

    L{punch.rendezvous.server.factory.RendezvousFactory} makes one for each connection.
    The client may be a listener that holds names, a dialer, or both.  When the
    connection is lost, its names are released and its introductions ended.

    @ivar names: the names that the client waits under.
    """

    names: tuple[str, ...] = ()

    def isIdle(self) -> bool:
        """
        Whether the client neither waits under a name nor is introduced to anybody.
        """
        return not self.names and not self.state.introductions.isBusy(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        End the client's introductions, and release its names.
        """
        ServedConnection.connectionLost(self, reason)
        for each in self.state.introductions.ofParty(self):
            self.state.endIntroduction(each, Reason.PEER_LEFT.value, each.other(self))
        for name in self.names:
            self._dropName(name)
            Deferred.fromCoroutine(self._release(name)).addErrback(
                lambda failure: _log.failure("A name was not released.", failure)
            )

    # Commands.

    async def allocate(self, owner: bytes) -> dict[str, Any]:
        """
        See L{commands.Allocate}.
        """
        self._checkMayPublish(owner)
        name = await self.state.directory.allocate(owner, self)
        await self._published(name)
        return {"name": name}

    async def publish(self, name: str, owner: bytes) -> dict[str, Any]:
        """
        See L{commands.Publish}.
        """
        self._checkName(name, errors.BadName)
        if name not in self.names:
            self._checkMayPublish(owner)
            previous = await self.state.directory.claim(name, owner, self)
            if previous is not None:
                previous.superseded(name)
            await self._published(name)
        return {}

    async def withdraw(self, name: str) -> dict[str, Any]:
        """
        See L{commands.Withdraw}.
        """
        self._checkName(name, errors.NoSuchName)
        if name not in self.names:
            raise errors.NoSuchName(name)
        self._dropName(name)
        await self._release(name)
        self.released()
        return {}

    async def dial(self, name: str, message: bytes) -> dict[str, Any]:
        """
        See L{commands.Dial}.
        """
        state, limits = self.state, self.state.limits
        if len(message) > limits.messageBytes:
            raise errors.TooLarge(f"at most {limits.messageBytes} bytes")
        state.dialsPerAddress.spend(self.addressKey, state.now())
        self._checkName(name, errors.NoSuchName)
        listener = await state.directory.find(name)
        if listener is self or not listener.isServed or not self.isServed:
            raise errors.NoSuchName(name)
        state.dialsPerName.spend(name, state.now())
        introduction = state.introduce(name, listener, self)
        ours, theirs = startDelays(self.roundTrip(), listener.roundTrip())
        tickets = introduction.tickets
        listener.send(
            commands.Introduce,
            introduction=introduction.identifier,
            name=name,
            peer=self.observed,
            wait=theirs,
            message=message,
            ticket=None if tickets is None else tickets.listener,
        )
        return {
            "introduction": introduction.identifier,
            "peer": listener.observed,
            "wait": ours,
            "ticket": None if tickets is None else tickets.dialer,
        }

    async def probe(self, elsewhere: bool = False) -> dict[str, Any]:
        """
        See L{commands.Probe}.
        """
        prober = self.state.prober
        if prober is None:
            raise errors.TooMany("this rendezvous does not knock")
        ours = self.ourHost()
        if elsewhere:
            ours = prober.otherAddress(ours)
            if not ours:
                raise errors.TooMany("this rendezvous has no other address")
        self.state.probeRate.spend(self.addressKey, self.state.now())
        return {"answer": await prober.probe(self.observed, ours)}

    async def relay(self, introduction: bytes, message: bytes) -> dict[str, Any]:
        """
        See L{commands.Relay}.  It is no error if the introduction has just ended.
        """
        state = self.state
        found = state.introductions.find(introduction, self)
        if found is not None:
            try:
                state.introductions.countMessage(found, message)
            except (errors.TooLarge, errors.TooMany) as error:
                reason = error.reason.value
                state.endIntroduction(found, reason, found.listener, found.dialer)
                raise
            found.other(self).send(
                commands.Relay, introduction=introduction, message=message
            )
        return {}

    async def leave(self, introduction: bytes, reason: str) -> dict[str, Any]:
        """
        See L{commands.Leave}.  It is no error if the introduction has just ended.
        """
        state = self.state
        found = state.introductions.find(introduction, self)
        if found is not None:
            if _REASON.fullmatch(reason) is None:
                reason = Reason.PEER_LEFT.value
            state.endIntroduction(found, reason, found.other(self))
            if state.relay is not None and found.tickets is not None:
                state.relay.revoke(found.tickets)
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
            (commands.Probe, probe),
            (commands.Ping, ServedConnection.ping),
        )
    }

    # Names.

    def superseded(self, name: str) -> None:
        """
        The same owner waits under C{name} on a newer connection.  So this one is dead,
        whether or not the system has noticed.
        """
        self._dropName(name)
        self.abort()

    def _checkName(self, name: str, error: type[errors.Refusal]) -> None:
        """
        @raise error: C{name} does not have the form of a name.
        """
        if len(name) > self.state.limits.nameBytes or not isName(name):
            raise error()

    def _checkMayPublish(self, owner: bytes) -> None:
        """
        @raise Refusal: the client may not hold one more name.
        """
        if len(owner) not in OWNER_BYTES:
            raise errors.RendezvousViolation("an owner has 16 to 64 bytes")
        most = self.state.limits.publicationsPerConnection
        if len(self.names) >= most:
            raise errors.TooMany(f"at most {most} names")
        self.state.publicationRate.spend(self.addressKey, self.state.now())

    async def _published(self, name: str) -> None:
        """
        The directory has entered a name for this client.
        """
        if self.isServed:
            self.names += (name,)
            self.state.statistics.named()
            self._liveness.needRoundTrip(self.state.now())
            self.reschedule()
        else:
            await self._release(name)

    def _dropName(self, name: str) -> None:
        self.names = tuple(each for each in self.names if each != name)
        self.state.statistics.unnamed()

    async def _release(self, name: str) -> None:
        await self.state.directory.release(name, self)

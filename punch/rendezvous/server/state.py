"""
The state that all connections of one rendezvous server share.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.protocols.amp import Command

from punch.errors import Refusal, TooFast, TooMany
from punch.interfaces import IDirectory
from punch.net.address import Address, formatAddress
from punch.reasons import Reason
from punch.rendezvous.commands import Leave
from punch.rendezvous.server.connections import Connections, CountedConnection
from punch.rendezvous.server.directory import MemoryDirectory
from punch.rendezvous.server.introductions import Introductions, OpenIntroduction, Party
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.probe import Prober
from punch.rendezvous.server.ratelimit import KeyedRate
from punch.rendezvous.server.relay import RelayServer
from punch.rendezvous.server.statistics import Statistics


class ClientConnection(CountedConnection, Party, Protocol):
    """
    What the server calls on the connection of one of its clients.
    """

    @property
    def observed(self) -> Address:
        """
        The address that the client comes from.
        """

    def send(self, command: type[Command], **values: Any) -> None:
        """
        Send a command that has no answer.
        """

    def released(self) -> None:
        """
        The client has one name or introduction less.
        """

    def check(self, now: float) -> None:
        """
        Do what is due at C{now}.
        """


class ServerState:
    """
    What a rendezvous server knows: its limits, names, introductions and connections.

    A L{punch.rendezvous.server.factory.RendezvousFactory} makes it, gives it to each
    connection.  While the factory listens, what is overdue is looked for once a second.

    @ivar limits: the most that clients may ask for.
    @ivar directory: who waits under which name.
    @ivar now: the clock's time in seconds.
    @ivar introductions: those that are alive.
    @ivar relay: joins the connections of peers; L{None} if this server is no relay.
    @ivar observers: where STUN is answered, as clients are told
        (see L{punch.rendezvous.commands.Hello}).
    @ivar prober: connects to clients that ask for it; L{None} if this server does not.
    @ivar connections: all connections, those of the relay included.
    @ivar statistics: counts what happens, for the log.
    """

    def __init__(
        self,
        clock: IReactorTime,
        limits: Limits,
        directory: IDirectory | None,
        isRelay: bool,
    ) -> None:
        """
        @param directory: one in memory, if not given.
        """
        self.limits = limits
        self.directory: IDirectory = (
            MemoryDirectory(clock) if directory is None else directory
        )
        self.now = clock.seconds
        self.introductions: Introductions[ClientConnection] = Introductions(limits)
        self.statistics = Statistics(clock.seconds())
        self.observers: list[str] = []
        self.prober: Prober | None = None
        self.relay = RelayServer(clock, limits, self.statistics) if isRelay else None
        self.connectionRate = KeyedRate(limits.connectionsPerMinute, "connections")
        self.commandRate = KeyedRate(limits.commandsPerMinute, "commands")
        self.publicationRate = KeyedRate(limits.publicationsPerMinute, "publications")
        self.dialsPerAddress = KeyedRate(limits.dialsPerMinutePerAddress, "dials")
        self.dialsPerName = KeyedRate(limits.dialsPerMinutePerName, "dials of one name")
        self.probeRate = KeyedRate(limits.knocksPerMinute, "knocks")
        self._rates = (
            self.probeRate,
            self.connectionRate,
            self.commandRate,
            self.publicationRate,
            self.dialsPerAddress,
            self.dialsPerName,
        )
        # Twice as many as are served, so that the others can be told of the limit.
        self.connections: Connections[ClientConnection] = Connections(
            clock, limits.connections, 2 * limits.connectionsPerAddress, self._sweep
        )

    def admit(self, connection: ClientConnection) -> Refusal | None:
        """
        Count a new connection.

        @return: what its hello is to be refused with, if its address has too many
            connections or makes them too fast.
        @raise TooMany: there is no room even to tell it so.
        """
        held = self.connections.add(connection)
        most = self.limits.connectionsPerAddress
        try:
            self.connectionRate.spend(connection.origin, self.now())
        except TooFast as error:
            return error
        return TooMany(f"at most {most} connections") if held > most else None

    def introduce(
        self, name: str, listener: ClientConnection, dialer: ClientConnection
    ) -> OpenIntroduction[ClientConnection]:
        """
        Start an introduction, with tickets if this server is a relay.

        @raise TooMany: the name or the dialer's address has too many.
        """
        introduction = self.introductions.start(name, listener, dialer, self.now())
        if self.relay is not None:
            introduction.tickets = self.relay.issueTickets()
        self.statistics.introduced(
            name, formatAddress(dialer.observed), formatAddress(listener.observed)
        )
        return introduction

    def endIntroduction(
        self,
        introduction: OpenIntroduction[ClientConnection],
        reason: str,
        *parties: ClientConnection,
    ) -> None:
        """
        End an introduction, and tell C{parties} the reason.
        """
        self.introductions.remove(introduction)
        for party in parties:
            party.send(Leave, introduction=introduction.identifier, reason=reason)
        introduction.listener.released()
        introduction.dialer.released()

    def _sweep(self) -> None:
        """
        Do what is due.
        """
        now = self.now()
        for connection in self.connections.due(now):
            connection.check(now)
        for overdue in self.introductions.overdue(now):
            reason = Reason.NO_ANSWER.value
            self.endIntroduction(overdue, reason, overdue.listener, overdue.dialer)
        for rate in self._rates:
            rate.expire(now)
        if self.relay is not None:
            self.relay.sweep(now)
        if self.statistics.isDue(now):
            self._summarize(now)

    def _summarize(self, now: float) -> None:
        splices = carried = 0
        if self.relay is not None:
            splices, carried = len(self.relay), self.relay.takeCarried()
        self.statistics.summarize(now, len(self.connections), splices, carried)

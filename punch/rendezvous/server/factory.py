"""
The rendezvous server: what all its connections share.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from punch.errors import TooFast, TooMany
from punch.interfaces import IDirectory
from punch.net.address import formatAddress
from punch.reasons import Reason
from punch.rendezvous.commands import Leave
from punch.rendezvous.server.connection import ServedConnection
from punch.rendezvous.server.connections import Connections
from punch.rendezvous.server.directory import MemoryDirectory
from punch.rendezvous.server.handlers import RendezvousProtocol
from punch.rendezvous.server.introductions import Introduction, Introductions
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.probe import Prober
from punch.rendezvous.server.ratelimit import KeyedRate
from punch.rendezvous.server.relay import Relay
from punch.rendezvous.server.statistics import Statistics


class RendezvousFactory(Factory):
    """
    A rendezvous server, to listen on any stream server endpoint.

    @ivar directory: who waits under which name.
    @ivar introductions: those that are alive.
    @ivar relay: L{None} if this is none.
    @ivar vantages: where STUN is answered (see L{punch.rendezvous.commands.Hello}).
    @ivar knocker: L{None} if this knocks at nobody's.
    @ivar clientele: all connections.
    @ivar now: the time in seconds, as the clock has it.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        limits: Limits | None = None,
        directory: IDirectory | None = None,
        relays: bool = True,
    ) -> None:
        """
        @param directory: one in memory, if not given.
        @param relays: whether those who were introduced may use us as a relay.
        """
        self.limits = limits = limits or Limits()
        self.directory: IDirectory = directory or MemoryDirectory(clock)
        self.now = clock.seconds
        self.introductions: Introductions[RendezvousProtocol] = Introductions(limits)
        self.tally = Statistics(clock.seconds())
        self.vantages: list[str] = []
        self.knocker: Prober | None = None
        self.relay = Relay(clock, limits, self.tally) if relays else None
        self.connectionRate = KeyedRate(limits.connectionsPerMinute, "connections")
        self.commandRate = KeyedRate(limits.commandsPerMinute, "commands")
        self.publicationRate = KeyedRate(limits.publicationsPerMinute, "publications")
        self.dialsPerAddress = KeyedRate(limits.dialsPerMinutePerAddress, "dials")
        self.dialsPerName = KeyedRate(limits.dialsPerMinutePerName, "dials of one name")
        self.knockRate = KeyedRate(limits.knocksPerMinute, "knocks")
        self._rates = (
            self.knockRate,
            self.connectionRate,
            self.commandRate,
            self.publicationRate,
            self.dialsPerAddress,
            self.dialsPerName,
        )
        # Twice as many, as those that are too many are told so.
        self.clientele: Connections[ServedConnection] = Connections(
            clock, limits.connections, 2 * limits.connectionsPerAddress, self._sweep
        )

    def startFactory(self) -> None:
        """
        Begin to look at the clock.
        """
        self.clientele.open()

    def stopFactory(self) -> None:
        """
        Close all connections.
        """
        if self.knocker is not None:
            self.knocker.end()
        self.clientele.close()

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> RendezvousProtocol:
        """
        The server's side of a new connection.
        """
        return RendezvousProtocol(self)

    def joined(self, connection: ServedConnection) -> None:
        """
        A connection was made.  One that is too many or too soon for its address is
        told so in answer to its hello, if there are not too many to tell.

        @raise TooMany: there is no room even for that.
        """
        held = self.clientele.join(connection)
        most = self.limits.connectionsPerAddress
        try:
            self.connectionRate.spend(connection.origin, self.now())
            if held > most:
                raise TooMany(f"at most {most} connections")
        except (TooFast, TooMany) as error:
            connection.refusal = error

    def introduce(
        self, name: str, listener: RendezvousProtocol, dialer: RendezvousProtocol
    ) -> Introduction[RendezvousProtocol]:
        """
        Begin an introduction.

        @raise TooMany: the name or the dialer's address has too many.
        """
        meeting = self.introductions.begin(name, listener, dialer, self.now())
        if self.relay is not None:
            meeting.tickets = self.relay.issue()
        self.tally.introduced(
            name, formatAddress(dialer.observed), formatAddress(listener.observed)
        )
        return meeting

    def leave(
        self,
        meeting: Introduction[RendezvousProtocol],
        reason: str,
        *told: RendezvousProtocol,
    ) -> None:
        """
        End an introduction, and tell the reason to those who do not know it.
        """
        self.introductions.end(meeting)
        for party in told:
            party.send(Leave, introduction=meeting.identifier, reason=reason)
        meeting.listener.rested()
        meeting.dialer.rested()

    def _sweep(self) -> None:
        """
        Do what is due.
        """
        now = self.now()
        for connection in self.clientele.due(now):
            connection.check(now)
        for meeting in self.introductions.overdue(now):
            reason = Reason.NO_ANSWER.value
            self.leave(meeting, reason, meeting.listener, meeting.dialer)
        for rate in self._rates:
            rate.forget(now)
        if self.relay is not None:
            self.relay.sweep(now)
        if self.tally.isDue(now):
            self._summarize(now)

    def _summarize(self, now: float) -> None:
        relayed = carried = 0
        if self.relay is not None:
            relayed, carried = len(self.relay), self.relay.carried()
        self.tally.summarize(now, len(self.clientele), relayed, carried)

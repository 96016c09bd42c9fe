"""
The STUN server: tells clients over TCP which address it sees (RFC 8489 section 12).

It runs beside the rendezvous, on a port of its own, with the same limits.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.errors import PunchError, RendezvousViolation, TooFast, TooMany
from punch.nat.stun import BindingRequest, NotSTUN, STUNFramer, decode
from punch.net.address import Address, BadAddress, addressKey, tcpAddress
from punch.rendezvous.server.connections import Connections, ServerFactory
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.ratelimit import KeyedQuota, KeyedRate
from punch.rendezvous.server.statistics import Statistics


@implementer(IPushProducer)
class STUNConnection(Protocol):
    """
    The server's side of one STUN client's connection: it answers binding requests.

    L{STUNFactory} makes it.  It ends when the client closes it, is idle for too long,
    or sends what is not STUN.

    @ivar origin: what the connection is counted under.
    @ivar due: when it has been idle for too long, in seconds of the factory's clock.
    """

    factory: STUNFactory
    transport: Any  # ITCPTransport, IConsumer and IPushProducer.
    origin: Hashable
    due = 0.0
    _isSilent = False

    def __init__(self, factory: STUNFactory) -> None:
        self.factory = factory
        self._framer = STUNFramer()

    def connectionMade(self) -> None:
        """
        Count the connection, and wait for a request.
        """
        self.origin = addressKey(getattr(self.transport.getPeer(), "host", ""))
        self.due = self.factory.now() + self.factory.limits.helloSeconds
        # A client that does not read the answers is not read from.
        self.transport.registerProducer(self, True)
        try:
            self.factory.admit(self)
        except (TooMany, TooFast) as error:
            self._refuse(error)

    def dataReceived(self, data: bytes) -> None:
        """
        Answer each message that is a request.
        """
        try:
            for message in self._framer.feed(data):
                self.factory.messageRate.spend(id(self), self.factory.now())
                self._heard(message)
        except NotSTUN as error:
            self._refuse(RendezvousViolation(f"no STUN: {error}"))
        except BadAddress:
            self._refuse(RendezvousViolation("not from an IP address"))
        except TooFast as error:
            self._refuse(error)

    def _heard(self, data: bytes) -> None:
        try:
            message = decode(data)
        except NotSTUN:
            # It is discarded (section 6.3), and does not extend the idle time.
            return
        self._endSilence()
        self.due = self.factory.now() + self.factory.limits.idleSeconds
        if isinstance(message, BindingRequest):
            granted = self._grantSilence(message.silence)
            self.transport.write(message.answer(self._source(), granted).toBytes())

    def _grantSilence(self, seconds: int) -> int:
        """
        Let the client be silent for longer than usual, if there is room.

        @param seconds: what the client asks for.
        @return: the seconds that it gets.
        """
        granted = min(seconds, self.factory.limits.silenceSeconds)
        if granted < self.factory.limits.idleSeconds:
            return granted
        try:
            self.factory.silences.acquire(self.origin)
        except TooMany:
            return 0
        self._isSilent = True
        self.due += granted
        return granted

    def _endSilence(self) -> None:
        if self._isSilent:
            self._isSilent = False
            self.factory.silences.release(self.origin)

    def _source(self) -> Address:
        """
        The client's address.  Through a proxy that tells it, it is not known before the
        first data.
        """
        peer = self.transport.getPeer()
        return tcpAddress(getattr(peer, "host", ""), getattr(peer, "port", 0))

    def _refuse(self, error: PunchError) -> None:
        self.factory.statistics.refused(self.transport.getPeer(), error, True)
        self.abort()

    def abort(self) -> None:
        """
        Close the connection at once.
        """
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Count the connection no more.
        """
        self._endSilence()
        self.factory.connections.remove(self)

    def pauseProducing(self) -> None:
        """
        The client does not read the answers.
        """
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        The client reads again.
        """
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        The connection is being lost; L{connectionLost} does the rest.
        """


class STUNFactory(ServerFactory):
    """
    A STUN server, to listen on any stream server endpoint.

    @ivar limits: those of the rendezvous; the ones for commands limit messages here.
    @ivar silences: counts by address the clients that may be silent for longer.
    @ivar now: the clock's time in seconds.
    """

    def __init__(
        self,
        clock: IReactorTime,
        limits: Limits | None = None,
        statistics: Statistics | None = None,
    ) -> None:
        """
        @param clock: the reactor.
        @param limits: the most that clients may ask for.
        @param statistics: counts refusals; that of the rendezvous beside us.
        """
        self.limits = limits = limits or Limits()
        self.now = clock.seconds
        self.statistics = statistics or Statistics(clock.seconds())
        self.messageRate = KeyedRate(limits.commandsPerMinute, "messages")
        self._connectionRate = KeyedRate(limits.connectionsPerMinute, "connections")
        self.silences = KeyedQuota(limits.silencesPerAddress, "silences")
        self.connections: Connections[STUNConnection] = Connections(
            clock, limits.connections, limits.connectionsPerAddress, self._sweep
        )

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> STUNConnection:
        """
        The server's side of a new connection.
        """
        return STUNConnection(self)

    def admit(self, connection: STUNConnection) -> None:
        """
        Count a new connection.

        @raise TooMany: there is no room for it.
        @raise TooFast: its address had too many in the last minute.
        """
        self.connections.add(connection)
        self._connectionRate.spend(connection.origin, self.now())

    def _sweep(self) -> None:
        """
        Do what is due.
        """
        now = self.now()
        for connection in self.connections.due(now):
            connection.abort()
        for rate in (self._connectionRate, self.messageRate):
            rate.expire(now)

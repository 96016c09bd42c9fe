"""
The STUN server: tells whoever asks over TCP where it sees him (RFC 8489 section 12).

It stands beside the rendezvous, on a port of its own, and bears as much.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.errors import PunchError, RendezvousViolation, TooFast, TooMany
from punch.nat.stun import Framer, NotSTUN, Request, decode
from punch.net.address import Address, BadAddress, addressKey, tcpAddress
from punch.rendezvous.server.connections import Connections
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.ratelimit import KeyedQuota, KeyedRate
from punch.rendezvous.server.statistics import Statistics


@implementer(IPushProducer)
class STUNConnection(Protocol):
    """
    One client.

    @ivar origin: what it is counted under.
    @ivar due: when it has been idle for too long, by the factory's clock.
    """

    factory: STUNFactory
    transport: Any  # ITCPTransport, IConsumer and IPushProducer.
    origin: Hashable
    due = 0.0
    _isSilent = False

    def __init__(self, factory: STUNFactory) -> None:
        self.factory = factory
        self._framer = Framer()

    def connectionMade(self) -> None:
        """
        Count it, and wait for its question.
        """
        self.origin = addressKey(getattr(self.transport.getPeer(), "host", ""))
        self.due = self.factory.now() + self.factory.limits.helloSeconds
        # Who does not read the answers is not read from.
        self.transport.registerProducer(self, True)
        try:
            self.factory.joined(self)
        except (TooMany, TooFast) as error:
            self._cut(error)

    def dataReceived(self, data: bytes) -> None:
        """
        Answer each message that is a request.
        """
        try:
            for message in self._framer.feed(data):
                self.factory.messageRate.spend(id(self), self.factory.now())
                self._heard(message)
        except NotSTUN as error:
            self._cut(RendezvousViolation(f"no STUN: {error}"))
        except BadAddress:
            self._cut(RendezvousViolation("not from an IP address"))
        except TooFast as error:
            self._cut(error)

    def _heard(self, data: bytes) -> None:
        try:
            message = decode(data)
        except NotSTUN:
            # To be discarded (section 6.3); a life is not made longer by it.
            return
        self._endSilence()
        self.due = self.factory.now() + self.factory.limits.idleSeconds
        if isinstance(message, Request):
            borne = self._borne(message.silence)
            self.transport.write(message.answer(self._source(), borne).toBytes())

    def _borne(self, seconds: int) -> int:
        """
        For how long the client may be silent now that asks for so much.
        """
        borne = min(seconds, self.factory.limits.silenceSeconds)
        if borne < self.factory.limits.idleSeconds:
            return borne
        try:
            self.factory.silences.take(self.origin)
        except TooMany:
            return 0
        self._isSilent = True
        self.due += borne
        return borne

    def _endSilence(self) -> None:
        if self._isSilent:
            self._isSilent = False
            self.factory.silences.give(self.origin)

    def _source(self) -> Address:
        """
        Where the client is; through a proxy that tells it, only now is that known.
        """
        peer = self.transport.getPeer()
        return tcpAddress(getattr(peer, "host", ""), getattr(peer, "port", 0))

    def _cut(self, error: PunchError) -> None:
        peer = self.transport.getPeer()
        who = f"{peer.host}:{peer.port}" if hasattr(peer, "port") else str(peer)
        self.factory.tally.refused(who, error, True)
        self.cut()

    def cut(self) -> None:
        """
        Close the connection at once.
        """
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Forget it.
        """
        self._endSilence()
        self.factory.clientele.leave(self)

    def pauseProducing(self) -> None:
        """
        The client does not read.
        """
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        It does again.
        """
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        It is gone; L{connectionLost} will say so.
        """


class STUNFactory(Factory):
    """
    A STUN server, to listen on any stream server endpoint.

    @ivar limits: those of the rendezvous, as far as there is something to limit.
    @ivar silences: which addresses have clients that may be silent for longer.
    @ivar now: the time in seconds, as the clock has it.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        limits: Limits | None = None,
        tally: Statistics | None = None,
    ) -> None:
        """
        @param tally: is told of refusals; that of the rendezvous beside us.
        """
        self.limits = limits = limits or Limits()
        self.now = clock.seconds
        self.tally = tally or Statistics(clock.seconds())
        self.messageRate = KeyedRate(limits.commandsPerMinute, "messages")
        self._connectionRate = KeyedRate(limits.connectionsPerMinute, "connections")
        self.silences = KeyedQuota(limits.silencesPerAddress, "silences")
        self.clientele: Connections[STUNConnection] = Connections(
            clock, limits.connections, limits.connectionsPerAddress, self._sweep
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
        self.clientele.close()

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> STUNConnection:
        """
        The server's side of a new connection.
        """
        return STUNConnection(self)

    def joined(self, connection: STUNConnection) -> None:
        """
        A connection was made.

        @raise TooMany: there is no room for it.
        @raise TooFast: its address had too many in the last minute.
        """
        self.clientele.join(connection)
        self._connectionRate.spend(connection.origin, self.now())

    def _sweep(self) -> None:
        """
        Do what is due.
        """
        now = self.now()
        for connection in self.clientele.due(now):
            connection.cut()
        for rate in (self._connectionRate, self.messageRate):
            rate.forget(now)

"""
One connection to the rendezvous server, from accept to loss.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from enum import Enum
from math import inf
from typing import Any, ClassVar, cast

from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import alsoProvides

from punch import errors
from punch.net.address import (
    Address,
    BadAddress,
    addressKey,
    formatAddress,
    tcpAddress,
)
from punch.rendezvous.commands import VERSION, Hello, Ping
from punch.rendezvous.relayerrors import RelayAddressBusy, RelayError
from punch.rendezvous.relaypreamble import NotRelay, readPreamble
from punch.rendezvous.server.amp import BoxProtocol
from punch.rendezvous.server.liveness import Action, Liveness, kernelRoundTrip
from punch.rendezvous.server.relaysplice import SplicedConnection
from punch.rendezvous.server.state import ServerState

_log = Logger()

LINGER = 5.0
"""
Seconds that a client has to read our last bytes.
"""

_FINAL = (errors.RendezvousViolation, errors.UnsupportedVersion)


class Stage(Enum):
    """
    How far a connection has come, from accept to loss.
    """

    CONNECTED = "it has not said hello"
    SERVED = "it said hello"
    RELAYED = "its bytes go to another client"
    CLOSING = "what it sends is ignored"
    LOST = "it is gone"


class ServedConnection(BoxProtocol):
    """
    A connection that says hello, is pinged, and is refused what exceeds the limits.

    What a client may ask for beyond that is up to the subclass
    (L{punch.rendezvous.server.handlers.RendezvousProtocol}).  A connection whose first
    bytes are the relay's preamble becomes a L{SplicedConnection} instead.  The
    connection ends when the client leaves, is idle or silent for too long, or violates
    the protocol.

    @ivar observed: the address that the client comes from.
    @ivar origin: what the connection is counted under.
    @ivar addressKey: what its requests are counted under.  Where a proxy tells the
        client's address, L{origin} is the proxy's.
    @ivar due: when L{check} is needed next, in seconds of the server's clock.
    @ivar refusal: what the hello is to be refused with.
    """

    codes: ClassVar[dict[type[Exception], bytes]] = Hello.errors

    observed: Address
    origin: Hashable
    addressKey: Hashable
    due = 0.0
    refusal: errors.Refusal | None = None

    _stage = Stage.CONNECTED
    _refusals = 0
    _relayed: SplicedConnection | None = None
    _liveness: Liveness

    def __init__(self, state: ServerState) -> None:
        """
        @param state: what all connections of the server share.
        """
        self.state = state
        self.longestBox = state.limits.messageBytes + 4096
        self.mostUnsent = state.limits.unsentBytes

    def isIdle(self) -> bool:
        """
        Whether the client has no use of the server at present.
        """
        raise NotImplementedError()

    @property
    def isServed(self) -> bool:
        """
        Whether the client has said hello, and is still there as far as we know.
        """
        return self._stage is Stage.SERVED

    def roundTrip(self) -> float | None:
        """
        The round trip to the client in seconds, if known.
        """
        measured = kernelRoundTrip(self.transport)
        return self._liveness.estimate if measured is None else measured

    # Beginning and end.

    def connectionMade(self) -> None:
        """
        Count the connection, and wait for its hello.
        """
        BoxProtocol.connectionMade(self)
        self.origin = addressKey(getattr(self.peer(), "host", ""))
        self.due = self.state.now() + self.state.limits.helloSeconds
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        try:
            self.refusal = self.state.admit(self)
        except errors.TooMany as error:
            self._logRefusal(error)
            self.abort()
        else:
            if self.state.relay is not None:
                # The first bytes alone pass by here.
                self.dataReceived = self._firstReceived  # type: ignore[method-assign]

    async def hello(
        self, version: int, features: list[str], roundTrip: float | None = None
    ) -> dict[str, Any]:
        """
        See L{Hello}.
        """
        if version != VERSION:
            raise errors.UnsupportedVersion(f"this rendezvous speaks version {VERSION}")
        if self.refusal is not None:
            raise self.refusal
        peer = self.peer()
        try:
            self.observed = tcpAddress(peer.host, peer.port)
        except (AttributeError, BadAddress):
            raise errors.RendezvousViolation("not from an IP address") from None
        self.addressKey = addressKey(self.observed.host)
        isMeasured = kernelRoundTrip(self.transport) is not None
        self._liveness = Liveness(self.state.now(), roundTrip, isMeasured)
        self._stage = Stage.SERVED
        self.reschedule()
        return {
            "observed": self.observed,
            "features": self._features(),
            "vantages": self.state.observers,
        }

    def _features(self) -> list[str]:
        """
        What this server does that not every rendezvous does.
        """
        prober = self.state.prober
        if prober is None:
            return []
        more = ["knock-elsewhere"] if prober.otherAddress(self.ourHost()) else []
        return ["knock", *more]

    def close(self) -> None:
        """
        Close the connection after what was written.
        """
        self._linger()
        self.finish()

    def _linger(self) -> None:
        """
        Give the client some time to read what was written.
        """
        self._stage = Stage.CLOSING
        self.due = self.state.now() + LINGER

    def abort(self) -> None:
        """
        Close the connection at once.
        """
        self._stage = Stage.CLOSING
        BoxProtocol.abort(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Count the connection no more.
        """
        self._stage = Stage.LOST
        BoxProtocol.connectionLost(self, reason)
        self.state.connections.remove(self)
        if self._relayed is not None:
            self._relayed.connectionLost(reason)

    # Liveness.

    def check(self, now: float) -> None:
        """
        Close the connection if it has become useless; else ping it now and then.
        """
        limits = self.state.limits
        if not self.isServed:
            if self._stage is Stage.CONNECTED:
                self._logRefusal(errors.RendezvousViolation("no hello"))
            self.abort()
            return
        action = self._liveness.action(
            now, self.isIdle(), limits.idleSeconds, limits.silentSeconds
        )
        if action is Action.ABORT:
            _log.debug("{client} is silent.", client=formatAddress(self.observed))
            self.abort()
        elif action is Action.CLOSE:
            self.close()
        elif action is Action.PING:
            self._liveness.pinged(now)
            self.ask(Ping)
        self.reschedule()

    def reschedule(self) -> None:
        """
        Compute when L{check} is needed next.
        """
        if self.isServed:
            limits = self.state.limits
            self.due = self._liveness.due(
                self.isIdle(), limits.idleSeconds, limits.silentSeconds
            )

    def released(self) -> None:
        """
        The client has one name or introduction less, and may be idle now.
        """
        self._liveness.released(self.state.now())
        self.reschedule()

    async def ping(self) -> dict[str, Any]:
        """
        See L{Ping}.
        """
        return {}

    def answered(self) -> None:
        """
        The client answered our ping.
        """
        self._liveness.answered(self.state.now())
        self.reschedule()

    # The relay.

    def _firstReceived(self, data: bytes) -> None:
        """
        Tell by the first bytes whether this is AMP, or for the relay.
        """
        self._received += data
        try:
            preamble = readPreamble(self._received)
        except NotRelay:
            data, self._received = self._received, b""
            del self.dataReceived
            self.dataReceived(data)
        else:
            if preamble is not None:
                self._ticketReceived(*preamble)

    def _ticketReceived(self, ticket: bytes, rest: bytes) -> None:
        """
        Hand the connection over to the relay.
        """
        relay = self.state.relay
        assert relay is not None
        self._end()
        self._stage, self.due = Stage.RELAYED, inf
        host = getattr(self.peer(), "host", "")
        relayed = SplicedConnection(addressKey(host), self._logRefusal, self._linger)
        self._relayed = relayed
        self.dataReceived = relayed.dataReceived  # type: ignore[method-assign]
        alsoProvides(self, IHalfCloseableProtocol)
        relayed.makeConnection(self.transport)
        if rest:
            relayed.dataReceived(rest)
        try:
            if self.refusal is not None:
                raise RelayAddressBusy(self.refusal.detail)
            relay.admit(relayed, ticket)
        except RelayError as error:
            relayed.refuse(error)

    def readConnectionLost(self) -> None:
        """
        A client of the relay will send no more.
        """
        cast(SplicedConnection, self._relayed).readConnectionLost()

    def writeConnectionLost(self) -> None:
        """
        A client of the relay was told that its peer will send no more.
        """

    # Refusals.

    def expect(self, command: type[Any]) -> None:
        """
        Allow a hello first and once, and then so many commands a minute.
        """
        if (self._stage is Stage.CONNECTED) != (command is Hello):
            raise errors.RendezvousViolation("hello comes first, and once")
        try:
            self.state.commandRate.spend(id(self), self.state.now())
        except errors.TooFast:
            self._stage = Stage.CLOSING
            raise

    def refused(self, error: errors.PunchError) -> None:
        """
        Count a refusal, and close the connection if this error is final or one too
        many.
        """
        if self._stage is Stage.LOST:
            return
        self._logRefusal(error)
        self._refusals += 1
        if (
            self._stage is not Stage.SERVED
            or isinstance(error, _FINAL)
            or self._refusals >= self.state.limits.refusals
        ):
            self.close()

    def overflowed(self) -> None:
        """
        The client does not read: close the connection at the next L{check}.
        """
        self._logRefusal(errors.RendezvousViolation("does not read"))
        self._stage = Stage.CLOSING
        self.due = self.state.now()

    def peer(self) -> Any:
        """
        The address that the transport is connected to.
        """
        return cast(ITCPTransport, self.transport).getPeer()

    def ourHost(self) -> str:
        """
        Our IP address that the client is connected to; empty if there is none.
        """
        host: Any = cast(ITCPTransport, self.transport).getHost()
        with suppress(AttributeError, BadAddress):
            return tcpAddress(host.host, host.port).host
        return ""

    def _logRefusal(self, error: errors.PunchError) -> None:
        self.state.statistics.refused(self.peer(), error, self._refusals == 0)

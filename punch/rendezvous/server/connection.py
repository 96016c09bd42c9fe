"""
One connection to the rendezvous, from accept to loss, whatever it is used for.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, cast

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import alsoProvides

from punch.errors import (
    PunchError,
    Refusal,
    RendezvousViolation,
    TooFast,
    TooMany,
    UnsupportedVersion,
)
from punch.net.address import (
    Address,
    BadAddress,
    addressKey,
    formatAddress,
    tcpAddress,
)
from punch.rendezvous.commands import VERSION, Hello, Ping
from punch.rendezvous.relayerrors import RelayAddressBusy, RelayError
from punch.rendezvous.relaypreamble import NotRelay, takePreamble
from punch.rendezvous.server.amp import BoxProtocol
from punch.rendezvous.server.liveness import Act, Liveness, kernelRoundTrip
from punch.rendezvous.server.relaysplice import RelayedConnection

if TYPE_CHECKING:
    from punch.rendezvous.server.factory import RendezvousFactory

_log = Logger()

LINGER = 5.0
"""
Seconds that a client has to take our last words.
"""

_FINAL = (RendezvousViolation, UnsupportedVersion)


class Stage(Enum):
    """
    How far a connection has come.
    """

    CONNECTED = "it has not said hello"
    SERVED = "it said hello"
    RELAYED = "its bytes are another client's"
    CLOSING = "no more is heeded"
    LOST = "it is gone"


class ServedConnection(BoxProtocol):
    """
    A client that says hello, lives, and is refused what goes too far.

    @ivar observed: the address that the client comes from.
    @ivar origin: what the connection is counted under.
    @ivar addressKey: what its requests are counted under; where a proxy speaks for
        the client, L{origin} is the proxy.
    @ivar due: when L{check} is needed next, by the factory's clock.
    @ivar refusal: what the hello is to be refused with.
    """

    codes: ClassVar[dict[type[Exception], bytes]] = Hello.errors

    factory: RendezvousFactory
    observed: Address
    origin: Hashable
    addressKey: Hashable
    due = 0.0
    refusal: Refusal | None = None

    _stage = Stage.CONNECTED
    _refusals = 0
    _half: RelayedConnection | None = None
    _liveness: Liveness

    def __init__(self, factory: RendezvousFactory) -> None:
        self.factory = factory
        self.longestBox = factory.limits.messageBytes + 4096
        self.mostUnsent = factory.limits.unsentBytes

    def idle(self) -> bool:
        """
        Whether the client uses us for nothing at present.
        """
        raise NotImplementedError()

    @property
    def served(self) -> bool:
        """
        Whether the client is there, as far as we know.
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
        self.due = self.factory.now() + self.factory.limits.helloSeconds
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        try:
            self.factory.joined(self)
        except TooMany as error:
            self._tell(error)
            self.abort()
        else:
            if self.factory.relay is not None:
                # AMP passes by here once; its bytes never do again.
                self.dataReceived = self._firstReceived  # type: ignore[method-assign]

    async def hello(
        self, version: int, features: list[str], roundTrip: float | None = None
    ) -> dict[str, Any]:
        """
        See L{Hello}.
        """
        if version != VERSION:
            raise UnsupportedVersion(f"this rendezvous speaks version {VERSION}")
        if self.refusal is not None:
            raise self.refusal
        peer = self.peer()
        try:
            self.observed = tcpAddress(peer.host, peer.port)
        except (AttributeError, BadAddress):
            raise RendezvousViolation("not from an IP address") from None
        self.addressKey = addressKey(self.observed.host)
        measured = kernelRoundTrip(self.transport) is not None
        self._liveness = Liveness(self.factory.now(), roundTrip, measured)
        self._stage = Stage.SERVED
        self.plan()
        return {
            "observed": self.observed,
            "features": self._features(),
            "vantages": self.factory.vantages,
        }

    def _features(self) -> list[str]:
        """
        What we do that not every rendezvous does.
        """
        knocker = self.factory.knocker
        if knocker is None:
            return []
        more = ["knock-elsewhere"] if knocker.elsewhere(self.ourHost()) else []
        return ["knock", *more]

    def close(self) -> None:
        """
        Close the connection after our last words.
        """
        self._linger()
        self.finish()

    def _linger(self) -> None:
        """
        Give the client some time for our last words.
        """
        self._stage = Stage.CLOSING
        self.due = self.factory.now() + LINGER

    def cut(self) -> None:
        """
        Close the connection at once.
        """
        self._stage = Stage.CLOSING
        self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Forget the connection.
        """
        self._stage = Stage.LOST
        BoxProtocol.connectionLost(self, reason)
        self.factory.clientele.leave(self)
        if self._half is not None:
            self._half.connectionLost(reason)

    # As time passes.

    def check(self, now: float) -> None:
        """
        Close the connection if it has become useless; else ping it now and then.
        """
        limits = self.factory.limits
        if not self.served:
            if self._stage is Stage.CONNECTED:
                self._tell(RendezvousViolation("no hello"))
            self.cut()
            return
        act = self._liveness.act(
            now, self.idle(), limits.idleSeconds, limits.silentSeconds
        )
        if act is Act.ABORT:
            _log.debug("{client} is silent.", client=formatAddress(self.observed))
            self.cut()
        elif act is Act.CLOSE:
            self.close()
        elif act is Act.PING:
            self._liveness.pinged(now)
            self.ask(Ping)
        self.plan()

    def plan(self) -> None:
        """
        Say when L{check} is needed next.
        """
        if self.served:
            limits = self.factory.limits
            self.due = self._liveness.due(
                self.idle(), limits.idleSeconds, limits.silentSeconds
            )

    def rested(self) -> None:
        """
        The client gave something up, perhaps the last that it used us for.
        """
        self._liveness.rested(self.factory.now())
        self.plan()

    async def ping(self) -> dict[str, Any]:
        """
        See L{Ping}.
        """
        return {}

    def answered(self) -> None:
        """
        The client answered our ping.
        """
        self._liveness.answered(self.factory.now())
        self.plan()

    # The relay.

    def _firstReceived(self, data: bytes) -> None:
        """
        The first bytes tell whether this is AMP, or for the relay.
        """
        self._received += data
        try:
            taken = takePreamble(self._received)
        except NotRelay:
            data, self._received = self._received, b""
            del self.dataReceived
            self.dataReceived(data)
        else:
            if taken is not None:
                self._present(*taken)

    def _present(self, ticket: bytes, rest: bytes) -> None:
        """
        The client shows a ticket; what becomes of the connection is up to the relay.
        """
        relay = self.factory.relay
        assert relay is not None
        self._end()
        self._stage, self.due = Stage.RELAYED, inf
        host = getattr(self.peer(), "host", "")
        half = RelayedConnection(relay, addressKey(host), self._tell, self._linger)
        self._half = half
        self.dataReceived = half.dataReceived  # type: ignore[method-assign]
        alsoProvides(self, IHalfCloseableProtocol)
        half.makeConnection(self.transport)
        if rest:
            half.dataReceived(rest)
        try:
            if self.refusal is not None:
                raise RelayAddressBusy(self.refusal.detail)
            relay.admit(half, ticket)
        except RelayError as error:
            half.refuse(error)

    def readConnectionLost(self) -> None:
        """
        A client of the relay has finished.
        """
        cast(RelayedConnection, self._half).readConnectionLost()

    def writeConnectionLost(self) -> None:
        """
        A client of the relay was told that the other one has finished.
        """

    # Refusals.

    def expect(self, command: type[Any]) -> None:
        """
        Hello first, and once; then not too fast.
        """
        if (self._stage is Stage.CONNECTED) != (command is Hello):
            raise RendezvousViolation("hello comes first, and once")
        try:
            self.factory.commandRate.spend(id(self), self.factory.now())
        except TooFast:
            self._stage = Stage.CLOSING
            raise

    def refused(self, error: PunchError) -> None:
        """
        Note a refusal; the first that is final, or one too many, is the last.
        """
        if self._stage is Stage.LOST:
            return
        self._tell(error)
        self._refusals += 1
        if (
            self._stage is not Stage.SERVED
            or isinstance(error, _FINAL)
            or self._refusals >= self.factory.limits.refusals
        ):
            self.close()

    def overflowed(self) -> None:
        """
        The client does not read: close the connection at the next L{check}.
        """
        self._tell(RendezvousViolation("does not read"))
        self._stage = Stage.CLOSING
        self.due = self.factory.now()

    def peer(self) -> Any:
        """
        Whom the transport says it is connected to.
        """
        return cast(ITCPTransport, self.transport).getPeer()

    def ourHost(self) -> str:
        """
        The IP address of ours that the client is connected to; empty if that is none.
        """
        host: Any = cast(ITCPTransport, self.transport).getHost()
        with suppress(AttributeError, BadAddress):
            return tcpAddress(host.host, host.port).host
        return ""

    def _tell(self, error: PunchError) -> None:
        """
        Tell the log.
        """
        peer = self.peer()
        who = f"{peer.host}:{peer.port}" if hasattr(peer, "port") else str(peer)
        self.factory.tally.refused(who, error, self._refusals == 0)

"""
The client of the rendezvous: one connection, and its commands.

Commands are sent at once, so a hello and a dial share a flight.  Errors of the network,
of TLS and of AMP become errors of L{punch.errors} here.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import Any, cast

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import defer, error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IReactorTime,
    IStreamClientEndpoint,
    ITCPTransport,
    ITransport,
)
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.task import LoopingCall
from twisted.protocols import amp
from twisted.python.failure import Failure

from punch import errors
from punch.ice.candidate import trustedAddresses
from punch.net.address import Address, ipOf, parseAddresses
from punch.reasons import Reason
from punch.rendezvous import commands
from punch.util.deferreds import abandonable

ANSWER_TIMEOUT = 15.0
"""
Seconds to wait for an answer of the rendezvous.
"""

CLOSE_TIMEOUT = 1.0
"""
Seconds that the last commands have to be sent before the connection is aborted.
"""

CHECK_TIMEOUT = 0.75
"""
Seconds to wait for the answer to a ping after the network has changed.
"""

KEEPALIVE = 45.0
"""
Seconds between two pings.
"""

_MAX_OBSERVERS = 4


@dataclass(frozen=True)
class IntroductionTerms:
    """
    What the rendezvous says of one introduction: whom we meet, and when to start.

    The client makes it, of the answer to our dial or of the command that introduces a
    dialer to us.

    @ivar client: the connection to the rendezvous.
    @ivar id: names the introduction at the rendezvous.
    @ivar peer: the other side's address, as the rendezvous observes it.
    @ivar wait: seconds until both sides start to connect.
    @ivar ticket: ours for the relay; C{None} if the rendezvous is no relay.
    @ivar message: the dialer's PAKE message; empty at the dialer.
    @ivar overLoopback: whether both sides are on one host with the rendezvous.
    """

    client: RendezvousClient = field(repr=False)
    id: bytes
    peer: Address
    wait: float
    ticket: bytes | None = field(repr=False)
    message: bytes = field(default=b"", repr=False)
    overLoopback: bool = field(init=False)

    def __post_init__(self) -> None:
        # Known now, and not any more once the connection to the rendezvous is lost.
        isLocal = self.client.overLoopback and ipOf(self.peer).is_loopback
        object.__setattr__(self, "overLoopback", isLocal)

    @property
    def own(self) -> Address:
        """
        Our address, as the rendezvous observes it.
        """
        assert self.client.observed is not None
        return self.client.observed

    def relay(self, message: bytes) -> None:
        """
        Send the other side a message through the rendezvous.
        """
        self.client.relay(self.id, message)


class CommandReceiver:
    """
    What a client calls when the rendezvous sends a command, or is lost.

    Who connects passes one, usually of a subclass; this one ignores everything.
    """

    def introduced(self, terms: IntroductionTerms) -> None:
        """
        A dialer was introduced to us, under a name that we have published.
        """

    def relayed(self, introduction: bytes, message: bytes) -> None:
        """
        The other side of an introduction sent a message.
        """

    def left(self, introduction: bytes, reason: str) -> None:
        """
        The other side left the introduction, and said why.
        """

    def rendezvousLost(self, why: errors.RendezvousError) -> None:
        """
        The connection ended, and with it all names and introductions.
        """


def translateFailure(failure: Failure) -> Failure:
    """
    Translate an error of the network, of TLS or of AMP into a
    L{punch.errors.PunchError}; other errors stay as they are.
    """
    why = failure.value
    if isinstance(why, errors.PunchError):
        return failure
    if isinstance(why, error.ConnectError) and why.osError in _HELD:
        return Failure(errors.PortHeld())
    if isinstance(why, SSL.Error) and "certificate" not in str(why):
        return Failure(errors.RendezvousViolation("no TLS"))
    for kinds, meaning in _MEANINGS:
        if isinstance(why, kinds):
            return Failure(meaning(_detailOf(why)))
    return failure


_HELD = (errno.EADDRNOTAVAIL, errno.EADDRINUSE)

_MEANINGS: list[tuple[tuple[type[BaseException], ...], type[errors.RendezvousError]]]
_MEANINGS = [
    ((error.ConnectionRefusedError,), errors.RendezvousRefused),
    ((error.DNSLookupError, error.UnknownHostError), errors.RendezvousNotFound),
    ((SSL.Error, VerificationError), errors.RendezvousCertificate),
    # An AMP error that our commands do not have: this is another program.
    ((amp.RemoteAmpError, amp.AmpError), errors.RendezvousViolation),
    ((error.TimeoutError, defer.TimeoutError, TimeoutError), errors.RendezvousTimedOut),
    # No route or no socket is like a machine that is down.
    ((error.ConnectError,), errors.RendezvousTimedOut),
    ((error.ConnectionClosed,), errors.RendezvousLost),
]


def _detailOf(why: BaseException) -> str:
    """
    The detail that the translated error needs.
    """
    if type(why) is error.ConnectError:
        return str(why.args[-1]) if why.args else ""
    if isinstance(why, SSL.Error) and why.args and why.args[0]:
        return str(why.args[0][-1][-1])
    return ""


class RendezvousClient(amp.AMP):
    """
    One connection to the rendezvous.

    L{connect} makes it; whoever connected owns it, and ends it by L{disconnect} or
    L{abort}.  Commands that the rendezvous sends go to the receiver, and so does the
    news that the connection was lost.

    @ivar observed: our address, as the rendezvous observes it; C{None} before
        L{hello}.
    @ivar features: what this rendezvous does that not every one does; known after
        L{hello}.
    """

    def __init__(self, clock: IReactorTime, receiver: CommandReceiver) -> None:
        amp.AMP.__init__(self)
        self._clock = clock
        self._receiver = receiver
        self._keepalive: LoopingCall | None = None
        self._isClosed = False
        self._isChecking = False
        self._isGreeted = False
        self._observers: list[str] = []
        self.features: list[str] = []
        self.observed: Address | None = None
        self._lost: Deferred[None] = Deferred()
        self._closeTimeout: IDelayedCall | None = None

    def makeConnection(self, transport: ITransport) -> None:
        # AMP's own method would log a line at each connection.
        amp.BinaryBoxProtocol.makeConnection(self, transport)

    @property
    def overLoopback(self) -> bool:
        """
        Whether the rendezvous runs on this host, by the address that we connected to.
        """
        peer: Any = self.transport.getPeer() if self.transport else None
        return peer is not None and ipOf(peer).is_loopback

    async def hello(self, timeout: float = ANSWER_TIMEOUT) -> Address:
        """
        Say hello.  Other commands need not wait for the answer.  After it L{observers}
        and C{features} are known.

        @param timeout: seconds to wait for the answer.
        @return: the address that the rendezvous observes us at.
        @raise punch.errors.RendezvousError: the rendezvous refused, or did not answer.
        """
        hello = {"version": commands.VERSION, "features": []}
        answer = await self._ask(commands.Hello, timeout, **hello)
        self._isGreeted = True
        observed: Address = answer["observed"]
        self.observed = observed
        self._observers = answer["vantages"] or []
        self.features = answer["features"]
        return observed

    @property
    def observers(self) -> list[Address]:
        """
        The addresses that can observe ours: first the rendezvous itself, then those
        that answer STUN.  There are none if the connection has ended.  Addresses in
        private networks are left out, unless the rendezvous is in one.
        """
        peer: Any = self.transport.getPeer() if self.transport else None
        if peer is None:
            return []
        texts = [f":{peer.port}", *self._observers[:_MAX_OBSERVERS]]
        return trustedAddresses(parseAddresses(texts, peer.host))

    async def allocate(self, owner: bytes) -> str:
        """
        Wait under a number that the rendezvous chooses.

        @param owner: a secret of this process, which takes the name over again.
        @return: the number, as a name.
        """
        name: str = (await self._ask(commands.Allocate, owner=owner))["name"]
        return name

    async def publish(self, name: str, owner: bytes) -> None:
        """
        Wait under C{name}.

        @param owner: a secret of this process, which takes the name over again.
        @raise punch.errors.NameTaken: somebody else waits under it.
        """
        await self._ask(commands.Publish, name=name, owner=owner)

    async def withdraw(self, name: str) -> None:
        """
        No longer wait under C{name}.
        """
        await self._ask(commands.Withdraw, name=name)

    async def dial(self, name: str, message: bytes) -> IntroductionTerms:
        """
        Ask for an introduction to the listener that waits under C{name}.

        @param message: our PAKE message.
        @raise punch.errors.NoSuchName: nobody waits under it.
        """
        answer = await self._ask(commands.Dial, name=name, message=message)
        id, peer, wait = answer["introduction"], answer["peer"], answer["wait"]
        return IntroductionTerms(self, id, peer, wait, answer["ticket"])

    def relay(self, introduction: bytes, message: bytes) -> None:
        """
        Send a message to the other side of an introduction.
        """
        self._send(commands.Relay, introduction=introduction, message=message)

    def leave(self, introduction: bytes, reason: Reason) -> None:
        """
        End an introduction; the other side is told the reason.
        """
        self._send(commands.Leave, introduction=introduction, reason=reason.value)

    def keepAlive(self) -> None:
        """
        Ping the rendezvous from now on, to notice if it is gone.
        """
        self._keepalive = LoopingCall(self._checkAlive)
        self._keepalive.clock = self._clock
        self._keepalive.start(KEEPALIVE, now=False)

    @property
    def localHost(self) -> str:
        """
        The IP address of this host that the connection comes from; empty when the
        connection has ended.
        """
        host: Any = self.transport.getHost() if self.transport else None
        return getattr(host, "host", "")

    def checkNow(self, isDoubtful: bool = False) -> None:
        """
        Find out soon whether the connection still works, as when the network has
        changed.

        @param isDoubtful: whether the address that it comes from is gone; then it is
            aborted at once.
        """
        if isDoubtful and not self._isClosed:
            self.abort()
        elif not self._isClosed and not self._isChecking:
            self._isChecking = True
            alive = self._ask(commands.Ping, CHECK_TIMEOUT)
            alive.addErrback(lambda failure: self.abort())
            alive.addBoth(self._checked)

    def _checked(self, result: object) -> None:
        self._isChecking = False

    def disconnect(self) -> Deferred[None]:
        """
        Close the connection after the commands that were given; the receiver is told
        nothing more.

        @return: fires when the connection has ended; not to be cancelled.
        """
        if not self._isClosed and self.transport is not None:
            self._isClosed = True
            self.transport.loseConnection()
            self._closeTimeout = self._clock.callLater(CLOSE_TIMEOUT, self.abort)
        return self._lost

    def _checkAlive(self) -> None:
        self._ask(commands.Ping).addErrback(lambda failure: self.abort())

    def abort(self) -> None:
        """
        Close the connection at once.
        """
        if self.transport is not None:
            cast(ITCPTransport, self.transport).abortConnection()

    def _ask(
        self,
        command: type[amp.Command],
        timeout: float = ANSWER_TIMEOUT,
        **arguments: Any,
    ) -> Deferred[Any]:
        answer: Deferred[Any] = self.callRemote(command, **arguments)
        return answer.addTimeout(timeout, self._clock).addErrback(translateFailure)

    def _send(self, command: type[amp.Command], **arguments: Any) -> None:
        if self.transport is not None and not self._isClosed:
            self.callRemote(command, **arguments)

    @commands.Introduce.responder
    def _introduced(
        self,
        introduction: bytes,
        name: str,
        peer: Address,
        wait: float,
        message: bytes,
        ticket: bytes | None,
    ) -> dict[str, Any]:
        if not self._isClosed:
            terms = IntroductionTerms(self, introduction, peer, wait, ticket, message)
            self._receiver.introduced(terms)
        return {}

    @commands.Relay.responder
    def _relayed(self, introduction: bytes, message: bytes) -> dict[str, Any]:
        if not self._isClosed:
            self._receiver.relayed(introduction, message)
        return {}

    @commands.Leave.responder
    def _left(self, introduction: bytes, reason: str) -> dict[str, Any]:
        if not self._isClosed:
            self._receiver.left(introduction, reason)
        return {}

    @commands.Ping.responder
    def _pinged(self) -> dict[str, Any]:
        return {}

    def unhandledError(self, failure: Failure) -> None:
        """
        What arrived is not AMP: close the connection.
        """
        self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._keepalive is not None:
            self._keepalive.stop()
        why = translateFailure(reason).value
        if not isinstance(why, errors.RendezvousError):
            why = errors.RendezvousLost()
        if isinstance(why, errors.RendezvousLost) and not self._isGreeted:
            why = errors.RendezvousViolation("it hung up on our hello")
        amp.BinaryBoxProtocol.connectionLost(self, Failure(why))
        self.transport = None
        if self._closeTimeout is not None and self._closeTimeout.active():
            self._closeTimeout.cancel()
        if not self._isClosed:
            self._isClosed = True
            self._receiver.rendezvousLost(why)
        self._lost.callback(None)


async def connect(
    clock: IReactorTime, endpoint: IStreamClientEndpoint, receiver: CommandReceiver
) -> RendezvousClient:
    """
    Connect to the rendezvous at C{endpoint}.

    @raise punch.errors.RendezvousError: it can't be reached.
    """
    factory = Factory.forProtocol(lambda: RendezvousClient(clock, receiver))
    factory.noisy = False
    client: RendezvousClient = await translateErrors(endpoint.connect(factory))
    return client


def translateErrors(connected: Deferred[Any]) -> Deferred[Any]:
    """
    Wait for an endpoint's Deferred (L{abandonable}), and fail with errors of
    L{punch.errors}.
    """
    translated = connected.addErrback(translateFailure)
    return abandonable(translated, lambda made: made.abort())

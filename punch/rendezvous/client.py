"""
The client's side of the rendezvous.

Commands go out as soon as they are given, so a hello and a dial share a flight.
What goes wrong becomes one of L{punch.errors}, here and once.
"""

from __future__ import annotations

import errno
from typing import Any, Protocol, cast

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
from punch.ice.candidate import trusted
from punch.net.address import Address, ipOf, parseAddresses
from punch.reasons import Reason
from punch.rendezvous import commands

ANSWER_TIMEOUT = 15.0
"""
Seconds to wait for any answer of the rendezvous.
"""

GOODBYE = 1.0
"""
Seconds that our last words have to leave.
"""

PROBE_TIMEOUT = 0.75
"""
Seconds to wait for its answer where we have reason to doubt that it comes.
"""

_MOST_VANTAGES = 4

KEEPALIVE = 45.0
"""
Seconds between the questions whether the rendezvous is still there.
"""


class Guest(Protocol):
    """
    Who hears what the rendezvous sends unasked.
    """

    def introduced(
        self,
        introduction: bytes,
        peer: Address,
        wait: float,
        message: bytes,
        ticket: bytes | None,
    ) -> None:
        """
        A dialer was introduced to us, with its PAKE message; start after C{wait}
        seconds.  C{ticket}: our own for the relay, if the rendezvous is one.
        """

    def relayed(self, introduction: bytes, message: bytes) -> None:
        """
        The other side of an introduction sent a message.
        """

    def left(self, introduction: bytes, reason: str) -> None:
        """
        The other side left the introduction.
        """

    def rendezvousLost(self, why: errors.RendezvousError) -> None:
        """
        The connection ended, and with it all names and introductions.
        """


def explain(failure: Failure) -> Failure:
    """
    An error of the network, TLS or AMP as one of ours; others stay as they are.
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
    # An AMP error that is not in our commands: nobody of ours speaks there.
    ((amp.RemoteAmpError, amp.AmpError), errors.RendezvousViolation),
    ((error.TimeoutError, defer.TimeoutError, TimeoutError), errors.RendezvousTimedOut),
    # No route, no socket: like a machine that is down.
    ((error.ConnectError,), errors.RendezvousTimedOut),
    ((error.ConnectionClosed,), errors.RendezvousLost),
]


def _detailOf(why: BaseException) -> str:
    """
    What the meaning alone does not say.
    """
    if type(why) is error.ConnectError:
        return str(why.args[-1]) if why.args else ""
    if isinstance(why, SSL.Error) and why.args and why.args[0]:
        return str(why.args[0][-1][-1])
    return ""


class RendezvousClient(amp.AMP):
    """
    One connection to the rendezvous.
    """

    def __init__(self, clock: IReactorTime, guest: Guest) -> None:
        amp.AMP.__init__(self)
        self._clock = clock
        self._guest = guest
        self._keepalive: LoopingCall | None = None
        self._down = False
        self._isProbing = False
        self._answered = False
        self._vantages: list[str] = []
        self.features: list[str] = []
        self._gone: Deferred[None] = Deferred()
        self._patience: IDelayedCall | None = None

    def makeConnection(self, transport: ITransport) -> None:
        # Not AMP's own, which would log a line of its own at each connection.
        amp.BinaryBoxProtocol.makeConnection(self, transport)

    @property
    def overLoopback(self) -> bool:
        """
        Whether the rendezvous is on this very host, as we see it ourselves.
        """
        peer: Any = self.transport.getPeer() if self.transport else None
        return peer is not None and ipOf(peer).is_loopback

    async def hello(self, patience: float = ANSWER_TIMEOUT) -> Address:
        """
        Introduce ourselves; other commands need not wait for the answer.  After it
        L{vantages} and C{features} are known.

        @param patience: seconds to wait for the answer.
        @return: the address that the rendezvous sees us come from.
        @raise punch.errors.RendezvousError: it is no use.
        """
        asked = Deferred.fromCoroutine(
            self._ask(commands.Hello, version=commands.VERSION, features=[])
        )
        answer = await asked.addTimeout(patience, self._clock).addErrback(explain)
        self._answered = True
        observed: Address = answer["observed"]
        self._vantages = answer["vantages"] or []
        self.features = answer["features"]
        return observed

    @property
    def vantages(self) -> list[Address]:
        """
        First the rendezvous itself, then where else we can ask how we are seen; none
        if the connection has ended.  Nobody sends us into our own networks.
        """
        peer: Any = self.transport.getPeer() if self.transport else None
        if peer is None:
            return []
        texts = [f":{peer.port}", *self._vantages[:_MOST_VANTAGES]]
        return trusted(parseAddresses(texts, peer.host))

    async def allocate(self, owner: bytes) -> str:
        """
        Wait under a number that the rendezvous chooses.
        """
        name: str = (await self._ask(commands.Allocate, owner=owner))["name"]
        return name

    async def publish(self, name: str, owner: bytes) -> None:
        """
        Wait under C{name}.

        @raise punch.errors.NameTaken: somebody else does.
        """
        await self._ask(commands.Publish, name=name, owner=owner)

    async def withdraw(self, name: str) -> None:
        """
        No longer wait under C{name}.
        """
        await self._ask(commands.Withdraw, name=name)

    async def dial(
        self, name: str, message: bytes
    ) -> tuple[bytes, Address, float, bytes | None]:
        """
        Meet who waits under C{name}.

        @param message: our PAKE message.
        @return: the introduction's id, the peer's observed address, the seconds to
            wait before starting, and our own ticket for the relay, C{None} if the
            rendezvous is none.
        @raise punch.errors.NoSuchName: nobody does.
        """
        answer = await self._ask(commands.Dial, name=name, message=message)
        return answer["introduction"], answer["peer"], answer["wait"], answer["ticket"]

    def relay(self, introduction: bytes, message: bytes) -> None:
        """
        Send a message to the other side of an introduction.
        """
        self._say(commands.Relay, introduction=introduction, message=message)

    def leave(self, introduction: bytes, reason: Reason) -> None:
        """
        Be done with an introduction.
        """
        self._say(commands.Leave, introduction=introduction, reason=reason.value)

    def keepAlive(self) -> None:
        """
        From now on notice a rendezvous that is gone without a word.
        """
        self._keepalive = LoopingCall(self._checkAlive)
        self._keepalive.clock = self._clock
        self._keepalive.start(KEEPALIVE, now=False)

    @property
    def localHost(self) -> str:
        """
        Our own IP address, as we see it; empty when the connection has ended.
        """
        host: Any = self.transport.getHost() if self.transport else None
        return getattr(host, "host", "")

    def probe(self, isDoubtful: bool = False) -> None:
        """
        See at once whether the rendezvous is still there.

        @param isDoubtful: we have reason to think that it is not.
        """
        if isDoubtful and not self._down:
            self.abort()
        elif not self._down and not self._isProbing:
            self._isProbing = True
            alive = Deferred.fromCoroutine(self._ask(commands.Ping))
            alive.addTimeout(PROBE_TIMEOUT, self._clock)
            alive.addErrback(lambda failure: self.abort())
            alive.addBoth(self._probed)

    def _probed(self, result: object) -> None:
        self._isProbing = False

    def disconnect(self) -> Deferred[None]:
        """
        End the connection, after what was said; the guest is told no more.

        @return: fires when it has ended; not to be cancelled.
        """
        if not self._down and self.transport is not None:
            self._down = True
            self.transport.loseConnection()
            self._patience = self._clock.callLater(GOODBYE, self.abort)
        return self._gone

    def _checkAlive(self) -> None:
        alive = Deferred.fromCoroutine(self._ask(commands.Ping))
        alive.addErrback(lambda failure: self.abort())

    def abort(self) -> None:
        """
        End the connection at once.
        """
        if self.transport is not None:
            cast(ITCPTransport, self.transport).abortConnection()

    async def _ask(self, command: type[amp.Command], **arguments: Any) -> Any:
        answer: Deferred[Any] = self.callRemote(command, **arguments)
        answer.addTimeout(ANSWER_TIMEOUT, self._clock)
        return await answer.addErrback(explain)

    def _say(self, command: type[amp.Command], **arguments: Any) -> None:
        if self.transport is not None and not self._down:
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
        if not self._down:
            self._guest.introduced(introduction, peer, wait, message, ticket)
        return {}

    @commands.Relay.responder
    def _relayed(self, introduction: bytes, message: bytes) -> dict[str, Any]:
        if not self._down:
            self._guest.relayed(introduction, message)
        return {}

    @commands.Leave.responder
    def _left(self, introduction: bytes, reason: str) -> dict[str, Any]:
        if not self._down:
            self._guest.left(introduction, reason)
        return {}

    @commands.Ping.responder
    def _pinged(self) -> dict[str, Any]:
        return {}

    def unhandledError(self, failure: Failure) -> None:
        """
        What came is no AMP of ours: the connection is of no use.
        """
        self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._keepalive is not None:
            self._keepalive.stop()
        why = explain(reason).value
        if not isinstance(why, errors.RendezvousError):
            why = errors.RendezvousLost()
        if isinstance(why, errors.RendezvousLost) and not self._answered:
            why = errors.RendezvousViolation("it hung up on our hello")
        amp.BinaryBoxProtocol.connectionLost(self, Failure(why))
        self.transport = None
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        if not self._down:
            self._down = True
            self._guest.rendezvousLost(why)
        self._gone.callback(None)


async def connect(
    clock: IReactorTime, endpoint: IStreamClientEndpoint, guest: Guest
) -> RendezvousClient:
    """
    Connect to the rendezvous at C{endpoint}.

    @raise punch.errors.RendezvousError: it can't be reached.
    """
    factory = Factory.forProtocol(lambda: RendezvousClient(clock, guest))
    factory.noisy = False
    client: RendezvousClient = await reached(endpoint.connect(factory))
    return client


def reached(connected: Deferred[Any]) -> Deferred[Any]:
    """
    The same, with our errors; and whoever cancels it hears of that alone, where an
    endpoint may tell of the lookup or the connection that it had to give up.
    """
    cancelled = False

    def cancel(waiting: Deferred[Any]) -> None:
        nonlocal cancelled
        cancelled = True
        connected.cancel()

    def settle(result: Any) -> None:
        if not cancelled:
            waiting.callback(result)

    waiting: Deferred[Any] = Deferred(cancel)
    connected.addErrback(explain).addBoth(settle)
    return waiting

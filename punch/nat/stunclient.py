"""
The STUN client: asks a server over TCP which address it sees us at (RFC 8489 sections
6.2.2 and 6.3).
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import (
    Binding,
    IReactorTCP,
    IReactorTime,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from punch.nat import errors, stun
from punch.net.address import Address
from punch.net.connector import outcomeOf
from punch.net.outcome import Outcome
from punch.util.deferreds import SharedResult, abandonable

CONNECT_TIMEOUT = 10.0
"""
Seconds to wait for a STUN server to accept our connection.
"""

ANSWER_TIMEOUT = 10.0
"""
Seconds to wait for its response.  The RFC says 39.5 (section 6.2.2), which is longer
than any dial waits.
"""

_LONGEST_PHRASE = 128


class STUNClient(Protocol):
    """
    One connection to a STUN server.

    L{connectSTUN} makes it.  Its caller owns it, may ask as often as it likes, and ends
    it with L{abort}.

    @ivar lost: fires with the reason when the connection has ended.
    @ivar maxSilence: seconds for which the server's last response lets us be silent.
    """

    transport: ITCPTransport

    def __init__(self, clock: IReactorTime) -> None:
        self.lost: SharedResult[errors.STUNError] = SharedResult()
        self.maxSilence = 0
        self._clock = clock
        self._framer = stun.STUNFramer()
        self._pending: dict[bytes, Deferred[Address]] = {}
        self._why: errors.STUNError | None = None

    def connectionMade(self) -> None:
        """
        Have our few bytes sent at once.
        """
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)

    def ask(self, silence: int = 0) -> Deferred[Address]:
        """
        Send a Binding request, without waiting for earlier responses.  Cancelling
        leaves the connection open.

        @param silence: seconds for which we want to be silent then.
        @return: fires with the address that the server sees us at.
        @raise STUNError: the server does not tell.
        """
        transaction = secrets.token_bytes(stun.TRANSACTION_BYTES)
        pending: Deferred[Address] = Deferred(
            lambda _: self._pending.__delitem__(transaction)
        )
        if self.lost.settled:
            pending.errback(self._why or errors.STUNSilent("it hung up"))
            return pending
        self._pending[transaction] = pending
        self.transport.write(
            stun.BindingRequest(transaction, silence=silence).toBytes()
        )
        return pending.addTimeout(ANSWER_TIMEOUT, self._clock, _silent)

    def dataReceived(self, data: bytes) -> None:
        """
        Fire the Deferred of the request that each response answers; ignore messages
        that answer no request.
        """
        try:
            for message in self._framer.feed(data):
                self._messageReceived(message)
        except stun.NotSTUN as error:
            self._why = errors.STUNViolation(str(error))
            self.abort()

    def _messageReceived(self, data: bytes) -> None:
        message = stun.decode(data)
        if not isinstance(message, (stun.BindingSuccess, stun.BindingError)):
            return
        pending = self._pending.pop(message.transaction, None)
        if pending is None:
            return
        if isinstance(message, stun.BindingSuccess):
            self.maxSilence = message.silence
            pending.callback(message.address)
        else:
            pending.errback(errors.STUNRefused(_legible(message)))

    def abort(self) -> None:
        """
        End the connection with a reset.  An orderly close would keep the four-tuple in
        TIME-WAIT for a minute.
        """
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Fail all requests that have no response yet.
        """
        why = self._why or errors.STUNSilent("it hung up")
        self.lost.succeed(why)
        while self._pending:
            # A callback may cancel other requests.
            _, pending = self._pending.popitem()
            pending.errback(why)


def _silent(result: object, seconds: float) -> Failure:
    """
    The error of a time limit, whatever cancelling the wait has resulted in.
    """
    return Failure(errors.STUNSilent())


def _legible(refusal: stun.BindingError) -> str:
    """
    The server's words, printable and not too long.
    """
    phrase = "".join(each for each in refusal.phrase if each.isprintable())
    return f"{refusal.code} {phrase[:_LONGEST_PHRASE]}".strip()


def stunEndpoint(
    reactor: IReactorTCP, server: Address, binding: Binding
) -> IStreamClientEndpoint:
    """
    An endpoint that leads to a STUN server.

    @param binding: the interface and port to connect from.
    """
    kind = TCP6ClientEndpoint if ":" in server.host else TCP4ClientEndpoint
    return kind(reactor, server.host, server.port, bindAddress=binding)


def connectSTUN(
    clock: IReactorTime, endpoint: IStreamClientEndpoint
) -> Deferred[STUNClient]:
    """
    Connect to a STUN server.  Cancelling leaves nothing behind.

    @param endpoint: leads to the server, from the port that is to be asked about.
    @raise STUNError: the server cannot be reached.
    """
    factory = Factory.forProtocol(lambda: STUNClient(clock))
    factory.noisy = False
    connecting: Deferred[Any] = endpoint.connect(factory).addErrback(_unreachable)
    reached: Deferred[STUNClient] = abandonable(connecting, STUNClient.abort)
    return reached.addTimeout(CONNECT_TIMEOUT, clock, _silent)


def _unreachable(failure: Failure) -> Failure:
    """
    Turn an endpoint's error, which may be any, into a L{errors.STUNError}.
    """
    why = failure.value
    if isinstance(why, CancelledError):
        return failure
    if isinstance(why, DNSLookupError):
        return Failure(errors.STUNUnreachable("no such host"))
    if outcomeOf(failure) is Outcome.TAKEN:
        return Failure(errors.STUNTaken())
    if isinstance(why, ConnectError) and why.osError:
        return Failure(errors.STUNUnreachable(os.strerror(why.osError)))
    return Failure(errors.STUNUnreachable(str(why)))


@dataclass(frozen=True)
class MappedPort:
    """
    An internal port of ours, and the external address at which it was seen.
    """

    internalPort: int
    externalAddress: Address


def requestMappedPort(
    clock: IReactorTime, reactor: IReactorTCP, server: Address, binding: Binding
) -> Deferred[MappedPort]:
    """
    Ask a STUN server which address it sees us at, over a connection made for that
    alone.  Cancelling leaves nothing behind.

    @param binding: the interface and port to connect from.
    @raise STUNError: the server does not tell.
    """
    return Deferred.fromCoroutine(_requestMappedPort(clock, reactor, server, binding))


async def _requestMappedPort(
    clock: IReactorTime, reactor: IReactorTCP, server: Address, binding: Binding
) -> MappedPort:
    client = await connectSTUN(clock, stunEndpoint(reactor, server, binding))
    ours: Any = client.transport.getHost()
    try:
        return MappedPort(ours.port, await client.ask())
    finally:
        client.abort()

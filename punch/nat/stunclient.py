"""
The STUN client: asks a server over TCP which address it sees us come from (RFC 8489
sections 6.2.2 and 6.3).
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import Any, cast

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

from punch.nat.errors import (
    STUNError,
    STUNRefused,
    STUNSilent,
    STUNTaken,
    STUNUnreachable,
    STUNViolation,
)
from punch.nat.stun import (
    TRANSACTION_BYTES,
    BindingError,
    BindingRequest,
    BindingSuccess,
    NotSTUN,
    STUNFramer,
    decode,
)
from punch.net.address import Address
from punch.net.connector import outcomeOf
from punch.net.outcome import Outcome
from punch.util.deferreds import SharedResult

CONNECT_TIMEOUT = 10.0
"""
Seconds to wait for a STUN server to accept our connection.
"""

ANSWER_TIMEOUT = 10.0
"""
Seconds to wait for its answer; the RFC would have us wait 39.5 (section 6.2.2), but
who dials has long found another way by then.
"""

_LONGEST_PHRASE = 128


class STUNClient(Protocol):
    """
    One connection to a STUN server.  Who has it may ask again, and ends it.

    @ivar lost: arrives when the connection has ended, with why.
    @ivar borne: seconds of silence that the server bears, by its last answer.
    """

    transport: ITCPTransport

    def __init__(self, clock: IReactorTime) -> None:
        self.lost: SharedResult[STUNError] = SharedResult()
        self.maxSilence = 0
        self._clock = clock
        self._framer = STUNFramer()
        self._asked: dict[bytes, Deferred[Address]] = {}
        self._why: STUNError | None = None

    def connectionMade(self) -> None:
        """
        Our few bytes shall leave at once.
        """
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)

    def ask(self, silence: int = 0) -> Deferred[Address]:
        """
        Ask, without waiting for earlier answers.  Cancelling leaves nothing behind
        but the connection.

        @param silence: seconds for which we ask leave to be silent then.
        @return: fires with the address that the server sees.
        @raise STUNError: it does not tell.
        """
        transaction = secrets.token_bytes(TRANSACTION_BYTES)
        asked: Deferred[Address] = Deferred(
            lambda _: self._asked.__delitem__(transaction)
        )
        if self.lost.settled:
            asked.errback(self._why or STUNSilent("it hung up"))
            return asked
        self._asked[transaction] = asked
        self.transport.write(BindingRequest(transaction, silence=silence).toBytes())
        return asked.addTimeout(ANSWER_TIMEOUT, self._clock, _silent)

    def dataReceived(self, data: bytes) -> None:
        """
        Sort out the answers; what answers no question of ours is passed over.
        """
        try:
            for message in self._framer.feed(data):
                self._heard(message)
        except NotSTUN as error:
            self._why = STUNViolation(str(error))
            self.abort()

    def _heard(self, data: bytes) -> None:
        message = decode(data)
        if not isinstance(message, (BindingSuccess, BindingError)):
            return
        asked = self._asked.pop(message.transaction, None)
        if asked is None:
            return
        if isinstance(message, BindingSuccess):
            self.maxSilence = message.silence
            asked.callback(message.address)
        else:
            asked.errback(STUNRefused(_legible(message)))

    def abort(self) -> None:
        """
        End the connection, at once: one that ends in order would hold our port's
        way to the server for a minute more (TIME-WAIT).
        """
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Nobody answers any more.
        """
        why = self._why or STUNSilent("it hung up")
        self.lost.succeed(why)
        while self._asked:
            # Whoever hears of it may give up asking more.
            _, asked = self._asked.popitem()
            asked.errback(why)


def _silent(result: object, seconds: float) -> Failure:
    """
    Time is up, whatever the end of the waiting was.
    """
    return Failure(STUNSilent())


def _legible(refusal: BindingError) -> str:
    """
    The words of somebody else, for a person.
    """
    phrase = "".join(each for each in refusal.phrase if each.isprintable())
    return f"{refusal.code} {phrase[:_LONGEST_PHRASE]}".strip()


def connectSTUN(
    clock: IReactorTime, endpoint: IStreamClientEndpoint
) -> Deferred[STUNClient]:
    """
    Connect to the STUN server at C{endpoint}; bind that to the shared port.
    Cancelling leaves nothing behind.

    @raise STUNError: it can't be reached.
    """
    factory = Factory.forProtocol(lambda: STUNClient(clock))
    factory.noisy = False
    connecting = endpoint.connect(factory)
    cancelled = False

    def cancel(reached: Deferred[STUNClient]) -> None:
        nonlocal cancelled
        cancelled = True
        connecting.cancel()

    def settle(result: object) -> None:
        # An endpoint that is cancelled tells of what it had to give up.
        if not cancelled:
            reached.callback(cast(STUNClient, result))
        elif isinstance(result, STUNClient):
            result.abort()

    reached: Deferred[STUNClient] = Deferred(cancel)
    connecting.addErrback(_unreachable).addBoth(settle)
    return reached.addTimeout(CONNECT_TIMEOUT, clock, _silent)


def _unreachable(failure: Failure) -> Failure:
    """
    An endpoint's error as ours; endpoints may fail in any way.
    """
    why = failure.value
    if isinstance(why, CancelledError):
        return failure
    if isinstance(why, DNSLookupError):
        return Failure(STUNUnreachable("no such host"))
    if outcomeOf(failure) is Outcome.TAKEN:
        return Failure(STUNTaken())
    if isinstance(why, ConnectError) and why.osError:
        return Failure(STUNUnreachable(os.strerror(why.osError)))
    return Failure(STUNUnreachable(str(why)))


@dataclass(frozen=True)
class PortMapping:
    """
    One port of ours, and as what it was seen.
    """

    internalPort: int
    externalAddress: Address


def requestMappedAddress(
    clock: IReactorTime, reactor: IReactorTCP, server: Address, binding: Binding
) -> Deferred[Address]:
    """
    Ask C{server} as what it sees us when we come from C{binding}, by a connection for
    that alone.  Cancelling leaves nothing behind.

    @raise STUNError: it does not tell.
    """
    seen = requestPortMapping(clock, reactor, server, binding)
    return seen.addCallback(lambda mapping: mapping.externalAddress)


def requestPortMapping(
    clock: IReactorTime, reactor: IReactorTCP, server: Address, binding: Binding
) -> Deferred[PortMapping]:
    """
    The same, and which port of ours that was.
    """
    return Deferred.fromCoroutine(_requestPortMapping(clock, reactor, server, binding))


async def _requestPortMapping(
    clock: IReactorTime, reactor: IReactorTCP, server: Address, binding: Binding
) -> PortMapping:
    kind = TCP6ClientEndpoint if ":" in server.host else TCP4ClientEndpoint
    endpoint = kind(reactor, server.host, server.port, bindAddress=binding)
    client = await connectSTUN(clock, endpoint)
    ours: Any = client.transport.getHost()
    try:
        return PortMapping(ours.port, await client.ask())
    finally:
        client.abort()

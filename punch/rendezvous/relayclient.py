"""
The relayed connection: one that leads to the peer by way of the relay.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import (
    IHandshakeListener,
    IProtocol,
    IReactorTime,
    ISSLTransport,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import alsoProvides

from punch.errors import RendezvousLost
from punch.net.connection import (
    Connection,
    IStreamTransport,
    Origin,
    setTCPOptions,
)
from punch.rendezvous.client import ANSWER_TIMEOUT, explain, reached
from punch.rendezvous.relaypreamble import STATUSES, encodePreamble
from punch.util.deferreds import SharedResult


class Relayed(Connection):
    """
    A connection to the relay, which has our ticket.

    Whoever takes it gets the peer's bytes, and may write at once: what the peer is
    not there for yet is held on the way.  If the relay refuses, or breaks off before
    the peer is there, the taker hears one of L{punch.rendezvous.relayerrors}, or
    L{RendezvousLost}; so does L{failure} tell, for takers who lose it on the way.

    C{failure}: why it came to nothing; C{None}: it has not.
    """

    failure: Failure | None = None

    def __init__(self, preamble: bytes) -> None:
        """
        @param preamble: what we send first.
        """
        Connection.__init__(self, Origin.CONNECTED)
        self._preamble = preamble
        self._standing: SharedResult[Relayed] = SharedResult()
        self._isSpliced = False

    def whenStanding(self) -> Deferred[Relayed]:
        """
        The connection to the relay is made, TLS to it included.
        """
        return self._standing.wait()

    def connectionMade(self) -> None:
        if ISSLTransport.providedBy(self.transport):
            # Nothing may wait yet: the handshake needs its bytes.  (Endpoints show
            # the transport one interface of ours at most, and TCP's matters there.)
            alsoProvides(self, IHandshakeListener)
            tls = cast(TLSMemoryBIOProtocol, self.transport)
            setTCPOptions(cast(IStreamTransport, tls.transport))
            self.transport.write(self._preamble)
        else:
            setTCPOptions(self.transport)
            self.transport.write(self._preamble)
            self._stand()

    def handshakeCompleted(self) -> None:
        """
        TLS to the relay stands.
        """
        self._stand()

    def _stand(self) -> None:
        self.transport.pauseProducing()
        self._standing.succeed(self)

    def _bypass(self, taker: IProtocol) -> None:
        # Not before the relay has answered.
        self.dataReceived = self._answered  # type: ignore[method-assign]

    def _answered(self, data: bytes) -> None:
        """
        The relay's answer, and the peer's first bytes.
        """
        refusal = STATUSES.decode(data[0])
        if refusal is not None:
            self.failure = Failure(refusal())
            self.abort()
            return
        self._isSpliced = True
        taker = cast(IProtocol, self._taker)
        Connection._bypass(self, taker)
        if len(data) > 1:
            taker.dataReceived(data[1:])

    def readConnectionLost(self) -> None:
        if self._isSpliced:
            Connection.readConnectionLost(self)
        else:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self._isSpliced and self.failure is None:
            self.failure = _early(reason)
        if not self._standing.settled:
            self._standing.fail(explain(reason))
        Connection.connectionLost(self, self.failure or reason)


def _early(reason: Failure) -> Failure:
    """
    Why a connection to the relay ended before the peer was there; it was we, if
    nobody else.
    """
    if reason.check(ConnectionAborted):
        return reason
    explained = explain(reason)
    if explained.check(RendezvousLost):
        return Failure(RendezvousLost("before the other side was there"))
    return explained


async def _connect(endpoint: IStreamClientEndpoint, ticket: bytes) -> Relayed:
    preamble = encodePreamble(ticket)
    factory = Factory.forProtocol(lambda: Relayed(preamble))
    factory.noisy = False
    relayed: Relayed = await reached(endpoint.connect(factory))
    try:
        await relayed.whenStanding()
    except BaseException:
        relayed.abort()
        raise
    return relayed


def connectRelay(
    clock: IReactorTime, endpoint: IStreamClientEndpoint, ticket: bytes
) -> Deferred[Relayed]:
    """
    Connect to the relay at C{endpoint}, where the rendezvous is, and show it our
    ticket.  Whether the other side is there, or comes, is not waited for.  Cancelling
    leaves nothing behind.

    @return: fires with the connection, as soon as it is made.
    @raise punch.errors.RendezvousError: it can't be reached, or the ticket is none.
    """
    connecting = Deferred.fromCoroutine(_connect(endpoint, ticket))
    return connecting.addTimeout(ANSWER_TIMEOUT, clock).addErrback(explain)

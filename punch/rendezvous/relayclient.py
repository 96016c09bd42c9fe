"""
The client of the relay: a connection that leads to the peer through the relay.
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
from punch.rendezvous.client import ANSWER_TIMEOUT, translateErrors, translateFailure
from punch.rendezvous.relaypreamble import STATUSES, encodePreamble
from punch.util.deferreds import SharedResult


class RelayedConnection(Connection):
    """
    A connection to the relay, over which our ticket was sent.

    L{connectRelay} makes it.  Whatever protocol it is handed over to gets the peer's
    bytes, and may write at once: the relay holds what it writes until the peer is
    there.  If the relay refuses, or closes the connection before that, the protocol is
    told one of L{punch.rendezvous.relayerrors}, or L{RendezvousLost}.

    @ivar failure: that error too, for protocols that report another one; L{None} while
        there is none.
    """

    failure: Failure | None = None

    def __init__(self, preamble: bytes) -> None:
        """
        @param preamble: what we send first.
        """
        Connection.__init__(self, Origin.CONNECTED)
        self._preamble = preamble
        self._established: SharedResult[RelayedConnection] = SharedResult()
        self._isSpliced = False

    def whenEstablished(self) -> Deferred[RelayedConnection]:
        """
        Fires when the connection to the relay is made, TLS to it included.
        """
        return self._established.wait()

    def connectionMade(self) -> None:
        if ISSLTransport.providedBy(self.transport):
            # Reading may not be paused yet: the handshake needs its bytes.  (Endpoints
            # pass one interface of ours to the transport at most, so this one is
            # declared here.)
            alsoProvides(self, IHandshakeListener)
            tls = cast(TLSMemoryBIOProtocol, self.transport)
            setTCPOptions(cast(IStreamTransport, tls.transport))
            self.transport.write(self._preamble)
        else:
            setTCPOptions(self.transport)
            self.transport.write(self._preamble)
            self._establish()

    def handshakeCompleted(self) -> None:
        """
        The TLS handshake with the relay is complete.
        """
        self._establish()

    def _establish(self) -> None:
        self.transport.pauseProducing()
        self._established.succeed(self)

    def _bypass(self, taker: IProtocol) -> None:
        # Not before the relay has answered.
        self.dataReceived = self._statusReceived  # type: ignore[method-assign]

    def _statusReceived(self, data: bytes) -> None:
        """
        The relay's status arrived, and perhaps the peer's first bytes.
        """
        refusal = STATUSES.decode(data[0])
        if refusal is not None:
            self.failure = Failure(refusal())
            self.abort()
            return
        self._isSpliced = True
        taker = cast(IProtocol, self._protocol)
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
            self.failure = _earlyLoss(reason)
        if not self._established.settled:
            self._established.fail(translateFailure(reason))
        Connection.connectionLost(self, self.failure or reason)


def _earlyLoss(reason: Failure) -> Failure:
    """
    Why a connection to the relay ended before the peer was there.
    """
    if reason.check(ConnectionAborted):
        return reason
    translated = translateFailure(reason)
    if translated.check(RendezvousLost):
        return Failure(RendezvousLost("before the other side was there"))
    return translated


async def _connect(endpoint: IStreamClientEndpoint, ticket: bytes) -> RelayedConnection:
    preamble = encodePreamble(ticket)
    factory = Factory.forProtocol(lambda: RelayedConnection(preamble))
    factory.noisy = False
    relayed: RelayedConnection = await translateErrors(endpoint.connect(factory))
    try:
        await relayed.whenEstablished()
    except BaseException:
        relayed.abort()
        raise
    return relayed


def connectRelay(
    clock: IReactorTime, endpoint: IStreamClientEndpoint, ticket: bytes
) -> Deferred[RelayedConnection]:
    """
    Connect to the relay and send our ticket, without waiting for the peer.  Cancelling
    it closes what there is.

    @param endpoint: where the rendezvous is, which is the relay.
    @return: fires with the connection, as soon as it is made.
    @raise punch.errors.RendezvousError: the relay can't be reached, or the ticket is
        malformed.
    """
    connecting = Deferred.fromCoroutine(_connect(endpoint, ticket))
    return connecting.addTimeout(ANSWER_TIMEOUT, clock).addErrback(translateFailure)

"""
The service that forwards: a peer's service together with its local ports.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from punch.errors import PunchError
from punch.events import Forwarding, Tell
from punch.forwarding.errors import CannotListen
from punch.forwarding.expose import parseExposed
from punch.forwarding.forward import Forward, StreamOpener, addressText, parseForwards
from punch.forwarding.localconnection import LocalConnections
from punch.service import CLOSE_TIMEOUT, PunchService, reportedError
from punch.streams.pool import MultiplexerPool
from punch.util.deferreds import SharedResult


class LocalSide:
    """
    Holds what one process exposes and forwards, and the local connections for it.

    The command makes one from its options and hands it to L{ForwardingService}.

    @ivar pool: the factory of what runs on each link.
    @ivar connections: the local connections that are open.
    @ivar opener: opens streams for the connections to forwards.
    @ivar forwards: the forwards, whose ports the service opens.
    """

    def __init__(
        self, reactor: Any, expose: Sequence[str], forward: Sequence[str]
    ) -> None:
        """
        @param expose: the values of C{--expose}.
        @param forward: the values of C{--forward}.
        @raise punch.errors.BadOption: one of them is wrong; the text says how.
        """
        self.connections = LocalConnections(reactor)
        self.pool = MultiplexerPool(
            reactor, parseExposed(reactor, expose, self.connections)
        )
        self.opener = StreamOpener(reactor, self.pool)
        self.forwards = parseForwards(reactor, forward, self.connections, self.opener)


class ForwardingService(Service):
    """
    Opens the ports of the forwards, and then runs the service of the peer.  When it
    stops it lets the local connections end cleanly, if they do so soon.

    The command makes one, and the application that it is part of starts and stops it.
    """

    def __init__(
        self, clock: IReactorTime, peer: PunchService, local: LocalSide, tell: Tell
    ) -> None:
        """
        @param peer: makes the links; its factory is the pool of C{local}.
        @param local: what is exposed and forwarded.
        @param tell: is called with an event for each port that is open.
        """
        self._clock = clock
        self._peer = peer
        self._local = local
        self._tell = tell
        self._ports: list[Any] = []
        self._starting: Deferred[None] | None = None
        self._done: SharedResult[PunchError | None] = SharedResult()
        peer.whenDone().addCallback(self._done.succeed)

    def whenDone(self) -> Deferred[PunchError | None]:
        """
        Fires as L{PunchService.whenDone} of the peer does, or with the reason why a
        port cannot be opened.
        """
        return self._done.wait()

    def startService(self) -> None:
        Service.startService(self)
        self._starting = Deferred.fromCoroutine(self._start())
        self._starting.addErrback(self._notStarted)

    async def _start(self) -> None:
        for forward in self._local.forwards:
            await self._open(forward)
        self._peer.startService()

    async def _open(self, forward: Forward) -> None:
        try:
            port: Any = await forward.endpoint.listen(forward)
        except CancelledError:
            raise
        except Exception as why:
            # Which errors there are depends on the kind of endpoint.
            cause = str(why) or type(why).__name__
            raise CannotListen(f"--forward {forward.text}: {cause}") from why
        self._ports.append(port)
        self._tell(Forwarding(forward.service, addressText(port.getHost())))

    def _notStarted(self, failure: Failure) -> None:
        error = reportedError(failure)
        if error is not None:
            self._done.succeed(error)

    def stopService(self) -> Deferred[None]:
        """
        Close the ports, stop the peer, and wait for the local connections to end.
        After L{CLOSE_TIMEOUT} seconds those that are left are aborted.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        Service.stopService(self)
        if self._starting is not None:
            self._starting.cancel()
            await self._starting
        ports, self._ports = self._ports, []
        for port in ports:
            if IListeningPort.providedBy(port):
                await maybeDeferred(port.stopListening)
        self._local.opener.close()
        if self._peer.running:
            await self._peer.stopService()
        await self._local.connections.whenClosed(CLOSE_TIMEOUT)
        # The reactor closes in its next turn what was aborted.
        await deferLater(self._clock, 0, lambda: None)

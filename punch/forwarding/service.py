"""
The forwarding: a peer's service together with the local ends of its streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch.errors import Bug, PunchError
from punch.events import Forwarding as Opened
from punch.events import Tell
from punch.forwarding.errors import CannotListen
from punch.forwarding.expose import exposed
from punch.forwarding.forward import Forward, Switchboard, addressText, forwards
from punch.forwarding.localconnection import Locals
from punch.service import GOODBYE, PunchService
from punch.streams.pool import MultiplexerPool
from punch.util.deferreds import SharedResult


class Ends:
    """
    The local ends of streams: what is exposed, what is forwarded, and their
    connections.

    C{streaming}: builds what runs on the links.
    """

    def __init__(
        self, reactor: Any, expose: Sequence[str], forward: Sequence[str]
    ) -> None:
        """
        @param expose: the values of C{--expose}.
        @param forward: the values of C{--forward}.
        @raise punch.errors.BadOption: one of them does not do.
        """
        self.locals = Locals(reactor)
        self.streaming = MultiplexerPool(reactor, exposed(reactor, expose, self.locals))
        self.switchboard = Switchboard(reactor, self.streaming)
        self.forwards = forwards(reactor, forward, self.locals, self.switchboard)


class Forwarding(Service):
    """
    Opens the forwards' ports, and then runs the peer; in the end, lets the local
    connections come to theirs.
    """

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, peer: PunchService, ends: Ends, tell: Tell
    ) -> None:
        """
        @param peer: has the streams on its links.
        """
        self._clock = clock
        self._peer = peer
        self._ends = ends
        self._tell = tell
        self._ports: list[Any] = []
        self._starting: Deferred[None] | None = None
        self._done: SharedResult[PunchError | None] = SharedResult()
        peer.whenDone().addCallback(self._done.succeed)

    def whenDone(self) -> Deferred[PunchError | None]:
        """
        As the peer's (L{PunchService.whenDone}); or with why a port can't be opened.
        """
        return self._done.wait()

    def startService(self) -> None:
        Service.startService(self)
        self._starting = Deferred.fromCoroutine(self._start())
        self._starting.addErrback(self._notStarted)

    async def _start(self) -> None:
        for forward in self._ends.forwards:
            await self._open(forward)
        self._peer.startService()

    async def _open(self, forward: Forward) -> None:
        try:
            port: Any = await forward.endpoint.listen(forward)
        except CancelledError:
            raise
        except Exception as why:
            # What can go wrong depends on the kind of endpoint.
            cause = str(why) or type(why).__name__
            raise CannotListen(f"--forward {forward.text}: {cause}") from why
        self._ports.append(port)
        self._tell(Opened(forward.service, addressText(port.getHost())))

    def _notStarted(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, PunchError):
            self._done.succeed(error)
        elif not isinstance(error, CancelledError):
            self._log.failure("A mistake of ours.", failure)
            self._done.succeed(Bug())

    def stopService(self) -> Deferred[None]:
        """
        End all: cleanly what comes to its end soon.
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
        self._ends.switchboard.close()
        if self._peer.running:
            await self._peer.stopService()
        await self._ends.locals.end(GOODBYE)
        # What was aborted is so in the reactor's next turn.
        await deferLater(self._clock, 0, lambda: None)

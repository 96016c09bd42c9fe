"""
The observers: STUN servers that tell which address they see our shared port at.

What they tell is known beside what the rendezvous tells, and later or never is no
harm: nothing waits for it.  Each connection stays as long as the shared port is open.
It may be the only one of ours that leads through the NAT, whose memory of our port
goes with the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    fail,
    gatherResults,
    succeed,
)
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import Binding, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch.events import Observed, Tell
from punch.nat.errors import STUNError, STUNTaken
from punch.nat.stunclient import CONNECT_TIMEOUT, STUNClient, connectSTUN
from punch.net.address import Address, HostPort, formatAddress, tcpAddress
from punch.util.timers import InterruptibleSleep

_log = Logger(namespace="punch")

KEEPALIVE = 30.0
"""
Seconds from one question to the next: less than servers and NATs wait.
"""

_PAUSES = (1.0, 300.0)
"""
Seconds from one connection to the next, at first and at most.  Where the last one was
answered, L{KEEPALIVE} at most: some servers hang up after each answer (coturn, three
seconds after it).
"""


class MonitoredServer:
    """
    One STUN server, asked from one shared port until it is ended.

    C{address}: where it sees us; C{None} if it did not tell.  C{serverAddress}: its
    own.
    """

    def __init__(
        self,
        reactor: Any,
        server: HostPort,
        binding: Binding,
        changed: Callable[[HostPort, Address], None],
    ) -> None:
        """
        @param reactor: see L{punch.peer.peer.Peer}.
        @param changed: is told of each address that was not there before.
        """
        self.address: Address | None = None
        self.serverAddress: Address | None = None
        self._clock = IReactorTime(reactor)
        self._endpoint = HostnameEndpoint(
            reactor, server.host, server.port, CONNECT_TIMEOUT, binding
        )
        self._server = server
        self._changed = changed
        self._sleeper = InterruptibleSleep(self._clock)
        self._client: STUNClient | None = None
        self._isOver = False
        self._told: type[STUNError] | None = None
        self._pause, self._longest = _PAUSES
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._stopped)

    async def _run(self) -> None:
        while True:
            try:
                client = await self._reach()
                await self._keep(client)
            except STUNError as why:
                self._tell(why)
            await self._sleeper.sleep(self._pause)
            self._pause = min(2 * self._pause, self._longest)

    async def _reach(self) -> STUNClient:
        """
        Connect, and be told.
        """
        self._longest = _PAUSES[1]
        try:
            client = self._client = await connectSTUN(self._clock, self._endpoint)
            there: Any = client.transport.getPeer()
            self.serverAddress = tcpAddress(there.host, there.port)
            self._saw(await client.ask())
            self._longest = KEEPALIVE
        except STUNError:
            self.address = None
            self._leave()
            raise
        return client

    async def _keep(self, client: STUNClient) -> None:
        """
        Ask now and then, until it breaks off.
        """
        lost = client.lost.wait()
        lost.addCallbacks(lambda _: self._sleeper.wake(), lambda _: None)
        try:
            while not client.lost.settled:
                await self._sleeper.sleep(KEEPALIVE)
                if not client.lost.settled:
                    self._saw(await client.ask())
                    self._pause, _ = _PAUSES
        finally:
            lost.cancel()
            self._leave()

    def _saw(self, address: Address) -> None:
        self._told = None
        if address != self.address:
            self.address = address
            self._changed(self._server, address)
        if self._isOver:
            # Who heard of it has ended us, and could not stop what is running.
            raise CancelledError()

    def _tell(self, why: STUNError) -> None:
        """
        Each reason once, or there would be a line each minute.
        """
        say = _log.debug if type(why) is self._told else _log.info
        say("STUN server {server}: {why}", server=self._server, why=why)
        self._told = type(why)

    def _leave(self) -> None:
        if self._client is not None and not self._client.lost.settled:
            self._client.abort()

    def _stopped(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            _log.failure("A mistake of ours.", failure)

    def askNow(self) -> None:
        """
        The network may be another: ask now.
        """
        self._pause, _ = _PAUSES
        self._sleeper.wake()

    def stop(self) -> Deferred[Any]:
        """
        Ask no more.

        @return: fires when the connection has ended.
        """
        self._isOver = True
        self._running.cancel()
        self._leave()
        return succeed(None) if self._client is None else self._client.lost.wait()


class STUNMonitor:
    """
    All the STUN servers that one peer asks.
    """

    def __init__(self, reactor: Any, servers: Sequence[HostPort], tell: Tell) -> None:
        self._reactor = reactor
        self._servers = servers
        self._tell = tell
        self._binding: Binding | None = None
        self._asked: list[MonitoredServer] = []
        self._awaited: list[tuple[Address, Deferred[Address]]] = []

    @property
    def addresses(self) -> list[Address]:
        """
        Where they see us, as far as they have told.
        """
        return list(dict.fromkeys(seen for _, seen in self.observations()))

    def observations(self) -> list[tuple[Address, Address]]:
        """
        The same: where each is, and where it sees us.
        """
        return [
            (each.serverAddress, each.address)
            for each in self._asked
            if each.serverAddress is not None and each.address is not None
        ]

    def mappedAddress(self, serverAddress: Address) -> Deferred[Address]:
        """
        Where the one that is at C{serverAddress} sees us.

        @return: fires when it has told; not before it is cancelled, if none is there.
        @raise STUNTaken: nobody is asked.
        """
        if not self._asked:
            return fail(STUNTaken())
        awaited: Deferred[Address] = Deferred()
        self._awaited.append((serverAddress, awaited))
        self._tellAwaited()
        return awaited

    def _tellAwaited(self) -> None:
        seen = dict(self.observations())
        waiting, self._awaited = self._awaited, []
        for serverAddress, awaited in waiting:
            if awaited.called:
                continue
            if serverAddress in seen:
                awaited.callback(seen[serverAddress])
            else:
                self._awaited.append((serverAddress, awaited))

    def start(self, binding: Binding) -> None:
        """
        Ask from this shared port; if it is asked from already, see at once whether
        the answers are still right.
        """
        if binding == self._binding:
            self.askNow()
            return
        self.stop()
        self._binding = binding
        self._asked = [
            MonitoredServer(self._reactor, server, binding, self._changed)
            for server in self._servers
        ]

    def _changed(self, server: HostPort, address: Address) -> None:
        self._tell(Observed(formatAddress(address), str(server)))
        self._tellAwaited()

    def askNow(self) -> None:
        """
        The network may be another.
        """
        for each in self._asked:
            each.askNow()

    def stop(self) -> Deferred[Any]:
        """
        Ask no more.

        @return: fires when no connection is left.
        """
        self._binding = None
        asked, self._asked = self._asked, []
        return gatherResults([each.stop() for each in asked])

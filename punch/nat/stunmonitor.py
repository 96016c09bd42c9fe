"""
The STUN monitor: keeps asking STUN servers which address they see our shared port at.

Their answers add to what the rendezvous tells, and nothing waits for them.  Each
connection stays open as long as the shared port does: it may be the only one through
our NAT, which forgets the mapping of our port with the last connection.
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
Seconds from one request to the next: fewer than the idle timeouts of servers and NATs.
"""

_PAUSES = (1.0, 300.0)
"""
Seconds from one connection to the next, at first and at most.  If the last one was
answered, L{KEEPALIVE} is the most: some servers hang up after each answer (coturn,
three seconds after it).
"""


class MonitoredServer:
    """
    Asks one STUN server from one shared port, again and again, until it is stopped.

    A L{STUNMonitor} makes and owns it.

    @ivar address: the address at which the server sees us; C{None} if it did not tell.
    @ivar serverAddress: the server's own address; C{None} until we are connected.
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
        @param changed: called with the server and its answer when that is a new one.
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
        Connect, and ask for the first time.
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
        Ask every L{KEEPALIVE} seconds, until the connection ends.
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
            # C{changed} has stopped us, while our coroutine ran.
            raise CancelledError()

    def _tell(self, why: STUNError) -> None:
        """
        Log each kind of failure once, or there would be a line each minute.
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
        Ask now, since the network may have changed.
        """
        self._pause, _ = _PAUSES
        self._sleeper.wake()

    def stop(self) -> Deferred[Any]:
        """
        Ask no more.

        @return: fires when the connection is closed.
        """
        self._isOver = True
        self._running.cancel()
        self._leave()
        return succeed(None) if self._client is None else self._client.lost.wait()


class STUNMonitor:
    """
    Asks all the STUN servers of one peer, from its shared port.

    L{punch.nat.reflexive.ReflexiveAddresses} makes it, starts it for each shared port,
    and stops it.
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
        The addresses at which the servers see us, as far as they have answered.
        """
        return list(dict.fromkeys(seen for _, seen in self.observations()))

    def observations(self) -> list[tuple[Address, Address]]:
        """
        Pairs of a server's address and the address at which it sees us.
        """
        return [
            (each.serverAddress, each.address)
            for each in self._asked
            if each.serverAddress is not None and each.address is not None
        ]

    def mappedAddress(self, serverAddress: Address) -> Deferred[Address]:
        """
        The address at which one server sees us.

        @return: fires when the server at C{serverAddress} has answered.  If none of the
            servers is there it fires only by being cancelled.
        @raise STUNTaken: the monitor asks no servers.
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
        Ask from this shared port.  If that is being done already, ask again now.
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
        Ask all servers now, since the network may have changed.
        """
        for each in self._asked:
            each.askNow()

    def stop(self) -> Deferred[Any]:
        """
        Ask no more.

        @return: fires when all connections are closed.
        """
        self._binding = None
        asked, self._asked = self._asked, []
        return gatherResults([each.stop() for each in asked])

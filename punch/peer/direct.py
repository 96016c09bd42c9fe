"""
The direct meeting: two peers that were told each other's address, without a rendezvous.

Neither is the dialer by its nature.  Over TLS the one with the lower pin is.  In plain
text the first connection is the link; between two shared ports there can be only one,
since both directions have the same four-tuple.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, fail, succeed
from twisted.internet.interfaces import IReactorPluggableNameResolver

from punch.errors import NotAttached, PeerNotFound
from punch.ice.candidate import Candidate, Kind
from punch.ice.checklist import Checklist
from punch.ice.gate import Gate
from punch.ice.race import Race, Verify
from punch.ice.selected import SelectedPath
from punch.link.path import Path
from punch.link.plaintext import PlainLink
from punch.link.transport import Link
from punch.net.address import Address, HostPort, ipOf
from punch.net.connection import Connection
from punch.net.resolver import resolve
from punch.peer.introduction import tracedVerify
from punch.peer.peer import Peer
from punch.role import Role
from punch.traceevents import AttachConfirmed, Tracer, noTracer

P = TypeVar("P")


class Direct:
    """
    Meets one peer at a known address, over TLS or in plain text.

    C{twist punch --peer} makes one for each link.  It is over when L{secured} or
    L{plain} has answered.
    """

    def __init__(
        self, reactor: IReactorPluggableNameResolver, peer: Peer, where: HostPort
    ) -> None:
        self._reactor = reactor
        self._peer = peer
        self._where = where
        self._attaching = DeferredLock()
        self._race: Race[Any] | None = None
        self._tracer: Tracer = noTracer
        self._gate = Gate(peer.clock, lambda: [self._race] if self._race else [])

    async def secured(self, pin: bytes) -> Link:
        """
        Meet the peer whose pin is C{pin}, over TLS.

        @raise punch.errors.PunchError: why there is no link.
        """
        authenticator = self._peer.authenticator
        role = Role.DIALER if authenticator.pin < pin else Role.LISTENER

        async def agree(connection: Connection) -> Path:
            path = await tracedVerify(
                authenticator, connection, role, lambda: succeed(pin), self._tracer
            )
            if role is Role.DIALER:
                await self._attach(path)
            return path

        def secure(connection: Connection) -> Deferred[Path]:
            return Deferred.fromCoroutine(agree(connection))

        started = self._peer.clock.seconds()
        self._tracer = self._peer.settings.trace(role.value, False)
        selected = await self._run(secure, everyAddress=True)
        link = self._peer.link(selected, role, started)
        await self._peer.closeBelow(link)
        return link

    async def _attach(self, path: Path) -> None:
        """
        Attach a path, one at a time, and wait until the other side confirms it: if it
        does not trust our pin, it has no other way to say so.
        """
        try:
            await self._attaching.run(self._attachNow, path)
        except BaseException:
            path.abort()
            raise

    def _attachNow(self, path: Path) -> Deferred[Path]:
        path.startLink(Role.DIALER)
        return path.whenAttached()

    async def plain(self) -> PlainLink:
        """
        Meet whoever is at the peer's address, in plain text.

        @raise punch.errors.PunchError: why there is no link.
        """

        def familiar(connection: Connection) -> Deferred[Connection]:
            assert self._race is not None
            if self._race.checklist.knowsHost(connection.remote.host):
                return succeed(connection)
            connection.abort()
            return fail(NotAttached())

        started = self._peer.clock.seconds()
        self._tracer = self._peer.settings.trace("peer", False)
        selected = await self._run(familiar, everyAddress=False)
        link = self._peer.plainLink(selected, started)
        await self._peer.closeBelow(link)
        return link

    async def _run(self, verify: Verify[P], everyAddress: bool) -> SelectedPath[P]:
        found = await self._addresses()

        async def meet() -> SelectedPath[P]:
            return await self._meet(verify, found if everyAddress else found[:1])

        return await self._peer.meet(self._gate.admit, meet)

    async def _meet(
        self, verify: Verify[P], addresses: list[Address]
    ) -> SelectedPath[P]:
        """
        Race.  Nothing is waited for before the race exists: from the moment that we
        listen, a connection that comes in has a race to enter.
        """
        peer, clock = self._peer, self._peer.clock
        race: Race[P] = Race(
            clock,
            Checklist(peer.settings.random),
            peer.shared.connect,
            verify,
            peer.tell,
            tracer=self._tracer,
        )
        self._race = race
        timer = clock.callLater(peer.settings.timeout, race.timeOut)
        try:
            for address in addresses:
                race.add(Candidate(Kind.HOST, address))
            selected = await race.selected
            # Here the other side has confirmed the path before it counts.
            self._tracer(AttachConfirmed())
            return selected
        finally:
            if timer.active():
                timer.cancel()

    async def _addresses(self) -> list[Address]:
        """
        The peer's addresses, IPv4 first: both sides must come to one choice.
        """
        found = await resolve(self._reactor, self._where.host, self._where.port)
        if not found:
            raise PeerNotFound(self._where.host)
        return sorted(found, key=lambda address: ipOf(address).version)

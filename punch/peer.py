"""
The peer: one of the two programs, and what it owns while it meets others: an
identity, the shared port, a way to the rendezvous.

This is where the parts are put together; what to do with them is the dialer's
business, or the listener's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import (
    Binding,
    IReactorTCP,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.task import deferLater
from twisted.internet.tcp import makeBinding

from punch.address import Address, BadAddress, formatAddress, ipOf, tcpAddress
from punch.arrival import shield
from punch.candidate import Candidate, Kind, usable
from punch.connection import Connection
from punch.details import Details
from punch.errors import LinkError, PortHeld, PunchError
from punch.events import Closed, Connected, Listening, Tell, tellNobody
from punch.hosts import HostAddresses, hostAddresses
from punch.identity import Identity
from punch.introduction import Means
from punch.link import Link
from punch.networkchange import networkWatch
from punch.path import Path
from punch.plain import PlainLink
from punch.policy import RelayPolicy
from punch.race import Win
from punch.reasons import Reason
from punch.relayed import connectRelay
from punch.rendezvous.client import Guest, RendezvousClient, connect
from punch.role import Role
from punch.sharedport import Probe, SharedPort, probePort
from punch.steps import Draw, drawNothing
from punch.tls import Security

P = TypeVar("P")

Rendezvous = Callable[[Binding | None], IStreamClientEndpoint]
"""
Gives an endpoint that connects to the rendezvous from the shared port, or from any.
"""


RESUME_FOR = 600.0
"""
Seconds for which a link that has no path waits for another, if nothing else is said.
"""

_HELD_PAUSES = (0.1, 0.2, 0.4, 0.8)


@dataclass(frozen=True)
class Settings:
    """
    What a peer may be told.

    C{port}: the shared port's number, 0 for any.  C{interface}: the one local IP
    address to use, all if empty.  C{timeout}: seconds from an introduction to
    giving up.  C{resumeFor}: seconds for which a link may be without a path; with 0
    it ends when its path does.  C{relay}: what the relay may be used for.
    C{tell}: hears of events.  C{draw}: draws meetings.  C{hostAddresses}, C{probe}:
    what is to be known of this host's addresses and ports.
    """

    port: int = 0
    interface: str = ""
    timeout: float = 30.0
    resumeFor: float = RESUME_FOR
    relay: RelayPolicy = RelayPolicy.FALLBACK
    tell: Tell = tellNobody
    draw: Draw = drawNothing
    hostAddresses: HostAddresses = hostAddresses
    probe: Probe = probePort
    random: Random = field(default_factory=SystemRandom)


class Abortable(Protocol):
    """
    What becomes of a path that won.
    """

    def abortConnection(self) -> None:
        """
        It is not wanted after all.
        """


L = TypeVar("L", bound=Abortable)


class Peer:
    """
    One peer at work.
    """

    def __init__(
        self,
        reactor: IReactorTCP,
        settings: Settings,
        identity: Identity | None = None,
    ) -> None:
        """
        @param reactor: provides L{IReactorTCP} and L{IReactorTime}.
        @param identity: a lasting one; by default a new one is made.
        """
        self._reactor = reactor
        self.clock = IReactorTime(reactor)
        self.settings = settings
        self.tell = settings.tell
        self.security = Security(self.clock, identity or Identity.make())
        self._shared: SharedPort | None = None
        self._client: RendezvousClient | None = None

    def watchNetwork(self, changed: Callable[[], None]) -> Callable[[], None]:
        """
        Hear of it when this host's network has changed.

        @return: what ends that.
        """
        watch = networkWatch(self.clock, self.settings.hostAddresses)
        return watch.watch(changed)

    def addresses(self) -> frozenset[str]:
        """
        The IP addresses that this host has now.
        """
        return frozenset(self.settings.hostAddresses())

    def twin(self) -> Peer:
        """
        The same peer, with a shared port of its own.
        """
        twin = copy(self)
        twin._shared = twin._client = None
        return twin

    def means(self, rendezvous: Rendezvous, policy: RelayPolicy | None = None) -> Means:
        """
        What an introduction works with.

        @param policy: C{None}: that of the settings.
        """
        return Means(
            clock=self.clock,
            security=self.security,
            connect=self.shared.connect,
            random=self.settings.random,
            tell=self.tell,
            timeout=self.settings.timeout,
            policy=policy or self.settings.relay,
            relay=lambda ticket: connectRelay(
                self.clock, rendezvous(self._anyPort()), ticket
            ),
        )

    def _anyPort(self) -> Binding | None:
        interface = self.settings.interface
        return makeBinding(interface, 0) if interface else None

    @property
    def shared(self) -> SharedPort:
        """
        The shared port, once it is open.
        """
        assert self._shared is not None
        return self._shared

    async def open(self, accepted: Callable[[Connection], None], port: int) -> None:
        """
        Open the shared port; another one that was open is closed after that.

        @param port: its number, 0 for any.
        @raise punch.errors.PortInUse: another program has it.
        """
        shared = SharedPort(
            self._reactor, accepted, self.settings.interface, self.settings.probe
        )
        try:
            shared.open(port)
        except PunchError:
            shared.close()
            raise
        before, self._shared = self._shared, shared
        if before is not None:
            await before.close()
        self.tell(Listening(shared.port))

    def close(self) -> Deferred[Any]:
        """
        Leave the rendezvous and close the shared port.  To cancel is to wait no
        longer.
        """
        closed = [self.shared.close()]
        if self._client is not None:
            closed.append(self._client.disconnect())
        return shield(gatherResults(closed))

    async def connect(self, rendezvous: Rendezvous, guest: Guest) -> RendezvousClient:
        """
        Connect to the rendezvous from the shared port.

        @raise punch.errors.RendezvousError: it can't be reached.
        """
        for pause in _HELD_PAUSES:
            try:
                return await self._connect(rendezvous, guest)
            except PortHeld:
                # An earlier connection from our port may be just ending.
                await deferLater(self.clock, pause, lambda: None)
        return await self._connect(rendezvous, guest)

    async def _connect(self, rendezvous: Rendezvous, guest: Guest) -> RendezvousClient:
        endpoint = rendezvous(self.shared.binding)
        self._client = await connect(self.clock, endpoint, guest)
        return self._client

    def details(self, observed: Address, again: str = "") -> Details:
        """
        What we tell the other side: our pin, and the addresses of our interfaces.

        @param observed: our own address as the rendezvous sees it.
        @param again: see L{Details}.
        """
        ips = [self.settings.interface] if self.settings.interface else None
        offered = []
        for ip in ips or self.settings.hostAddresses():
            try:
                address = tcpAddress(ip, self.shared.port)
            except BadAddress:
                continue
            offered.append(Candidate(Kind.HOST, address))
        candidates = usable(offered, overLoopback=ipOf(observed).is_loopback)
        return Details(self.security.pin, tuple(candidates), again=again)

    async def meet(
        self,
        accepted: Callable[[Connection], None],
        race: Callable[[], Awaitable[Win[P]]],
        ride: Callable[[Win[P]], L],
    ) -> L:
        """
        One meeting: the shared port is open while C{race} goes on, and C{ride}
        makes a link of what won.  Cancelling leaves nothing behind.

        If that is relayed, a direct path may yet come: the shared port stays open,
        and to close it is the caller's business.
        """
        await self.open(accepted, self.settings.port)
        try:
            win = await race()
        except Exception:
            await self.close()
            raise
        if win.isRelayed:
            return ride(win)
        closed = self.close()
        link = ride(win)
        try:
            await closed
        except BaseException:
            link.abortConnection()
            raise
        return link

    def link(self, win: Win[Path], role: Role, started: float) -> Link:
        """
        Let a link ride on the path that won.

        @param started: when the wait for it began, on our clock.
        """
        elapsed = self.clock.seconds() - started
        self.tell(connectedBy(win, elapsed))
        link = Link(
            self.clock,
            role,
            self.security.pin,
            win,
            self.settings.resumeFor,
            self.tell,
        )
        link.whenEnded().addCallback(self._tellClosed, link)
        return link

    def plainLink(self, win: Win[Connection], started: float) -> PlainLink:
        """
        The connection that won, as it is.
        """
        link = PlainLink(win.path)
        self.tell(connectedBy(win, self.clock.seconds() - started))
        link.whenEnded().addCallback(self._tellClosed, link)
        return link

    def _tellClosed(self, error: LinkError | None, link: Link | PlainLink) -> None:
        reason = Reason.DONE if error is None else error.reason
        self.tell(Closed(reason.value, link.sent, link.received))


def connectedBy(win: Win[P], elapsed: float) -> Connected:
    """
    The event of a win.
    """
    return Connected(
        path=win.way,
        kind=win.kind.value,
        how=win.how.value,
        local=formatAddress(win.local),
        remote=formatAddress(win.remote),
        elapsed=round(elapsed, 6),
        why=win.why,
    )

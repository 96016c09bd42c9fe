"""
The peer: one of the two programs, and what it owns while it meets the other.

That is an identity, the shared port, the connection to the rendezvous, and what is
known of our own addresses.  The dialer, the listener and the direct meeting work with
it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from copy import copy
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import (
    Binding,
    IReactorTCP,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.task import deferLater
from twisted.internet.tcp import makeBinding

from punch.errors import LinkError, PortHeld, PunchError
from punch.events import Closed, Listening, Observed
from punch.ice.gathering import gatherCandidates
from punch.ice.selected import SelectedPath
from punch.link.path import Path
from punch.link.plaintext import PlainLink
from punch.link.transport import Link
from punch.nat.portsearch import SocketBudget
from punch.nat.reflexive import ReflexiveAddresses
from punch.net.address import Address, formatAddress
from punch.net.connection import Connection
from punch.net.identity import Identity
from punch.net.networkwatch import networkWatch
from punch.net.resolver import prefixTowards
from punch.net.sharedport import SharedPort
from punch.net.tls import PeerAuthenticator
from punch.peer.hedgedport import connectHedged
from punch.peer.introduction import IntroductionContext
from punch.peer.porttraversal import TraversalContext
from punch.peer.relaypolicy import RelayPolicy
from punch.peer.settings import Settings
from punch.reasons import Reason
from punch.rendezvous.client import CommandReceiver, RendezvousClient, connect
from punch.rendezvous.relayclient import connectRelay
from punch.role import Role
from punch.signaling.messages import Details
from punch.traceevents import Tracer
from punch.util.deferreds import SharedResult

P = TypeVar("P")

Rendezvous = Callable[[Binding | None], IStreamClientEndpoint]
"""
Gives an endpoint that connects to the rendezvous from the shared port, or from any.
"""


_HELD_PAUSES = (0.1, 0.2, 0.4, 0.8)
"""
Seconds before each further connect to the rendezvous, while the system still holds the
shared port for an earlier connection to it.
"""


class Peer:
    """
    Owns the shared port and the identity, and opens the connections that start there.

    A program makes one for each dialer or listener.  L{open} and L{close} may alternate
    any number of times: it holds sockets only in between.
    """

    def __init__(
        self,
        reactor: IReactorTCP,
        settings: Settings,
        identity: Identity | None = None,
    ) -> None:
        """
        @param reactor: provides L{IReactorTCP} and L{IReactorTime}.
        @param settings: as the user chose them.
        @param identity: a lasting identity; by default a new one is made.
        """
        self._reactor = reactor
        self.clock = IReactorTime(reactor)
        self.settings = settings
        self.tell = settings.tell
        self.authenticator = PeerAuthenticator(self.clock, identity or Identity.make())
        self._shared: SharedPort | None = None
        self._accepted: Callable[[Connection], None]
        self._sockets = SocketBudget(settings.search)
        self._client: RendezvousClient | None = None
        self._closing: SharedResult[Any] | None = None
        self._reflexive = self._newReflexive()

    def _newReflexive(self) -> ReflexiveAddresses:
        # Where only relayed paths will do, nobody needs our reflexive addresses.
        asked = self.settings.stunServers if self.settings.relay.mayMeet else ()
        return ReflexiveAddresses(self._reactor, asked, self.tell, lambda: self.shared)

    def watchNetwork(self, changed: Callable[[], None]) -> Callable[[], None]:
        """
        Call C{changed} whenever this host's network has changed.

        @return: call it to hear no more.
        """
        watch = networkWatch(self.clock, self.settings.hostAddresses)
        return watch.watch(changed)

    def addresses(self) -> frozenset[str]:
        """
        The IP addresses that this host has now.
        """
        return frozenset(self.settings.hostAddresses())

    def withOwnPort(self) -> Peer:
        """
        Make a peer with our identity and settings, and a shared port of its own.
        """
        other = copy(self)
        other._shared = other._client = other._closing = None
        other._reflexive = other._newReflexive()
        return other

    def context(
        self,
        rendezvous: Rendezvous,
        tracer: Tracer,
        policy: RelayPolicy | None = None,
    ) -> IntroductionContext:
        """
        Make what an introduction works with.

        @param tracer: is called with each trace event.
        @param policy: what the relay may be used for; C{None}: as the settings say.
        """
        return IntroductionContext(
            clock=self.clock,
            authenticator=self.authenticator,
            connect=self.shared.connect,
            random=self.settings.random,
            tell=self.tell,
            timeout=self.settings.timeout,
            policy=policy or self.settings.relay,
            relay=lambda ticket: connectRelay(
                self.clock, rendezvous(self._anyPort()), ticket
            ),
            traversal=TraversalContext(
                clock=self.clock,
                random=self.settings.random,
                discovery=self._reflexive.discovery,
                sockets=self._sockets,
                connect=self.shared.connect,
                connectFromOther=self.shared.connectFromOther,
                maySearch=self.settings.search > 0,
            ),
            tracer=tracer,
        )

    def _ips(self) -> Iterable[str]:
        if self.settings.interface:
            return [self.settings.interface]
        return self.settings.hostAddresses()

    def _anyPort(self) -> Binding | None:
        interface = self.settings.interface
        return makeBinding(interface, 0) if interface else None

    @property
    def shared(self) -> SharedPort:
        """
        The shared port; it must be open.
        """
        assert self._shared is not None
        return self._shared

    async def open(self, accepted: Callable[[Connection], None], port: int) -> None:
        """
        Open the shared port, and then close the one that was open before, if any.

        @param accepted: is given each connection that comes in.
        @param port: its number; 0 for any free one.
        @raise punch.errors.PortInUse: another program has it.
        """
        before, self._shared = self._shared, self._opened(accepted, port)
        self._closing = None
        self._accepted = accepted
        self._reflexive.resetDiscovery()
        if before is not None:
            await before.close()
        self.tell(Listening(self.shared.port))

    def _opened(
        self, accepted: Callable[[Connection], None], port: int = 0
    ) -> SharedPort:
        shared = SharedPort(
            self._reactor, accepted, self.settings.interface, self.settings.probe
        )
        try:
            shared.open(port)
        except PunchError:
            shared.close()
            raise
        return shared

    def close(self) -> Deferred[Any]:
        """
        Leave the rendezvous and close the shared port.  A second call waits for the
        same.

        @return: fires when both are done.  Cancelling it ends the wait, not the
            closing.
        """
        if self._closing is None:
            closing = [self.shared.close(), self._reflexive.stop()]
            if self._client is not None:
                closing.append(self._client.disconnect())
            self._closing = SharedResult()
            gatherResults(closing).addBoth(self._closing.succeed)
        return self._closing.wait()

    async def connect(
        self, rendezvous: Rendezvous, receiver: CommandReceiver, mayMove: bool = False
    ) -> RendezvousClient:
        """
        Connect to the rendezvous from the shared port.  The STUN servers are asked at
        the same time, and nothing waits for them.

        @param receiver: hears what the rendezvous sends unasked.
        @param mayMove: whether the shared port may become another (L{connectHedged}),
            since nobody knows it yet.  It never does if the settings name a port.
        @raise punch.errors.RendezvousError: it cannot be reached.
        """
        self._reflexive.startMonitor()
        try:
            return await self._connect(rendezvous, receiver, mayMove)
        except PortHeld as held:
            return await self._connectLater(rendezvous, receiver, mayMove, held)

    async def _connectLater(
        self,
        rendezvous: Rendezvous,
        receiver: CommandReceiver,
        mayMove: bool,
        held: PortHeld,
    ) -> RendezvousClient:
        """
        Try again, a few times: an earlier connection from our port to the rendezvous
        may be about to end, or what was named as a STUN server is the rendezvous
        itself.
        """
        await self._reflexive.monitor.stop()
        for pause in _HELD_PAUSES:
            await deferLater(self.clock, pause)
            try:
                client = await self._connect(rendezvous, receiver, mayMove)
            except PortHeld as again:
                held = again
            else:
                self._reflexive.startMonitor()
                return client
        raise held

    async def _connect(
        self, rendezvous: Rendezvous, receiver: CommandReceiver, mayMove: bool
    ) -> RendezvousClient:
        def reach(shared: SharedPort) -> Deferred[RendezvousClient]:
            made = connect(self.clock, rendezvous(shared.binding), receiver)
            return Deferred.fromCoroutine(made)

        if not mayMove or self.settings.port:
            self._client = await reach(self.shared)
            return self._client
        shared, self._client = await connectHedged(
            self.clock, reach, self.shared, lambda: self._opened(self._accepted)
        )
        if shared is not self.shared:
            self._move(shared)
        return self._client

    def _move(self, shared: SharedPort) -> None:
        self.shared.close()
        self._shared = shared
        self.tell(Listening(shared.port))
        self._reflexive.startMonitor()

    async def sayHello(self, client: RendezvousClient, timeout: float) -> Address:
        """
        Say hello to the rendezvous, and begin to discover what our NATs do.

        @param timeout: seconds to wait for its answer.
        @return: our address as it sees it.
        @raise punch.errors.RendezvousError: it refuses, or does not answer.
        """
        observed = await client.hello(timeout)
        self.tell(Observed(formatAddress(observed)))
        rendezvous, *others = client.observers or [observed]
        prefix = await prefixTowards(self._reactor, rendezvous, observed)
        self.shared.setNAT64Prefix(prefix)
        self._reflexive.startDiscovery(
            rendezvous, observed, others if self.settings.relay.mayMeet else []
        )
        return observed

    def askSTUNServers(self) -> None:
        """
        Ask the STUN servers now: they may see us at another address.
        """
        self._reflexive.monitor.askNow()

    def details(
        self,
        observed: Address,
        rejoinName: str = "",
        instanceToken: str = "",
        features: frozenset[str] | None = None,
    ) -> Details:
        """
        Make what we tell the other side: our pin, the addresses of our interfaces, and
        those at which STUN servers see us, as far as these have answered.

        @param observed: our own address as the rendezvous sees it.
        @param rejoinName: see L{Details}.
        @param instanceToken: likewise.
        @param features: likewise; C{None}: those that the settings call for.
        """
        port, elsewhere = self.shared.port, self._reflexive.monitor.addresses
        return Details(
            self.authenticator.pin,
            gatherCandidates(self._ips(), port, observed, elsewhere),
            self.settings.relay.features if features is None else features,
            rejoinName=rejoinName,
            instanceToken=instanceToken,
            behavior=self._reflexive.discovery.behavior,
        )

    async def meet(
        self,
        accepted: Callable[[Connection], None],
        race: Callable[[], Awaitable[SelectedPath[P]]],
    ) -> SelectedPath[P]:
        """
        Open the shared port, race, and answer with the path that won.

        A direct path needs the shared port no more: it is closing when this answers
        (L{close} tells when it has).  Behind a relayed path a direct one may yet come:
        the shared port stays open, and to close it is the caller's business.
        Cancelling leaves nothing behind.
        """
        await self.open(accepted, self.settings.port)
        try:
            selected = await race()
        except Exception:
            await self.close()
            raise
        if not selected.isRelayed:
            self.close()
        return selected

    async def closeBelow(self, link: Link | PlainLink) -> None:
        """
        Wait until the shared port is closed.  If that is interrupted, abort C{link},
        which nobody has been given yet.
        """
        try:
            await self.close()
        except BaseException:
            link.abortConnection()
            raise

    def link(self, selected: SelectedPath[Path], role: Role, started: float) -> Link:
        """
        Make the link that begins on this path.

        @param started: when the wait for it began, in seconds of our clock.
        """
        elapsed = self.clock.seconds() - started
        self.tell(selected.event(elapsed))
        link = Link(
            self.clock,
            role,
            self.authenticator.pin,
            selected,
            self.settings.resumeFor,
            self.tell,
        )
        link.whenEnded().addCallback(self._tellClosed, link)
        return link

    def plainLink(
        self, selected: SelectedPath[Connection], started: float
    ) -> PlainLink:
        """
        Make a link of the connection as it is, without TLS and records.

        @param started: as of L{link}.
        """
        link = PlainLink(selected.path)
        self.tell(selected.event(self.clock.seconds() - started))
        link.whenEnded().addCallback(self._tellClosed, link)
        return link

    def _tellClosed(self, error: LinkError | None, link: Link | PlainLink) -> None:
        reason = Reason.DONE if error is None else error.reason
        self.tell(Closed(reason.value, link.sent, link.received))

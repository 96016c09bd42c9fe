"""
The examination: the probes of our NATs, one after another, of one shared port.

The order matters.  What we send opens filters and makes mappings, so the rendezvous
knocks before anything else is sent to it than what is needed to ask for that; and it
knocks from a port that we have never contacted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, gatherResults
from twisted.internet.interfaces import Binding, IReactorTime
from twisted.internet.task import deferLater
from twisted.protocols import amp
from twisted.python.failure import Failure

from punch.check.assessment import Findings, Idle, Knock, Reach
from punch.check.probelog import Looks, ProbeLog, seenAs
from punch.check.report import Evidence, Value
from punch.errors import PortHeld, PunchError, RendezvousError, RendezvousNotFound
from punch.net.address import Address, HostPort, formatAddress, tcpAddress
from punch.net.connection import Connection
from punch.net.connector import outcomeOf
from punch.net.outcome import Outcome
from punch.net.resolver import prefixTowards, resolve
from punch.net.sharedport import SharedPort
from punch.peer.peer import Rendezvous
from punch.peer.settings import Settings
from punch.rendezvous.client import (
    ANSWER_TIMEOUT,
    RendezvousClient,
    connect,
    translateFailure,
)
from punch.rendezvous.commands import PROBE_ANSWERS, Probe

HAIRPIN = 2.5
"""
Seconds that a SYN to ourselves may take, and one repetition of it: our NATs are near.
"""

SAMPLES = 8
"""
Connections from other ports of ours.
"""

SETTLE = 0.5
"""
Seconds in which a connection that was made must have been accepted.
"""

_HELD = 16
"""
Connections that came in and are held until the end: who made them shall see them.
"""


class _Nobody:
    """
    A receiver (L{punch.rendezvous.client.CommandReceiver}) who waits for nobody.
    """

    def introduced(self, *introduction: object) -> None:
        """
        We hold no name.
        """

    def relayed(self, introduction: bytes, message: bytes) -> None:
        """
        Likewise.
        """

    def left(self, introduction: bytes, reason: str) -> None:
        """
        Likewise.
        """

    def rendezvousLost(self, why: RendezvousError) -> None:
        """
        Whoever asks next will hear of it.
        """


class CheckRun:
    """
    One.
    """

    def __init__(
        self,
        reactor: Any,
        rendezvous: Rendezvous,
        place: HostPort,
        settings: Settings,
        idle: Callable[[Address, Binding], Awaitable[Idle]] | None = None,
    ) -> None:
        """
        @param place: where the rendezvous is.
        @param settings: of them C{port}, C{interface}, C{stun}, C{hostAddresses} and
            C{probe}.
        @param idle: finds out how long a connection to a vantage may be silent.
        """
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._rendezvous = rendezvous
        self._place = place
        self._settings = settings
        self._idle = idle
        self._arrived = 0
        self._notes = ProbeLog(self._clock)
        self._looks = Looks(reactor, self._notes)
        self._clients: list[RendezvousClient] = []
        self._connections: list[Connection] = []
        self._shared = SharedPort(
            reactor, self._accepted, settings.interface, settings.probe
        )
        self._found = Findings(0, frozenset())

    def _accepted(self, connection: Connection) -> None:
        self._arrived += 1
        self._connections.append(connection)
        if len(self._connections) > _HELD:
            # A stranger's.
            self._connections.pop(0).abort()

    async def run(self) -> Findings:
        """
        Probe.  Cancelling leaves nothing behind.

        @raise punch.errors.Misuse: the port or the interface cannot be had.
        """
        try:
            self._shared.open(self._settings.port)
            addresses = frozenset(self._settings.hostAddresses())
            self._found = Findings(self._shared.port, addresses)
            client = await self._reach()
            if client is not None:
                await self._probe(client)
        finally:
            for connection in self._connections:
                connection.abort()
            # A connection that ends in order would hold our port's way to the
            # rendezvous for a minute more (TIME-WAIT), and the next check may want it.
            for client in self._clients:
                client.abort()
            closing = [each.disconnect() for each in self._clients]
            await gatherResults([self._shared.close(), *closing])
        return replace(self._found, evidence=tuple(self._notes.evidence))

    def _tell(self, **found: Any) -> None:
        self._found = replace(self._found, **found)

    # The rendezvous.

    async def _reach(self) -> RendezvousClient | None:
        """
        Say hello from the shared port; if that cannot be, see whether another can.
        """
        shared = self._shared
        try:
            client = await self._hello(shared.binding, f"port {shared.port}")
        except PortHeld:
            raise
        except RendezvousError as error:
            self._tell(why=str(error))
            if not isinstance(error, RendezvousNotFound):
                with suppress(RendezvousError):
                    await self._hello(shared.otherBinding, "another port")
                    self._tell(reach=Reach.OTHER)
            return None
        self._tell(reach=Reach.SHARED)
        return client

    async def _hello(self, binding: Binding, whence: str) -> RendezvousClient:
        async def sayHello() -> Address:
            endpoint = self._rendezvous(binding)
            client = await connect(self._clock, endpoint, _Nobody())
            self._clients.append(client)
            return await client.hello(ANSWER_TIMEOUT)

        asked = f"hello to the rendezvous from {whence}"
        observed = await self._notes.note(asked, sayHello(), seenAs)
        client = self._clients[-1]
        if whence != "another port":
            self._see(client, observed)
        return client

    def _see(self, client: RendezvousClient, observed: Address) -> None:
        addresses = self._found.addresses | {client.localHost}
        rendezvous, *_ = client.observers or [observed]
        self._tell(seen=((rendezvous, observed),), addresses=addresses)

    async def _probe(self, client: RendezvousClient) -> None:
        """
        All that can be found out.
        """
        await self._knock(client)
        rendezvous, observed = self._found.seen[0]
        prefix = await prefixTowards(self._reactor, rendezvous, observed)
        self._shared.setNAT64Prefix(prefix)
        self._tell(is64=prefix is not None)
        isSix = ":" in rendezvous.host
        vantages = [
            each for each in client.observers[1:] if (":" in each.host) == isSix
        ]
        vantages += await self._servers(isSix)
        await self._lookFromShared(vantages)
        await self._sample(vantages[:1])
        await self._hairpin(observed)
        await self._seeOther(client, observed)
        if self._idle is not None and vantages:
            await self._outlast(vantages[0], self._idle)

    async def _knock(self, client: RendezvousClient) -> None:
        """
        Have the rendezvous connect to us.
        """
        if "knock" not in client.features:
            self._tell(knock=Value.notTested("this rendezvous does not knock"))
            return
        knock = await self._knocked(client)
        self._tell(knock=knock)
        if not isinstance(knock, Knock) or not knock.isLetIn:
            # What is not let in from the one address is not from another either.
            return
        if "knock-elsewhere" in client.features:
            self._tell(elsewhere=await self._knocked(client, elsewhere=True))

    async def _knocked(self, client: RendezvousClient, **more: bool) -> Knock | Value:
        before = self._arrived
        asked: Deferred[dict[str, Outcome]] = client.callRemote(Probe, **more)
        asked.addTimeout(ANSWER_TIMEOUT, self._clock).addErrback(translateFailure)
        what = "knock of the rendezvous" + (" from another address" if more else "")
        try:
            told = await self._notes.note(
                what, asked, lambda told: PROBE_ANSWERS[told["answer"]]
            )
            return await self._settled(told["answer"], before)
        except (PunchError, amp.AmpError, ValueError) as error:
            return Value.failed(str(error))

    # Looks.

    async def _lookFromShared(self, vantages: Sequence[Address]) -> None:
        """
        Is the shared port the same from everywhere?
        """
        shared = self._shared
        whence = f"port {shared.port}"
        looks = await self._looks.all(vantages, shared.binding, whence)
        seen = [
            (vantage, sighting.externalAddress)
            for vantage, sighting in zip(vantages, looks, strict=True)
            if sighting is not None
        ]
        self._tell(seen=(*self._found.seen, *seen))
        if vantages and not seen:
            self._tell(unseen=Value.failed("no vantage answered"))

    async def _servers(self, isSix: bool) -> list[Address]:
        """
        Where the STUN servers are that our user named.
        """
        found = []
        for server in self._settings.stunServers:
            addresses = await resolve(self._reactor, server.host, server.port)
            fit = [at for at in addresses if (":" in at.host) == isSix][:1]
            if not fit:
                came = f"it has no {_family(isSix)} address"
                self._notes.evidence.append(Evidence(f"STUN at {server}", came, 0.0))
            found += fit
        return found

    async def _sample(self, vantages: Sequence[Address]) -> None:
        """
        Which ports do other ports get?
        """
        binding = self._shared.otherBinding
        looks = await self._looks.all(SAMPLES * [*vantages], binding, "another port")
        seen = [
            (each.internalPort, each.externalAddress)
            for each in looks
            if each is not None
        ]
        self._tell(others=tuple(seen))

    async def _hairpin(self, observed: Address) -> None:
        """
        Do we reach ourselves from inside by our outside address?
        """
        if self._found.isBare:
            self._tell(hairpin=Value.notTested("no NAT"))
            return
        before = self._arrived
        asked = f"connect from another port to {formatAddress(observed)}, ourselves"
        answer = await self._notes.note(
            asked, self._reachSelf(observed), PROBE_ANSWERS.__getitem__
        )
        self._tell(hairpin=await self._settled(answer, before))

    async def _settled(self, answer: Outcome, before: int) -> Knock:
        """
        A SYN that was answered may have come to us, or to somebody in our place.
        """
        if answer is Outcome.CONNECTED and self._arrived == before:
            await deferLater(self._clock, SETTLE, lambda: None)
        return Knock(answer, self._arrived > before)

    async def _reachSelf(self, observed: Address) -> Outcome:
        made = self._shared.connectFromOther(observed).addTimeout(HAIRPIN, self._clock)
        try:
            self._connections.append(await made)
        except TimeoutError:
            return Outcome.TIMED_OUT
        except Exception as why:
            outcome = outcomeOf(Failure(why))
            return outcome if outcome in PROBE_ANSWERS else Outcome.FAILED
        return Outcome.CONNECTED

    # The other of IPv4 and IPv6.

    async def _seeOther(self, client: RendezvousClient, observed: Address) -> None:
        isSix = ":" not in observed.host
        name = _family(isSix)
        if self._found.is64:
            self._tell(other=Value.notTested("the rendezvous is behind a NAT64"))
            return
        if self._settings.interface:
            self._tell(other=Value.notTested("--interface is the only address"))
            return
        if not any((":" in each) == isSix for each in self._found.outward):
            self._tell(other=Value.tested("no (this host has none)", None))
            return
        port = client.observers[1].port if len(client.observers) > 1 else 0
        vantage = await self._otherVantage(isSix, port)
        if vantage is None:
            why = f"the rendezvous has no {name} address, or does not look"
            self._tell(other=Value.notTested(why))
            return
        whence = f"port {self._shared.port}"
        seen = await self._looks.one(vantage, self._shared.binding, whence)
        unseen = Value.failed(f"{formatAddress(vantage)} did not answer")
        self._tell(other=unseen if seen is None else seen.externalAddress)

    async def _otherVantage(self, isSix: bool, port: int) -> Address | None:
        if not port:
            return None
        found = await resolve(self._reactor, self._place.host, port)
        fit = [each for each in found if (":" in each.host) == isSix]
        return tcpAddress(fit[0].host, port) if fit else None

    # Time.

    async def _outlast(
        self, vantage: Address, idle: Callable[[Address, Binding], Awaitable[Idle]]
    ) -> None:
        found = await self._notes.note(
            f"silence towards {formatAddress(vantage)}",
            idle(vantage, self._shared.otherBinding),
            lambda told: (
                f"borne {told.held or 0:g} s"
                + (f", not {told.lost:g} s" if told.lost else "")
            ),
        )
        self._tell(idle=found)


def _family(isSix: bool) -> str:
    return "IPv6" if isSix else "IPv4"

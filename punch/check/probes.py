"""
The probes of our NATs: one after another, all of one shared port.

The order matters, because what we send opens filters and makes mappings.  So the first
probe is the SYN that the rendezvous sends us, from a port that we have never contacted,
when we have sent nothing but the request for it.
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

from punch.check.assessment import Findings, IdleTimeout, InboundProbe, Reachability
from punch.check.probelog import ProbeLog, seenAs
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
    CommandReceiver,
    RendezvousClient,
    connect,
    translateFailure,
)
from punch.rendezvous.commands import PROBE_ANSWERS, Probe

HAIRPIN_TIMEOUT = 2.5
"""
Seconds that a connect to ourselves may take: enough for a SYN and one repetition of it,
as our NATs are near.
"""

SAMPLES = 8
"""
Connections that we make from other ports, to see how those are mapped.
"""

ACCEPT_TIMEOUT = 0.5
"""
Seconds from the end of a connect to the shared port until the connection must have come
in there.
"""

_MOST_HELD = 16
"""
Inbound connections that are held until the end, so that whoever made them sees that
they were accepted.
"""


class CheckRun:
    """
    Runs the probes of C{punch-check} in order, from one shared port.

    C{punch.cli.check_tap} makes one for each check.  C{run} answers with L{Findings},
    and closes everything that was opened, even if it is cancelled.
    """

    def __init__(
        self,
        reactor: Any,
        rendezvous: Rendezvous,
        place: HostPort,
        settings: Settings,
        idle: Callable[[Address, Binding], Awaitable[IdleTimeout]] | None = None,
    ) -> None:
        """
        @param place: the host and port of the rendezvous.
        @param settings: C{port}, C{interface}, C{stun}, C{hostAddresses} and C{probe}
            are used.
        @param idle: measures how long a connection to a STUN server may be silent;
            C{None} for no such probe.
        """
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._rendezvous = rendezvous
        self._place = place
        self._settings = settings
        self._idle = idle
        self._accepts = 0
        self._probeLog = ProbeLog(reactor)
        self._clients: list[RendezvousClient] = []
        self._connections: list[Connection] = []
        self._shared = SharedPort(
            reactor, self._accepted, settings.interface, settings.probe
        )
        self._found = Findings(0, frozenset())

    def _accepted(self, connection: Connection) -> None:
        self._accepts += 1
        self._connections.append(connection)
        if len(self._connections) > _MOST_HELD:
            # None that the rendezvous or we made: there are not so many.
            self._connections.pop(0).abort()

    async def run(self) -> Findings:
        """
        Probe, and answer with what was found.  Cancelling leaves nothing behind.

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
            # After a clean end the four-tuple would stay in TIME-WAIT for a minute,
            # and the next check may want to connect from the same port.
            for client in self._clients:
                client.abort()
            closing = [each.disconnect() for each in self._clients]
            await gatherResults([self._shared.close(), *closing])
        return replace(self._found, evidence=tuple(self._probeLog.evidence))

    def _add(self, **found: Any) -> None:
        self._found = replace(self._found, **found)

    # The rendezvous.

    async def _reach(self) -> RendezvousClient | None:
        """
        Say hello from the shared port; if that fails, see whether another port can.

        @return: C{None} if the rendezvous cannot be reached from the shared port.
        """
        shared = self._shared
        try:
            client = await self._hello(shared.binding, f"port {shared.port}")
        except PortHeld:
            raise
        except RendezvousError as error:
            self._add(why=str(error))
            if not isinstance(error, RendezvousNotFound):
                with suppress(RendezvousError):
                    await self._hello(shared.otherBinding, "another port")
                    self._add(reachability=Reachability.OTHER)
            return None
        self._add(reachability=Reachability.SHARED)
        return client

    async def _hello(self, binding: Binding, whence: str) -> RendezvousClient:
        async def sayHello() -> Address:
            endpoint = self._rendezvous(binding)
            client = await connect(self._clock, endpoint, CommandReceiver())
            self._clients.append(client)
            return await client.hello(ANSWER_TIMEOUT)

        asked = f"hello to the rendezvous from {whence}"
        observed = await self._probeLog.record(asked, sayHello(), seenAs)
        client = self._clients[-1]
        if whence != "another port":
            self._addObserved(client, observed)
        return client

    def _addObserved(self, client: RendezvousClient, observed: Address) -> None:
        addresses = self._found.addresses | {client.localHost}
        rendezvous, *_ = client.observers or [observed]
        self._add(seen=((rendezvous, observed),), addresses=addresses)

    async def _probe(self, client: RendezvousClient) -> None:
        """
        Run all probes that the rendezvous is good for.
        """
        await self._inbound(client)
        rendezvous, observed = self._found.seen[0]
        prefix = await prefixTowards(self._reactor, rendezvous, observed)
        self._shared.setNAT64Prefix(prefix)
        self._add(is64=prefix is not None)
        isSix = ":" in rendezvous.host
        servers = [each for each in client.observers[1:] if (":" in each.host) == isSix]
        servers += await self._servers(isSix)
        await self._mapShared(servers)
        await self._mapOthers(servers[:1])
        await self._hairpin(observed)
        await self._mapOtherFamily(client, observed)
        if self._idle is not None and servers:
            await self._measureIdle(servers[0], self._idle)

    async def _inbound(self, client: RendezvousClient) -> None:
        """
        Have the rendezvous connect to us.
        """
        if "knock" not in client.features:
            self._add(inbound=Value.notTested("this rendezvous does not knock"))
            return
        inbound = await self._requestInbound(client)
        self._add(inbound=inbound)
        if not isinstance(inbound, InboundProbe) or not inbound.isAccepted:
            # A NAT that blocks a SYN from a known address blocks one from another.
            return
        if "knock-elsewhere" in client.features:
            elsewhere = await self._requestInbound(client, elsewhere=True)
            self._add(inboundElsewhere=elsewhere)

    async def _requestInbound(
        self, client: RendezvousClient, **more: bool
    ) -> InboundProbe | Value:
        before = self._accepts
        asked: Deferred[dict[str, Outcome]] = client.callRemote(Probe, **more)
        asked.addTimeout(ANSWER_TIMEOUT, self._clock).addErrback(translateFailure)
        what = "knock of the rendezvous" + (" from another address" if more else "")
        try:
            told = await self._probeLog.record(
                what, asked, lambda told: PROBE_ANSWERS[told["answer"]]
            )
            return await self._settled(told["answer"], before)
        except (PunchError, amp.AmpError, ValueError) as error:
            return Value.failed(str(error))

    # STUN.

    async def _mapShared(self, servers: Sequence[Address]) -> None:
        """
        Find out whether the shared port looks the same from everywhere.
        """
        shared = self._shared
        whence = f"port {shared.port}"
        sightings = await self._probeLog.askAllSTUN(servers, shared.binding, whence)
        seen = [
            (server, sighting.externalAddress)
            for server, sighting in zip(servers, sightings, strict=True)
            if sighting is not None
        ]
        self._add(seen=(*self._found.seen, *seen))
        if servers and not seen:
            self._add(unseen=Value.failed("no STUN server answered"))

    async def _servers(self, isSix: bool) -> list[Address]:
        """
        The addresses of the STUN servers that the user named.
        """
        found = []
        for server in self._settings.stunServers:
            addresses = await resolve(self._reactor, server.host, server.port)
            fit = [at for at in addresses if (":" in at.host) == isSix][:1]
            if not fit:
                came = f"it has no {_family(isSix)} address"
                self._probeLog.evidence.append(Evidence(f"STUN at {server}", came, 0.0))
            found += fit
        return found

    async def _mapOthers(self, servers: Sequence[Address]) -> None:
        """
        Find out to which outside ports our other ports are mapped.
        """
        asked = SAMPLES * [*servers]
        binding = self._shared.otherBinding
        sightings = await self._probeLog.askAllSTUN(asked, binding, "another port")
        seen = [
            (each.internalPort, each.externalAddress)
            for each in sightings
            if each is not None
        ]
        self._add(otherPorts=tuple(seen))

    async def _hairpin(self, observed: Address) -> None:
        """
        Find out whether we reach ourselves, from inside, at our outside address.
        """
        if self._found.isUnmapped:
            self._add(hairpin=Value.notTested("no NAT"))
            return
        before = self._accepts
        asked = f"connect from another port to {formatAddress(observed)}, ourselves"
        answer = await self._probeLog.record(
            asked, self._connectToSelf(observed), PROBE_ANSWERS.__getitem__
        )
        self._add(hairpin=await self._settled(answer, before))

    async def _settled(self, answer: Outcome, before: int) -> InboundProbe:
        """
        Wait for the connection, if there is one to come: the SYN may have reached
        somebody else.

        @param before: how many connections had come in before the SYN was sent.
        """
        if answer is Outcome.CONNECTED and self._accepts == before:
            await deferLater(self._clock, ACCEPT_TIMEOUT, lambda: None)
        return InboundProbe(answer, self._accepts > before)

    async def _connectToSelf(self, observed: Address) -> Outcome:
        made = self._shared.connectFromOther(observed)
        made.addTimeout(HAIRPIN_TIMEOUT, self._clock)
        try:
            self._connections.append(await made)
        except TimeoutError:
            return Outcome.TIMED_OUT
        except Exception as why:
            outcome = outcomeOf(Failure(why))
            return outcome if outcome in PROBE_ANSWERS else Outcome.FAILED
        return Outcome.CONNECTED

    # The other of IPv4 and IPv6.

    async def _mapOtherFamily(
        self, client: RendezvousClient, observed: Address
    ) -> None:
        isSix = ":" not in observed.host
        if self._found.is64:
            other: Address | Value = Value.notTested("the rendezvous is behind a NAT64")
        elif self._settings.interface:
            other = Value.notTested("--interface is the only address")
        elif not any((":" in each) == isSix for each in self._found.outward):
            other = Value.tested("no (this host has none)", None)
        else:
            port = client.observers[1].port if len(client.observers) > 1 else 0
            other = await self._askOtherFamily(isSix, port)
        self._add(otherFamily=other)

    async def _askOtherFamily(self, isSix: bool, port: int) -> Address | Value:
        """
        Ask the STUN server of the rendezvous, at its address of the other family.

        @param port: where that server is, 0 if there is none.
        """
        found = await resolve(self._reactor, self._place.host, port) if port else []
        fit = [each for each in found if (":" in each.host) == isSix]
        if not fit:
            what = f"no {_family(isSix)} address, or does not look"
            return Value.notTested(f"the rendezvous has {what}")
        server = tcpAddress(fit[0].host, port)
        whence = f"port {self._shared.port}"
        seen = await self._probeLog.askSTUN(server, self._shared.binding, whence)
        if seen is None:
            return Value.failed(f"{formatAddress(server)} did not answer")
        return seen.externalAddress

    # Time.

    async def _measureIdle(
        self,
        server: Address,
        idle: Callable[[Address, Binding], Awaitable[IdleTimeout]],
    ) -> None:
        found = await self._probeLog.record(
            f"silence towards {formatAddress(server)}",
            idle(server, self._shared.otherBinding),
            lambda told: (
                f"borne {told.held or 0:g} s"
                + (f", not {told.lost:g} s" if told.lost else "")
            ),
        )
        self._add(idle=found)


def _family(isSix: bool) -> str:
    return "IPv6" if isSix else "IPv4"

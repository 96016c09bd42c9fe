"""
NAT behavior discovery: finds out how our NATs map the shared port (RFC 5780 section
4.3, with STUN over TCP).

The first observation is the rendezvous' own.  A second, from another port of it, tells
whether the mapping is endpoint-independent.  Only if it is not, a few connections from
other ports of ours tell how the NAT allocates ports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from twisted.internet.defer import CancelledError, Deferred, DeferredList, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch.nat.behavior import (
    Mapping,
    ObservedBehavior,
    behaviorFromPorts,
    foreignMappings,
    mappingOf,
)
from punch.nat.errors import STUNError
from punch.net.address import Address
from punch.util.deferreds import SharedResult

ANSWER_TIMEOUT = 3.0
"""
Seconds that an observer has to answer.
"""

SAMPLES = 8
"""
Connections from other ports of ours that are made if the mapping is not
endpoint-independent.
"""

OWN_CONNECTIONS = 4
"""
Other connections of our own that may have taken ports meanwhile: those to the peer's
addresses, and to the relay.
"""

_NO_ANSWER = (STUNError, TimeoutError, CancelledError)

RequestMappedAddress = Callable[[Address, bool], Deferred[Address]]
"""
Asks the STUN server at an address which address it sees us at.  The connection comes
from the shared port if the second argument is true, else from any other.  Fails with
L{STUNError}.
"""


Observations = list[tuple[Address, Address]]
"""
Pairs of an observer's address and the address at which it sees our shared port.
"""


class BehaviorDiscovery:
    """
    Finds out, once, how our NATs map one shared port.

    L{punch.nat.reflexive.ReflexiveAddresses} makes one for each shared port and
    network, and stops it when either changes.

    @ivar found: fires with the behavior; with C{None} if too few observers answered, or
        the discovery was stopped.
    @ivar behavior: the same, once it is known.
    @ivar mappedAddress: the address at which the first observer beside the rendezvous
        saw our shared port; C{None} if none did.
    @ivar foreignMappings: how many mappings others made on a sequential NAT meanwhile.
    @ivar isBlocked: there are observers beside the rendezvous, and none answered.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, request: RequestMappedAddress) -> None:
        self.found: SharedResult[ObservedBehavior | None] = SharedResult()
        self.behavior: ObservedBehavior | None = None
        self.mappedAddress: Address | None = None
        self.isBlocked = False
        self.foreignMappings = 0
        self._clock = clock
        self._request = request
        self._observers: Sequence[Address] = ()
        self._monitored: Callable[[], Observations] = list
        self._running: Deferred[None] | None = None

    def start(
        self,
        observer: Address,
        observed: Address,
        observers: Sequence[Address],
        monitored: Callable[[], Observations] = list,
    ) -> None:
        """
        Start to ask.

        @param observer: the address of the rendezvous.
        @param observed: the address at which it sees us.
        @param observers: addresses at which others answer STUN requests.
        @param monitored: answers with what L{punch.nat.stunmonitor.STUNMonitor} knows
            by then; nothing waits for that.
        """
        self._observers, self._monitored = observers, monitored
        running = Deferred.fromCoroutine(self._run(observer, observed))
        self._running = running.addErrback(self._failed)

    def stop(self) -> None:
        """
        Stop asking.  C{found} fires with C{None}, if nothing has been found.
        """
        self.found.succeed(None)
        if self._running is not None:
            self._running.cancel()

    def _failed(self, failure: Failure) -> None:
        self._log.failure("A mistake of ours.", failure)
        self.found.succeed(None)

    async def newMapping(self) -> Address | None:
        """
        Make a connection from another port of ours.

        @return: the address at which the first observer sees that connection; C{None}
            if it does not answer.
        """
        seen = await self._requestFrom(self._observers[:1], isShared=False)
        return seen[0][1] if seen else None

    async def _run(self, observer: Address, observed: Address) -> None:
        seen = await self._requestFrom(self._observers, isShared=True)
        self.mappedAddress = seen[0][1] if seen else None
        self.isBlocked = bool(self._observers) and not seen
        told = [(observer, observed), *seen, *self._monitored()]
        seen = list(dict.fromkeys(told))
        mapping = mappingOf(seen)
        if mapping is Mapping.ENDPOINT_INDEPENDENT:
            self._conclude(ObservedBehavior(mapping))
        elif mapping is not None:
            ports = [mapped.port for _, mapped in seen]
            if self.found.settled:
                return
            more = await self._requestFrom(
                SAMPLES * [*self._observers[:1]], isShared=False
            )
            ports += [mapped.port for _, mapped in more]
            found = behaviorFromPorts(mapping, ports)
            if found.isSequential:
                self.foreignMappings = max(
                    0, foreignMappings(ports, found.step) - OWN_CONNECTIONS
                )
            self._conclude(found)
        else:
            self._conclude(None)

    def _conclude(self, behavior: ObservedBehavior | None) -> None:
        if not self.found.settled:
            self.behavior = behavior
        self.found.succeed(behavior)

    async def _requestFrom(
        self, observers: Sequence[Address], isShared: bool
    ) -> Observations:
        """
        Ask all observers, and return the observations of those that answer.
        """
        requests = [self._request(observer, isShared) for observer in observers]
        results = await _gather(self._clock, requests)
        return [
            (observer, mapped)
            for observer, mapped in zip(observers, results, strict=True)
            if mapped is not None
        ]


async def _gather(
    clock: IReactorTime, requests: Sequence[Deferred[Address]]
) -> list[Address | None]:
    """
    The result of each request; C{None} for those that failed, timed out or were
    cancelled.
    """
    results: list[Address | None] = [None] * len(requests)
    for number, request in enumerate(requests):
        request.addTimeout(ANSWER_TIMEOUT, clock)
        request.addCallback(partial(results.__setitem__, number))
        request.addErrback(lambda why: why.trap(*_NO_ANSWER) and None)
    await DeferredList(requests, fireOnOneErrback=True, consumeErrors=True)
    return results

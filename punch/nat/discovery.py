"""
The survey: what NATs make of our shared port, found out by being looked at from
several addresses (RFC 5780 section 4.3; here by STUN over TCP).

The rendezvous' own view of us is the first.  A second, from another port of its,
tells whether the port looks the same from everywhere.  Only if it does not, a few
connections from other ports tell which one our NAT gives next.
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
Seconds that a vantage has to answer.
"""

SAMPLES = 8
"""
Connections from other ports of ours, if our NAT maps each one anew.
"""

OWN_CONNECTIONS = 4
"""
Connections of our own that may have had ports among those that were seen: to the other
side and its own addresses, and to the relay.
"""

_NO_ANSWER = (STUNError, TimeoutError, CancelledError)

RequestMapped = Callable[[Address, bool], Deferred[Address]]
"""
Asks at an address as what it sees us: from our shared port if the second argument is
true, else from any other.  Fails with L{STUNError}.
"""


Observations = list[tuple[Address, Address]]
"""
Who saw our shared port, and as what.
"""


class BehaviorDiscovery:
    """
    One, of one shared port.

    C{found}: arrives with what was found, C{None} if that was too little.
    C{mappedAddress}: as what the second vantage saw our shared port, if it did.
    C{foreignMappings}: of a sequential NAT, the mappings that others made meanwhile.
    C{isBlocked}: there are other vantages, and we came to none of them.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, request: RequestMapped) -> None:
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
        Start it.

        @param observer: the address of the rendezvous, who sees us at C{observed}.
        @param vantages: other addresses that can look at us.
        @param elsewhere: asks for what others have seen by now, for whom nobody waits.
        """
        self._observers, self._monitored = observers, monitored
        running = Deferred.fromCoroutine(self._run(observer, observed))
        self._running = running.addErrback(self._failed)

    def stop(self) -> None:
        """
        Nobody wants to know any more.
        """
        self.found.succeed(None)
        if self._running is not None:
            self._running.cancel()

    def _failed(self, failure: Failure) -> None:
        self._log.failure("A mistake of ours.", failure)
        self.found.succeed(None)

    async def newMapping(self) -> Address | None:
        """
        As what a connection of ours is seen that is made now; C{None} if nobody tells.
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
            ports = [outside.port for _, outside in seen]
            if self.found.settled:
                return
            more = await self._requestFrom(
                SAMPLES * [*self._observers[:1]], isShared=False
            )
            ports += [outside.port for _, outside in more]
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
        The answers of those who give any, each with who gave it.
        """
        requests = [self._request(observer, isShared) for observer in observers]
        results = await _gather(self._clock, requests)
        return [
            (observer, outside)
            for observer, outside in zip(observers, results, strict=True)
            if outside is not None
        ]


async def _gather(
    clock: IReactorTime, requests: Sequence[Deferred[Address]]
) -> list[Address | None]:
    """
    What each came to; C{None} for those that failed, or took too long, or that nobody
    waits for any more.
    """
    results: list[Address | None] = [None] * len(requests)
    for number, request in enumerate(requests):
        request.addTimeout(ANSWER_TIMEOUT, clock)
        request.addCallback(partial(results.__setitem__, number))
        request.addErrback(lambda why: why.trap(*_NO_ANSWER) and None)
    await DeferredList(requests, fireOnOneErrback=True, consumeErrors=True)
    return results

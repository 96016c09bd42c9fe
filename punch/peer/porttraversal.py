"""
The approach: what an introduction does about NATs that do not keep shared ports,
beside its race.

It tells the other side what is known of our own NATs, hears of theirs, and acts on
both (L{punch.nat.prediction}).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from punch.ice.candidate import MAXIMUM, Candidate, Kind
from punch.ice.race import Connect, Race
from punch.nat.behavior import ObservedBehavior
from punch.nat.discovery import BehaviorDiscovery
from punch.nat.errors import NoDirectPath
from punch.nat.portsearch import PortSearch, SocketBudget
from punch.nat.prediction import (
    Strategy,
    portsAfter,
    portsAfterSkipping,
    portsAround,
    shuffledPorts,
    strategyFor,
)
from punch.nat.verdict import AttemptReport, verdictFor, verdictForBehaviors
from punch.net.address import Address, formatAddress, tcpAddress
from punch.role import Role
from punch.signaling.messages import MOST, Note
from punch.traceevents import Tracer, TraversalStarted, noTracer
from punch.util.timers import RestartableTimer

THOROUGH = 10.0
"""
Seconds in which a port is met that can be: of a hundred searches all but one.
"""

MOST_PREDICTED = 48
"""
Ports that the other side may have us try.
"""


@dataclass(frozen=True)
class TraversalContext:
    """
    What an approach works with.

    C{connect}: from the shared port; C{connectFromOther}: from any other.  C{searches}:
    whether there are sockets for a search.
    """

    clock: IReactorTime
    random: Random
    discovery: BehaviorDiscovery
    sockets: SocketBudget
    connect: Connect
    connectFromOther: Connect
    searches: bool = True


class PortTraversal:
    """
    One introduction's.

    C{theirBehavior}: what the other side's NATs do, as far as it has told.
    """

    _log = Logger()

    def __init__(
        self,
        context: TraversalContext,
        race: Race[Any],
        peer: Address,
        role: Role,
        send: Callable[[Note], None],
        tracer: Tracer = noTracer,
    ) -> None:
        """
        @param peer: the other side, as the rendezvous sees it.
        @param role: ours.
        @param send: tells the other side.
        @param tracer: called with each trace event.
        """
        self._context = context
        self._race = race
        self._peer = peer
        self._role = role
        self._send = send
        self._tracer = tracer
        self._ourReport: AttemptReport | None = None
        self._theirReport: AttemptReport | None = None
        self._ourBehavior: ObservedBehavior | None = None
        self.theirBehavior: ObservedBehavior | None = None
        self._strategy = Strategy.NONE
        # Then our connect to the other side is younger than what the survey saw.
        self._isDiscovered = context.discovery.found.settled
        self._began = context.clock.seconds()
        self._notes = self._accepted = 0
        self._offered: list[Candidate] = []
        # When the other side has what we offer.
        self._ready = inf
        self._starting = RestartableTimer(context.clock)
        self._search: PortSearch | None = None
        self._predicting: Deferred[None] | None = None
        self._discovering: Deferred[None] | None = None
        race.finished.wait().addCallback(lambda _: self._stop())

    def start(
        self, told: ObservedBehavior | None, theirBehavior: ObservedBehavior | None
    ) -> None:
        """
        The two sides know each other.

        @param told: what we have told the other side of our NATs already.
        @param theirs: what it has told us.
        """
        self.theirBehavior = theirBehavior
        discovering = self._context.discovery.found.wait()
        discovering.addCallback(self._ourBehaviorKnown, told)
        self._discovering = discovering.addErrback(lambda why: why.trap(CancelledError))

    def noteReceived(self, note: Note) -> None:
        """
        The other side knows more.
        """
        self._notes += 1
        if self._notes > MOST or not self._race.isRunning:
            return
        # Nobody sends us anywhere but to a host that is theirs.
        host = self._peer.host
        offered = [c for c in note.candidates if c.address.host == host]
        offered = offered[: MOST_PREDICTED - self._accepted]
        self._accepted += len(offered)
        self._offered += offered
        self._tryOffered()
        if note.report is not None:
            self._theirReport = note.report
            # Its time is nearly up, whatever ours is.
            self.report()
        if note.behavior is not None and self.theirBehavior is None:
            self.theirBehavior = note.behavior
            self._actOnBoth()

    def _tryOffered(self) -> None:
        """
        Try what the other side has offered.

        Where each connect of either side uses up a port, both begin at once: as soon
        as both have heard each other.
        """
        now = self._context.clock.seconds()
        if self._strategy is Strategy.PREDICT_NEXT and now < self._ready:
            if self._ready < inf:
                self._starting.set(self._ready - now, self._tryOffered)
            return
        offered, self._offered = self._offered, []
        for candidate in offered:
            self._race.add(candidate)

    def report(self) -> None:
        """
        Tell the other side what we have seen so far; by that both judge.
        """
        if self._ourReport is None and self._race.isRunning:
            self._ourReport = self._attemptReport()
            self._send(Note(report=self._ourReport))

    def _attemptReport(self) -> AttemptReport:
        isThorough = self._context.clock.seconds() - self._began >= THOROUGH
        outcomes = self._race.outcomes()
        isBlocked = self._context.discovery.isBlocked
        searches = self._context.searches
        return AttemptReport(
            self._ourBehavior, outcomes, searches, isThorough, isBlocked
        )

    def verdict(self, isBehindOne: bool) -> type[NoDirectPath] | None:
        """
        Why there is no direct path, as far as it can be told.

        @param isBehindOne: see L{verdictFor}.
        """
        if self._theirReport is None:
            # Nor has the other side heard ours, perhaps: what both know is the NATs.
            return verdictForBehaviors(self._ourBehavior, self.theirBehavior)
        ours, theirBehavior = (
            self._ourReport or self._attemptReport(),
            self._theirReport,
        )
        both = (
            (theirBehavior, ours)
            if self._role is Role.DIALER
            else (ours, theirBehavior)
        )
        return verdictFor(*both, isBehindOne)

    def _ourBehaviorKnown(
        self, own: ObservedBehavior | None, told: ObservedBehavior | None
    ) -> None:
        self._ourBehavior = own
        if not self._race.isRunning:
            return
        if own is not None and own != told:
            self._send(Note(own))
        self._actOnBoth()

    def _actOnBoth(self) -> None:
        """
        Do our part, once it is known what that is.
        """
        if self._strategy is not Strategy.NONE:
            return
        self._strategy = strategy = strategyFor(self._ourBehavior, self.theirBehavior)
        if strategy is Strategy.NONE:
            return
        if (
            strategy in (Strategy.SEARCH_FROM_MANY, Strategy.SEARCH_TO_MANY)
            and not self._context.searches
        ):
            self._tracer(
                TraversalStarted("nothing: a search might do, but we are to make none")
            )
            return
        self._log.debug("{strategy}", strategy=strategy.value)
        self._tracer(TraversalStarted(strategy.value))
        if strategy is Strategy.SEARCH_FROM_MANY:
            among = f"from many ports to {formatAddress(self._peer)}"
            self._startSearch(
                lambda: self._context.connectFromOther(self._peer), among, None
            )
        elif strategy is Strategy.SEARCH_TO_MANY:
            assert self.theirBehavior is not None
            ports = shuffledPorts(self.theirBehavior.ports, self._context.random)
            among = f"from our one port to many of {self._peer.host}"
            self._startSearch(partial(self._guess, ports), among, Kind.PREDICTED)
        else:
            if strategy is Strategy.PREDICT_NEXT:
                # What the rendezvous sees is of no use, and would use up ports.
                self._race.stopTrying(Kind.SERVER_REFLEXIVE)
            predicting = Deferred.fromCoroutine(self._predict(strategy))
            predicting.addErrback(lambda why: why.trap(CancelledError))
            self._predicting = predicting

    def _guess(self, ports: Iterator[int]) -> Deferred[Any] | None:
        port = next(ports, None)
        if port is None:
            return None
        return self._context.connect(tcpAddress(self._peer.host, port))

    def _startSearch(
        self,
        connect: Callable[[], Deferred[Any] | None],
        among: str,
        kind: Kind | None,
    ) -> None:
        race, context = self._race, self._context
        join = partial(race.addSearched, kind=kind, among=among)
        self._search = PortSearch(context.clock, context.sockets, connect, join)
        self._search.start()

    async def _predict(self, strategy: Strategy) -> None:
        """
        Tell the other side which ports of ours to try.
        """
        own, discovery = self._ourBehavior, self._context.discovery
        assert own is not None
        isAhead = strategy is Strategy.PREDICT_NEXT
        if not (isAhead or self._isDiscovered) and discovery.mappedAddress is not None:
            ports = portsAround(
                own, discovery.mappedAddress.port, discovery.foreignMappings
            )
            self._offer(discovery.mappedAddress.host, ports)
            isAhead = True
        asked = self._context.clock.seconds()
        seen = await discovery.newMapping()
        if seen is None:
            # One may be lost.
            asked = self._context.clock.seconds()
            seen = await discovery.newMapping()
        if not self._race.isRunning:
            return
        now = self._context.clock.seconds()
        # It was a connection and a question: two round trips.  A note takes about one.
        self._ready = now + (now - asked) / 2
        if seen is not None:
            if not isAhead:
                self._offer(
                    seen.host, portsAround(own, seen.port, discovery.foreignMappings)
                )
            isNext = strategy is Strategy.PREDICT_NEXT and self._role is Role.LISTENER
            ports = (portsAfterSkipping if isNext else portsAfter)(
                own, seen.port, discovery.foreignMappings
            )
            self._offer(seen.host, ports)
        self._tryOffered()

    def _offer(self, host: str, ports: Sequence[int]) -> None:
        addresses = [tcpAddress(host, port) for port in ports]
        candidates = tuple(Candidate(Kind.PREDICTED, each) for each in addresses)
        for first in range(0, len(candidates), MAXIMUM):
            self._send(Note(candidates=candidates[first : first + MAXIMUM]))

    def _stop(self) -> None:
        self._starting.clear()
        if self._search is not None:
            self._search.stop()
        for each in (self._discovering, self._predicting):
            if each is not None:
                each.cancel()

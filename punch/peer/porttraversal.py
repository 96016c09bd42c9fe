"""
Port traversal: what an introduction does, beside its race, about NATs that do not keep
the shared port.

Each side tells the other what is known of its own NATs; by both, each knows its part
(L{punch.nat.prediction}): to search for a port, or to predict its own ports and have
the other side try them.
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

from punch.ice.candidate import MAX_CANDIDATES, Candidate, Kind
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
from punch.signaling.messages import MAX_NOTES, Note
from punch.traceevents import Tracer, TraversalStarted, noTracer
from punch.util.timers import RestartableTimer

THOROUGH = 10.0
"""
Seconds after which a search counts as thorough: 99 of 100 searches that can meet the
port have met it by then.
"""

MOST_PREDICTED = 48
"""
Predicted ports of the other side that we try, at most.
"""


@dataclass(frozen=True)
class TraversalContext:
    """
    What a peer gives to the port traversal of each of its introductions.

    @ivar discovery: finds out what our NATs do.
    @ivar sockets: the sockets that all searches of the peer share.
    @ivar connect: connects from the shared port.
    @ivar connectFromOther: connects from another port, any that is free.
    @ivar maySearch: whether there are sockets for a search.
    """

    clock: IReactorTime
    random: Random
    discovery: BehaviorDiscovery
    sockets: SocketBudget
    connect: Connect
    connectFromOther: Connect
    maySearch: bool = True


class PortTraversal:
    """
    Adds to one introduction's race what the NATs of both sides call for.

    The introduction makes it, starts it with the other side's details, and hands it
    the notes that come later.  It stops when the race is over.

    @ivar theirBehavior: what the other side's NATs do, as far as it has told; C{None}
        if it has not.
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
        @param peer: the other side's address as the rendezvous sees it.
        @param role: our role.
        @param send: sends a note to the other side.
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
        # If so, our connect to the other side is younger than what the discovery saw.
        self._isDiscovered = context.discovery.found.settled
        self._began = context.clock.seconds()
        self._notes = self._accepted = 0
        self._offered: list[Candidate] = []
        # When the other side has the ports that we offer, in seconds of our clock.
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
        The details of both sides are known: begin, as soon as our NATs are known too.

        @param told: what our details have told the other side of our NATs.
        @param theirBehavior: what its details have told us.
        """
        self.theirBehavior = theirBehavior
        discovering = self._context.discovery.found.wait()
        discovering.addCallback(self._ourBehaviorKnown, told)
        self._discovering = discovering.addErrback(lambda why: why.trap(CancelledError))

    def noteReceived(self, note: Note) -> None:
        """
        The other side sent a note: ports to try, its report, or what its NATs do.
        """
        self._notes += 1
        if self._notes > MAX_NOTES or not self._race.isRunning:
            return
        # A peer may offer ports of its own host only, or it could aim us at others.
        host = self._peer.host
        offered = [c for c in note.candidates if c.address.host == host]
        offered = offered[: MOST_PREDICTED - self._accepted]
        self._accepted += len(offered)
        self._offered += offered
        self._tryOffered()
        if note.report is not None:
            self._theirReport = note.report
            # The other side's time is nearly up; it judges by our report too.
            self.report()
        if note.behavior is not None and self.theirBehavior is None:
            self.theirBehavior = note.behavior
            self._actOnBoth()

    def _tryOffered(self) -> None:
        """
        Try the ports that the other side has offered.

        Where each connect of either side uses up a port, both must begin at one time:
        as soon as both have heard each other.
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
        Tell the other side, once, what we have seen so far: both judge by it.
        """
        if self._ourReport is None and self._race.isRunning:
            self._ourReport = self._attemptReport()
            self._send(Note(report=self._ourReport))

    def _attemptReport(self) -> AttemptReport:
        isThorough = self._context.clock.seconds() - self._began >= THOROUGH
        outcomes = self._race.checklist.outcomes()
        isBlocked = self._context.discovery.isBlocked
        maySearch = self._context.maySearch
        return AttemptReport(
            self._ourBehavior, outcomes, maySearch, isThorough, isBlocked
        )

    def verdict(self, isBehindSameNAT: bool) -> type[NoDirectPath] | None:
        """
        Why there is no direct path, as far as that can be told; C{None} if it cannot.

        @param isBehindSameNAT: see L{verdictFor}.
        """
        if self._theirReport is None:
            # The other side may not have our report either.  What both know is what
            # the NATs do.
            return verdictForBehaviors(self._ourBehavior, self.theirBehavior)
        ours, theirs = (
            self._ourReport or self._attemptReport(),
            self._theirReport,
        )
        both = (theirs, ours) if self._role is Role.DIALER else (ours, theirs)
        return verdictFor(*both, isBehindSameNAT)

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
        Do our part, once it is known what the NATs of both sides do.
        """
        if self._strategy is not Strategy.NONE:
            return
        self._strategy = strategy = strategyFor(self._ourBehavior, self.theirBehavior)
        if strategy is Strategy.NONE:
            return
        if (
            strategy in (Strategy.SEARCH_FROM_MANY, Strategy.SEARCH_TO_MANY)
            and not self._context.maySearch
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
                # Connects to the address that the rendezvous sees would use up ports,
                # and lead nowhere.
                self._race.checklist.stopTrying(Kind.SERVER_REFLEXIVE)
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
        Predict which ports our NATs give to our next connects, and offer them to the
        other side.
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
            # A lost packet is no answer: ask once more.
            asked = self._context.clock.seconds()
            seen = await discovery.newMapping()
        if not self._race.isRunning:
            return
        now = self._context.clock.seconds()
        # That took two round trips: a connection, and a question.  A note to the other
        # side takes about one.
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
        for first in range(0, len(candidates), MAX_CANDIDATES):
            self._send(Note(candidates=candidates[first : first + MAX_CANDIDATES]))

    def _stop(self) -> None:
        self._starting.clear()
        if self._search is not None:
            self._search.stop()
        for each in (self._discovering, self._predicting):
            if each is not None:
                each.cancel()

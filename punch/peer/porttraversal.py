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
from punch.nat.behavior import Translation
from punch.nat.discovery import BehaviorDiscovery
from punch.nat.errors import NoDirectPath
from punch.nat.portsearch import PortSearch, SocketBudget
from punch.nat.prediction import (
    Part,
    around,
    following,
    partOf,
    shuffledPorts,
    skipping,
)
from punch.nat.verdict import Account, foretell, judge
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
    survey: BehaviorDiscovery
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
        self._ourAccount: Account | None = None
        self._theirAccount: Account | None = None
        self._ourBehavior: Translation | None = None
        self.theirBehavior: Translation | None = None
        self._part = Part.REST
        # Then our connect to the other side is younger than what the survey saw.
        self._isSurveyed = context.survey.found.settled
        self._began = context.clock.seconds()
        self._notes = self._accepted = 0
        self._offered: list[Candidate] = []
        # When the other side has what we offer.
        self._ready = inf
        self._starting = RestartableTimer(context.clock)
        self._search: PortSearch | None = None
        self._predicting: Deferred[None] | None = None
        self._surveying: Deferred[None] | None = None
        race.finished.wait().addCallback(lambda _: self._stop())

    def start(
        self, told: Translation | None, theirBehavior: Translation | None
    ) -> None:
        """
        The two sides know each other.

        @param told: what we have told the other side of our NATs already.
        @param theirs: what it has told us.
        """
        self.theirBehavior = theirBehavior
        surveying = self._context.survey.found.wait()
        surveying.addCallback(self._ourBehaviorKnown, told)
        self._surveying = surveying.addErrback(lambda why: why.trap(CancelledError))

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
        if note.account is not None:
            self._theirAccount = note.account
            # Its time is nearly up, whatever ours is.
            self.report()
        if note.translation is not None and self.theirBehavior is None:
            self.theirBehavior = note.translation
            self._actOnBoth()

    def _tryOffered(self) -> None:
        """
        Try what the other side has offered.

        Where each connect of either side uses up a port, both begin at once: as soon
        as both have heard each other.
        """
        now = self._context.clock.seconds()
        if self._part is Part.PREDICT_NEXT and now < self._ready:
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
        if self._ourAccount is None and self._race.isRunning:
            self._ourAccount = self._account()
            self._send(Note(account=self._ourAccount))

    def _account(self) -> Account:
        isThorough = self._context.clock.seconds() - self._began >= THOROUGH
        outcomes = self._race.outcomes()
        isBlocked = self._context.survey.isBlocked
        searches = self._context.searches
        return Account(self._ourBehavior, outcomes, searches, isThorough, isBlocked)

    def verdict(self, isBehindOne: bool) -> type[NoDirectPath] | None:
        """
        Why there is no direct path, as far as it can be told.

        @param isBehindOne: see L{judge}.
        """
        if self._theirAccount is None:
            # Nor has the other side heard ours, perhaps: what both know is the NATs.
            return foretell(self._ourBehavior, self.theirBehavior)
        ours, theirBehavior = self._ourAccount or self._account(), self._theirAccount
        both = (
            (theirBehavior, ours)
            if self._role is Role.DIALER
            else (ours, theirBehavior)
        )
        return judge(*both, isBehindOne)

    def _ourBehaviorKnown(
        self, own: Translation | None, told: Translation | None
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
        if self._part is not Part.REST:
            return
        self._part = part = partOf(self._ourBehavior, self.theirBehavior)
        if part is Part.REST:
            return
        if part in (Part.SPREAD, Part.GUESS) and not self._context.searches:
            self._tracer(
                TraversalStarted("nothing: a search might do, but we are to make none")
            )
            return
        self._log.debug("{part}", part=part.value)
        self._tracer(TraversalStarted(part.value))
        if part is Part.SPREAD:
            among = f"from many ports to {formatAddress(self._peer)}"
            self._startSearch(
                lambda: self._context.connectFromOther(self._peer), among, None
            )
        elif part is Part.GUESS:
            assert self.theirBehavior is not None
            ports = shuffledPorts(self.theirBehavior.ports, self._context.random)
            among = f"from our one port to many of {self._peer.host}"
            self._startSearch(partial(self._guess, ports), among, Kind.PREDICTED)
        else:
            if part is Part.PREDICT_NEXT:
                # What the rendezvous sees is of no use, and would use up ports.
                self._race.stopTrying(Kind.SERVER_REFLEXIVE)
            predicting = Deferred.fromCoroutine(self._predict(part))
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

    async def _predict(self, part: Part) -> None:
        """
        Tell the other side which ports of ours to try.
        """
        own, survey = self._ourBehavior, self._context.survey
        assert own is not None
        isAhead = part is Part.PREDICT_NEXT
        if not (isAhead or self._isSurveyed) and survey.looked is not None:
            ports = around(own, survey.looked.port, survey.strays)
            self._offer(survey.looked.host, ports)
            isAhead = True
        asked = self._context.clock.seconds()
        seen = await survey.ahead()
        if seen is None:
            # One may be lost.
            asked = self._context.clock.seconds()
            seen = await survey.ahead()
        if not self._race.isRunning:
            return
        now = self._context.clock.seconds()
        # It was a connection and a question: two round trips.  A note takes about one.
        self._ready = now + (now - asked) / 2
        if seen is not None:
            if not isAhead:
                self._offer(seen.host, around(own, seen.port, survey.strays))
            isNext = part is Part.PREDICT_NEXT and self._role is Role.LISTENER
            ports = (skipping if isNext else following)(own, seen.port, survey.strays)
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
        for each in (self._surveying, self._predicting):
            if each is not None:
                each.cancel()

"""
The relay: joins the connections of two clients who were introduced.

Each shows a ticket of its own.  The first waits for the other; then what one sends
the other gets, byte for byte.  What is to be read in that is not the relay's to know:
the two have TLS between them.

Tickets: what lets the two sides of an introduction, and nobody else, use the relay.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from os import urandom

from twisted.internet.interfaces import IReactorTime

from punch.errors import TooMany
from punch.rendezvous.relayerrors import (
    PeerAbsent,
    RelayAddressBusy,
    RelayBusy,
    RelayError,
    RelayTimeSpent,
    TicketUnknown,
    TicketUsed,
)
from punch.rendezvous.relaypreamble import TICKET_BYTES
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.ratelimit import KeyedQuota
from punch.rendezvous.server.relaysplice import RelayedConnection, RelaySplice
from punch.rendezvous.server.statistics import Statistics


@dataclass(slots=True, eq=False)
class Pair:
    """
    The two tickets of one introduction.

    @ivar expires: until when they are good, by the rendezvous' clock.
    @ivar used: those that have been shown.
    """

    listener: bytes
    dialer: bytes
    expires: float
    used: set[bytes] = field(default_factory=set)


class Tickets:
    """
    The tickets that may be shown, or have been of late.
    """

    def __init__(
        self, seconds: float, entropy: Callable[[int], bytes] = urandom
    ) -> None:
        """
        @param seconds: how long a ticket is good.
        """
        self._seconds = seconds
        self._entropy = entropy
        self._pairs: dict[bytes, Pair] = {}

    def __len__(self) -> int:
        """
        How many are remembered.
        """
        return len(self._pairs)

    def issue(self, now: float) -> Pair:
        """
        Make a pair.
        """
        listener, dialer = (self._entropy(TICKET_BYTES) for _ in range(2))
        pair = Pair(listener, dialer, now + self._seconds)
        self._pairs[listener] = self._pairs[dialer] = pair
        return pair

    def use(self, ticket: bytes) -> Pair:
        """
        Somebody shows C{ticket}, which is good no more then.

        @return: the pair that it is of.
        @raise TicketUnknown: there is none such.
        @raise TicketUsed: it has been shown before.
        """
        pair = self._pairs.get(ticket)
        if pair is None:
            raise TicketUnknown()
        if ticket in pair.used:
            raise TicketUsed()
        pair.used.add(ticket)
        return pair

    def forget(self, pair: Pair) -> None:
        """
        The introduction is over, and its tickets with it.
        """
        for ticket in (pair.listener, pair.dialer):
            self._pairs.pop(ticket, None)

    def expire(self, now: float) -> list[Pair]:
        """
        Forget those that are too old: the first ones are the oldest.

        @return: the pairs that they were of.
        """
        expired = []
        while self._pairs:
            pair = next(iter(self._pairs.values()))
            if pair.expires > now:
                break
            self.forget(pair)
            expired.append(pair)
        return expired


class Relay:
    """
    The tickets, those who wait, and the splices of one rendezvous.
    """

    def __init__(self, clock: IReactorTime, limits: Limits, tally: Statistics) -> None:
        self.clock = clock
        self.limits = limits
        self._tally = tally
        self._tickets = Tickets(limits.ticketSeconds)
        self._waiting: dict[Pair, RelayedConnection] = {}
        self._splices: dict[RelaySplice, None] = {}
        self._perAddress = KeyedQuota(limits.splicesPerAddress, "relayed links")
        self._carried = 0

    def __len__(self) -> int:
        """
        How many splices there are.
        """
        return len(self._splices)

    def issue(self) -> Pair:
        """
        Tickets for a new introduction.
        """
        return self._tickets.issue(self.clock.seconds())

    def forget(self, pair: Pair) -> None:
        """
        One side has left the introduction: who waits for it here waits in vain.
        """
        self._tickets.forget(pair)
        self._dismiss(pair)

    def sweep(self, now: float) -> None:
        """
        End what has lasted too long: the first are the oldest.
        """
        for pair in self._tickets.expire(now):
            self._dismiss(pair)
        last = now - self.limits.spliceSeconds
        old = []
        for splice in self._splices:
            if splice.began > last:
                break
            old.append(splice)
        for splice in old:
            self.cut(splice, RelayTimeSpent(f"{self.limits.spliceSeconds} seconds"))

    def carried(self) -> int:
        """
        Bytes carried since this was last asked.
        """
        carried = self._carried + sum(each.carried() for each in self._splices)
        self._carried = 0
        return carried

    # One half.

    def admit(self, half: RelayedConnection, ticket: bytes) -> None:
        """
        A client shows a ticket.

        @raise RelayError: it is no use to it.
        """
        pair = self._tickets.use(ticket)
        if len(pair.used) == 1:
            self._checkRoom()
            self._take(half.key)
            half.pair = pair
            self._waiting[pair] = half
        else:
            self._meet(self._waiting.pop(pair, None), half)

    def gone(self, half: RelayedConnection) -> None:
        """
        The connection of one who waited, or was refused, has ended.
        """
        if half.pair is not None:
            del self._waiting[half.pair]
            self._leave(half)

    def _checkRoom(self) -> None:
        if len(self._waiting) + len(self._splices) >= self.limits.splices:
            raise RelayBusy(f"at most {self.limits.splices} relayed links")

    def _take(self, key: Hashable) -> None:
        try:
            self._perAddress.take(key)
        except TooMany as error:
            raise RelayAddressBusy(error.detail) from None

    def _leave(self, half: RelayedConnection) -> None:
        """
        One waits no more.
        """
        half.pair = None
        self._perAddress.give(half.key)

    def _dismiss(self, pair: Pair) -> None:
        """
        Who waits for the other of a pair waits no more.
        """
        half = self._waiting.pop(pair, None)
        if half is not None:
            self._leave(half)
            half.refuse(PeerAbsent())

    # Both.

    def _meet(self, first: RelayedConnection | None, second: RelayedConnection) -> None:
        """
        The second has come.
        """
        if first is None:
            self._checkRoom()  # Or else it was for that, that the first had to go.
            raise PeerAbsent()
        first.pair = None
        if second.key != first.key:
            try:
                self._take(second.key)
            except RelayError:
                self._leave(first)
                first.refuse(PeerAbsent())
                raise
        splice = RelaySplice(self, first, second)
        self._splices[splice] = None
        self._tally.spliced()
        splice.begin()

    def cut(self, splice: RelaySplice, error: RelayError) -> None:
        """
        A splice has gone too far: break it off.
        """
        splice.halves[0].tell(error)
        splice.cut()

    def ended(self, splice: RelaySplice) -> None:
        """
        Both connections of a splice have ended.
        """
        del self._splices[splice]
        self._carried += splice.carried()
        for key in {half.key for half in splice.halves}:
            self._perAddress.give(key)

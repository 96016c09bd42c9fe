"""
The relay: joins the connections of two clients that were introduced.

Each client shows a ticket of its own.  The first waits for the other; from then on each
gets what the other sends, byte for byte.  The relay cannot read those bytes: the two
clients have TLS between them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from os import urandom

from twisted.internet.interfaces import IReactorTime

from punch.errors import TooMany
from punch.rendezvous import relayerrors
from punch.rendezvous.relaypreamble import TICKET_BYTES
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.ratelimit import KeyedQuota
from punch.rendezvous.server.relaysplice import RelaySplice, SplicedConnection
from punch.rendezvous.server.statistics import Statistics


@dataclass(slots=True, eq=False)
class TicketPair:
    """
    The two tickets of one introduction.

    @ivar expires: until when they are valid, in seconds of the server's clock.
    @ivar used: the tickets that have been shown.
    """

    listener: bytes
    dialer: bytes
    expires: float
    used: set[bytes] = field(default_factory=set)


class Tickets:
    """
    The tickets that the two sides of an introduction, and nobody else, may use.

    The relay owns it, and forgets tickets that are revoked or expired.
    """

    def __init__(
        self, seconds: float, entropy: Callable[[int], bytes] = urandom
    ) -> None:
        """
        @param seconds: how long a ticket is valid.
        @param entropy: makes so many random bytes.
        """
        self._seconds = seconds
        self._entropy = entropy
        self._pairs: dict[bytes, TicketPair] = {}

    def __len__(self) -> int:
        """
        How many tickets are remembered.
        """
        return len(self._pairs)

    def issue(self, now: float) -> TicketPair:
        """
        Make the two tickets of an introduction.
        """
        listener, dialer = (self._entropy(TICKET_BYTES) for _ in range(2))
        pair = TicketPair(listener, dialer, now + self._seconds)
        self._pairs[listener] = self._pairs[dialer] = pair
        return pair

    def use(self, ticket: bytes) -> TicketPair:
        """
        Mark a ticket as used; each is valid once.

        @return: the pair that it belongs to.
        @raise TicketUnknown: there is no such ticket.
        @raise TicketUsed: it has been used before.
        """
        pair = self._pairs.get(ticket)
        if pair is None:
            raise relayerrors.TicketUnknown()
        if ticket in pair.used:
            raise relayerrors.TicketUsed()
        pair.used.add(ticket)
        return pair

    def revoke(self, pair: TicketPair) -> None:
        """
        Forget both tickets; nothing happens if they are forgotten already.
        """
        for ticket in (pair.listener, pair.dialer):
            self._pairs.pop(ticket, None)

    def expire(self, now: float) -> list[TicketPair]:
        """
        Forget the tickets that are too old.

        @return: the pairs that they belonged to, the oldest first.
        """
        expired = []
        while self._pairs:
            pair = next(iter(self._pairs.values()))
            if pair.expires > now:
                break
            self.revoke(pair)
            expired.append(pair)
        return expired


class RelayServer:
    """
    Lets clients with tickets in, and joins the two of an introduction by a splice.

    It belongs to the server's state, which has it L{sweep} once a second.  Limits hold
    for splices and waiting clients together, in all and for each address.
    """

    def __init__(
        self, clock: IReactorTime, limits: Limits, statistics: Statistics
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._statistics = statistics
        self._tickets = Tickets(limits.ticketSeconds)
        self._waiting: dict[TicketPair, SplicedConnection] = {}
        self._splices: dict[RelaySplice, None] = {}
        self._perAddress = KeyedQuota(limits.splicesPerAddress, "relayed links")
        self._carried = 0

    def __len__(self) -> int:
        """
        How many splices there are.
        """
        return len(self._splices)

    def issueTickets(self) -> TicketPair:
        """
        Make the tickets of a new introduction.
        """
        return self._tickets.issue(self._clock.seconds())

    def revoke(self, pair: TicketPair) -> None:
        """
        One side has left the introduction: its tickets are invalid, and whoever waits
        for the other side is refused.
        """
        self._tickets.revoke(pair)
        self._refuseWaiting(pair)

    def sweep(self, now: float) -> None:
        """
        End what has lasted too long.
        """
        for pair in self._tickets.expire(now):
            self._refuseWaiting(pair)
        last = now - self._limits.spliceSeconds
        # The first splices are the oldest.
        for splice in list(takewhile(lambda each: each.started <= last, self._splices)):
            splice.abort(
                relayerrors.RelayTimeSpent(f"{self._limits.spliceSeconds} seconds")
            )

    def takeCarried(self) -> int:
        """
        Bytes carried since this was called last.
        """
        carried = self._carried + sum(each.takeCarried() for each in self._splices)
        self._carried = 0
        return carried

    def admit(self, connection: SplicedConnection, ticket: bytes) -> None:
        """
        Let a client in that shows a ticket: the first of two waits, the second is
        joined with it.

        @raise RelayError: the ticket is not valid, or there is no room.
        """
        pair = self._tickets.use(ticket)
        if len(pair.used) == 1:
            self._checkRoom()
            self._acquire(connection.key)
            connection.abandoned = partial(self._stopWaiting, pair)
            self._waiting[pair] = connection
        else:
            self._join(self._waiting.pop(pair, None), connection)

    def _checkRoom(self) -> None:
        if len(self._waiting) + len(self._splices) >= self._limits.splices:
            raise relayerrors.RelayBusy(f"at most {self._limits.splices} relayed links")

    def _acquire(self, key: Hashable) -> None:
        try:
            self._perAddress.acquire(key)
        except TooMany as error:
            raise relayerrors.RelayAddressBusy(error.detail) from None

    def _stopWaiting(self, pair: TicketPair) -> SplicedConnection | None:
        """
        The client that waits for the other of a pair, if any, does so no more.
        """
        waiting = self._waiting.pop(pair, None)
        if waiting is not None:
            waiting.abandoned = None
            self._perAddress.release(waiting.key)
        return waiting

    def _refuseWaiting(self, pair: TicketPair) -> None:
        waiting = self._stopWaiting(pair)
        if waiting is not None:
            waiting.refuse(relayerrors.PeerAbsent())

    def _join(self, first: SplicedConnection | None, second: SplicedConnection) -> None:
        """
        Splice two clients, of which C{first} waited unless it has gone.
        """
        if first is None:
            self._checkRoom()  # The first may have been refused for want of room.
            raise relayerrors.PeerAbsent()
        first.abandoned = None
        if second.key != first.key:
            try:
                self._acquire(second.key)
            except relayerrors.RelayError:
                self._perAddress.release(first.key)
                first.refuse(relayerrors.PeerAbsent())
                raise
        splice = RelaySplice(self._clock, self._limits, first, second, self._ended)
        self._splices[splice] = None
        self._statistics.spliced()
        splice.start()

    def _ended(self, splice: RelaySplice) -> None:
        """
        Both connections of a splice have ended.
        """
        del self._splices[splice]
        self._carried += splice.takeCarried()
        for key in {each.key for each in splice.connections}:
            self._perAddress.release(key)

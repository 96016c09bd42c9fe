"""
Tickets: what lets the two sides of an introduction, and nobody else, use the relay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from os import urandom

from punch.relayerrors import TicketUnknown, TicketUsed
from punch.relaying import TICKET_BYTES


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

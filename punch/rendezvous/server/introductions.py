"""
Introductions: which dialer meets which listener, and when both start.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import takewhile
from os import urandom
from typing import Generic, Protocol, TypeVar

from punch.errors import TooLarge, TooMany
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.ratelimit import KeyedQuota
from punch.rendezvous.server.relay import TicketPair

MAX_ROUND_TRIP = 2.0
"""
Seconds.  A longer reported round trip counts as this.
"""


def clampRoundTrip(roundTrip: float) -> float:
    """
    Bring a reported round trip, in seconds, into the range from 0 to
    L{MAX_ROUND_TRIP}.
    """
    return min(max(roundTrip, 0.0), MAX_ROUND_TRIP)


def startDelays(first: float | None, second: float | None) -> tuple[float, float]:
    """
    Compute how long each of two clients waits, so that both start at one instant.

    Both are told of the introduction at the same time, and each hears of it half its
    round trip later.  So the nearer one waits for half the difference.

    @param first: the first client's round trip in seconds, L{None} if not known.
    @param second: likewise, the second client's.
    @return: the first client's and the second client's delay in seconds; both 0 if a
        round trip is not known.
    """
    if first is None or second is None:
        return 0.0, 0.0
    first, second = clampRoundTrip(first), clampRoundTrip(second)
    farther = max(first, second)
    return (farther - first) / 2, (farther - second) / 2


class Party(Protocol):
    """
    What L{Introductions} asks of a client that takes part in one.
    """

    @property
    def addressKey(self) -> Hashable:
        """
        What the client's dials are counted under.
        """


P = TypeVar("P", bound=Party)


@dataclass(slots=True, eq=False)
class OpenIntroduction(Generic[P]):
    """
    One dialer that meets one listener.

    @ivar identifier: names it in the commands; 8 random bytes.
    @ivar name: the name that was dialed.
    @ivar started: when, in seconds of the server's clock.
    @ivar messages: how many messages have passed.
    @ivar tickets: the two sides' tickets for the relay, if there is one.
    """

    identifier: bytes
    name: str
    listener: P
    dialer: P
    started: float
    messages: int = field(default=0)
    tickets: TicketPair | None = field(default=None)

    def other(self, party: P) -> P:
        """
        The other side than C{party}.
        """
        return self.dialer if party is self.listener else self.listener


class Introductions(Generic[P]):
    """
    The introductions that are alive, by identifier and by party.

    It belongs to the server's state, and limits how many introductions there are of
    one name and from one address.
    """

    def __init__(
        self, limits: Limits, entropy: Callable[[int], bytes] = urandom
    ) -> None:
        """
        @param entropy: makes so many random bytes.
        """
        self._limits = limits
        self._entropy = entropy
        self._alive: dict[bytes, OpenIntroduction[P]] = {}
        self._byParty: dict[P, dict[bytes, OpenIntroduction[P]]] = {}
        self._perName = KeyedQuota(
            limits.introductionsPerName, "introductions of one name"
        )
        self._perAddress = KeyedQuota(
            limits.introductionsPerAddress, "introductions from one address"
        )

    def __len__(self) -> int:
        """
        How many introductions are alive.
        """
        return len(self._alive)

    def start(
        self, name: str, listener: P, dialer: P, now: float
    ) -> OpenIntroduction[P]:
        """
        Introduce C{dialer} to C{listener}.

        @raise TooMany: the name or the dialer's address has too many alive.
        """
        self._perAddress.acquire(dialer.addressKey)
        try:
            self._perName.acquire(name)
        except TooMany:
            self._perAddress.release(dialer.addressKey)
            raise
        started = OpenIntroduction(self._entropy(8), name, listener, dialer, now)
        self._alive[started.identifier] = started
        for party in (listener, dialer):
            self._byParty.setdefault(party, {})[started.identifier] = started
        return started

    def find(self, identifier: bytes, party: P) -> OpenIntroduction[P] | None:
        """
        The introduction of this identifier, if it is alive and C{party} takes part.
        """
        return self._byParty.get(party, {}).get(identifier)

    def isBusy(self, party: P) -> bool:
        """
        Whether C{party} takes part in any.
        """
        return party in self._byParty

    def countMessage(self, introduction: OpenIntroduction[P], message: bytes) -> None:
        """
        Count a message that is to pass.

        @raise TooLarge: it is too large.
        @raise TooMany: too many have passed.
        """
        if len(message) > self._limits.messageBytes:
            raise TooLarge(f"at most {self._limits.messageBytes} bytes")
        if introduction.messages >= self._limits.messagesPerIntroduction:
            raise TooMany(f"at most {self._limits.messagesPerIntroduction} messages")
        introduction.messages += 1

    def remove(self, introduction: OpenIntroduction[P]) -> None:
        """
        Forget an introduction that is alive.
        """
        del self._alive[introduction.identifier]
        for party in (introduction.listener, introduction.dialer):
            remaining = self._byParty[party]
            del remaining[introduction.identifier]
            if not remaining:
                del self._byParty[party]
        self._perName.release(introduction.name)
        self._perAddress.release(introduction.dialer.addressKey)

    def ofParty(self, party: P) -> list[OpenIntroduction[P]]:
        """
        The introductions that C{party} takes part in.
        """
        return list(self._byParty.get(party, {}).values())

    def overdue(self, now: float) -> list[OpenIntroduction[P]]:
        """
        The introductions that have lived as long as they may, the oldest first.
        """
        last = now - self._limits.introductionSeconds
        return list(takewhile(lambda each: each.started <= last, self._alive.values()))

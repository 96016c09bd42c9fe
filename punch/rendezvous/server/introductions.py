"""
Introductions: which dialer meets which listener, from the dial until one leaves.

Pacing: how long each side of an introduction waits, so that both start at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from os import urandom
from typing import Generic, Protocol, TypeVar

from punch.errors import TooLarge, TooMany
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.ratelimit import KeyedQuota
from punch.rendezvous.server.relay import Pair

LONGEST = 2.0
"""
Seconds; a round trip that is said to be longer counts as this.
"""


def clamp(roundTrip: float) -> float:
    """
    A round trip, in seconds, within reason.
    """
    return min(max(roundTrip, 0.0), LONGEST)


def waits(first: float | None, second: float | None) -> tuple[float, float]:
    """
    How long each of two clients waits from hearing of the introduction, both being
    told at one instant, so that the nearer starts when the farther does.

    @param first: the first's round trip in seconds, L{None} if not known: then it
        counts as equal to the other's.
    """
    if first is None or second is None:
        return 0.0, 0.0
    first, second = clamp(first), clamp(second)
    farther = max(first, second)
    return (farther - first) / 2, (farther - second) / 2


class Party(Protocol):
    """
    One side of an introduction, as far as introductions care.
    """

    @property
    def addressKey(self) -> Hashable:
        """
        What its dials are counted under.
        """


P = TypeVar("P", bound=Party)


@dataclass(slots=True, eq=False)
class Introduction(Generic[P]):
    """
    One dialer meeting one listener.

    @ivar tickets: theirs for the relay, if there is one.
    """

    identifier: bytes
    name: str
    listener: P
    dialer: P
    began: float
    messages: int = field(default=0)
    tickets: Pair | None = field(default=None)

    def other(self, party: P) -> P:
        """
        The side that C{party} is not.
        """
        return self.dialer if party is self.listener else self.listener


class Introductions(Generic[P]):
    """
    The introductions that are alive, and who takes part in them.
    """

    def __init__(
        self, limits: Limits, entropy: Callable[[int], bytes] = urandom
    ) -> None:
        self._limits = limits
        self._entropy = entropy
        self._alive: dict[bytes, Introduction[P]] = {}
        self._of: dict[P, dict[bytes, Introduction[P]]] = {}
        self._perName = KeyedQuota(
            limits.introductionsPerName, "introductions of one name"
        )
        self._perAddress = KeyedQuota(
            limits.introductionsPerAddress, "introductions from one address"
        )

    def __len__(self) -> int:
        """
        How many are alive.
        """
        return len(self._alive)

    def begin(self, name: str, listener: P, dialer: P, now: float) -> Introduction[P]:
        """
        Introduce C{dialer} to C{listener}.

        @raise TooMany: the name or the dialer's address has too many alive.
        """
        self._perAddress.take(dialer.addressKey)
        try:
            self._perName.take(name)
        except TooMany:
            self._perAddress.give(dialer.addressKey)
            raise
        meeting = Introduction(self._entropy(8), name, listener, dialer, now)
        self._alive[meeting.identifier] = meeting
        for party in (listener, dialer):
            self._of.setdefault(party, {})[meeting.identifier] = meeting
        return meeting

    def find(self, identifier: bytes, party: P) -> Introduction[P] | None:
        """
        The introduction of this identifier, if it lives and C{party} takes part.
        """
        mine = self._of.get(party)
        return None if mine is None else mine.get(identifier)

    def busy(self, party: P) -> bool:
        """
        Whether C{party} takes part in any.
        """
        return party in self._of

    def count(self, meeting: Introduction[P], message: bytes) -> None:
        """
        One message passes.

        @raise TooLarge: it is too large.
        @raise TooMany: too many have passed.
        """
        if len(message) > self._limits.messageBytes:
            raise TooLarge(f"at most {self._limits.messageBytes} bytes")
        if meeting.messages >= self._limits.messagesPerIntroduction:
            raise TooMany(f"at most {self._limits.messagesPerIntroduction} messages")
        meeting.messages += 1

    def end(self, meeting: Introduction[P]) -> None:
        """
        Forget an introduction that is alive.
        """
        del self._alive[meeting.identifier]
        for party in (meeting.listener, meeting.dialer):
            mine = self._of[party]
            del mine[meeting.identifier]
            if not mine:
                del self._of[party]
        self._perName.give(meeting.name)
        self._perAddress.give(meeting.dialer.addressKey)

    def of(self, party: P) -> list[Introduction[P]]:
        """
        Those that C{party} takes part in.
        """
        return list(self._of.get(party, {}).values())

    def overdue(self, now: float) -> list[Introduction[P]]:
        """
        Those that have lived as long as they may.
        """
        last = now - self._limits.introductionSeconds
        old = []
        for meeting in self._alive.values():
            if meeting.began > last:
                break
            old.append(meeting)
        return old

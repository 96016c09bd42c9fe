"""
The meeting: what an introduction is given, of whom to meet and of what to work with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from punch.address import Address, ipOf
from punch.approach import Ways
from punch.events import Tell
from punch.policy import RelayPolicy
from punch.race import Connect
from punch.steps import Pen, noPen
from punch.tls import Security


@dataclass(frozen=True)
class Means:
    """
    What an introduction works with.

    C{timeout}: seconds from the introduction to giving up.  C{relay}: connects to
    the relay with a ticket.  C{ways}: for NATs that do not keep ports.
    """

    clock: IReactorTime
    security: Security
    connect: Connect
    random: Random
    tell: Tell
    timeout: float
    policy: RelayPolicy
    relay: Callable[[bytes], Deferred[Any]]
    ways: Ways


@dataclass(frozen=True)
class Meeting:
    """
    What the rendezvous said: whom we meet, when to start, and the way to send
    the other side a message.

    C{own}: our own address as the rendezvous sees it.  C{local}: the rendezvous is on
    our own host, as we see it ourselves.  C{ticket}: for its relay, if it is one.
    C{pen}: draws the introduction.
    """

    own: Address
    peer: Address
    wait: float
    local: bool
    relay: Callable[[bytes], None]
    ticket: bytes | None = field(default=None, repr=False)
    pen: Pen = noPen

    @property
    def overLoopback(self) -> bool:
        """
        Whether both of us are on one host with the rendezvous.
        """
        return self.local and ipOf(self.peer).is_loopback

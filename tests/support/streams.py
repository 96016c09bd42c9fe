"""
Two multiplexers on the two ends of a link in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol

from punch.net.address import PunchAddress
from punch.streams.inbound import Offer
from punch.streams.multiplexer import Multiplexer
from punch.streams.outbound import OutboundRequest
from tests.support.doubles import Pair
from tests.support.programs import HalfCloser, Recorder

P = TypeVar("P", bound=Protocol)


class Streams:
    """
    A dialer and a listener, joined by a link.

    C{offers}: what either offers; the listener's are those of most tests.
    """

    def __init__(self) -> None:
        self.pair = Pair()
        self.links = self.pair.links()
        self.dialersOffers: dict[str, Offer] = {}
        self.offers: dict[str, Offer] = {}
        clock = self.pair.network.clock
        self.dialer = Multiplexer(clock, self.dialersOffers)
        self.listener = Multiplexer(clock, self.offers)
        self.links[0].start(self.dialer)
        self.links[1].start(self.listener)
        self.run = self.pair.run
        self.run()

    def offer(self, name: str, make: Callable[[], P]) -> list[P]:
        """
        Let the listener offer a service.

        @return: the protocols that it makes from now on.
        """
        made: list[P] = []

        def offer(peer: PunchAddress) -> Deferred[IProtocol]:
            made.append(make())
            return succeed(made[-1])

        self.offers[name] = offer
        return made

    def request(self, name: str, by: Multiplexer | None = None) -> OutboundRequest:
        """
        Ask for a service, by default the dialer does.
        """
        [request] = requests(1, name, by or self.dialer)
        return request

    def joined(self, kind: Callable[[], Recorder] = HalfCloser) -> list[Recorder]:
        """
        A stream, and a protocol on either end: the requester's, the service's.
        """
        made = self.offer("service", kind)
        request = self.request("service")
        mine = kind()
        request.stream.start(mine)
        self.run()
        return [mine, made[-1]]


def requests(count: int, name: str, by: Multiplexer) -> list[OutboundRequest]:
    """
    Ask for a service some times.
    """
    made: list[OutboundRequest] = []
    for _ in range(count):
        by.open(name).addCallback(made.append)
    return made

"""
Streaming: a multiplexer on each link of a service, and which of them to use.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from zope.interface import implementer

from punch.interfaces import IFarewell
from punch.streams.inbound import Offers
from punch.streams.multiplexer import Multiplexer


@implementer(IFarewell)
class MultiplexerPool(Factory[Multiplexer]):
    """
    Builds a multiplexer for each link, and knows those that live.

    Whoever wants a stream gets it on the newest link: where there are several, a
    peer that came back is more likely there than on the link that it had before.
    """

    noisy = False

    def __init__(self, clock: IReactorTime, offers: Offers) -> None:
        """
        @param offers: what each peer may have; it may change at any time.
        """
        self._clock = clock
        self._offers = offers
        self._living: list[Multiplexer] = []
        self._waiting: list[Deferred[Multiplexer]] = []

    def buildProtocol(self, addr: IAddress | None) -> Multiplexer:
        return Multiplexer(self._clock, self._offers, self._ready)

    def _ready(self, multiplexer: Multiplexer) -> None:
        self._living.append(multiplexer)
        multiplexer.whenEnded().addCallback(self._ended, multiplexer)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(multiplexer)

    def _ended(self, result: None, multiplexer: Multiplexer) -> None:
        self._living.remove(multiplexer)

    def newest(self) -> Multiplexer | None:
        """
        The one to ask, if there is any.
        """
        for each in reversed(self._living):
            if each.takesRequests:
                return each
        return None

    def whenReady(self) -> Deferred[Multiplexer]:
        """
        The newest, or else the next one.
        """
        waiter: Deferred[Multiplexer] = Deferred(self._waiting.remove)
        newest = self.newest()
        if newest is None:
            self._waiting.append(waiter)
        else:
            waiter.callback(newest)
        return waiter

    def goAway(self) -> Deferred[Any]:
        """
        Open and accept no more streams on any.

        @return: fires when none is left.
        """
        return gatherResults([each.goAway() for each in self._living])

    def leave(self) -> None:
        """
        End the links, and with them the streams that still live.
        """
        for each in list(self._living):
            each.leave()

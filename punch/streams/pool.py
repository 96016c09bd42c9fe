"""
A pool of multiplexers: one for each link of a service.
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
    Builds a multiplexer for each link, and says which one to open streams on.

    It is the protocol factory of a service's links; a multiplexer leaves the pool when
    its link has ended.  Streams are opened on the newest link: if there are several, a
    peer that came back is more likely to use that one than the link it had before.
    """

    noisy = False

    def __init__(self, clock: IReactorTime, offers: Offers) -> None:
        """
        @param offers: the services that each peer may ask for; they may change at any
            time.
        """
        self._clock = clock
        self._offers = offers
        self._multiplexers: list[Multiplexer] = []
        self._waiting: list[Deferred[Multiplexer]] = []

    def buildProtocol(self, addr: IAddress | None) -> Multiplexer:
        return Multiplexer(self._clock, self._offers, self._ready)

    def _ready(self, multiplexer: Multiplexer) -> None:
        self._multiplexers.append(multiplexer)
        multiplexer.whenEnded().addCallback(self._ended, multiplexer)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(multiplexer)

    def _ended(self, result: None, multiplexer: Multiplexer) -> None:
        self._multiplexers.remove(multiplexer)

    def newest(self) -> Multiplexer | None:
        """
        The newest multiplexer that takes requests, if there is any.
        """
        for each in reversed(self._multiplexers):
            if each.takesRequests:
                return each
        return None

    def whenReady(self) -> Deferred[Multiplexer]:
        """
        Fires with the newest multiplexer that takes requests; if there is none, with
        the next one.
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
        Open and accept no more streams on any link.

        @return: fires when the last stream has ended.
        """
        return gatherResults([each.goAway() for each in self._multiplexers])

    def leave(self) -> None:
        """
        Close the links, and with them the streams that are left.
        """
        for each in list(self._multiplexers):
            each.leave()

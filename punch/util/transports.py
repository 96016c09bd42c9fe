"""
A pull producer made to push.

The options of TCP that transports of ours have in common.
"""

from __future__ import annotations

from twisted.internet.interfaces import (
    IDelayedCall,
    IProducer,
    IPullProducer,
    IPushProducer,
    IReactorTime,
)
from zope.interface import implementer


@implementer(IPushProducer)
class PushFromPull:
    """
    Asks a pull producer for more, once a turn of the reactor, until it is paused.
    """

    def __init__(self, clock: IReactorTime, producer: IProducer) -> None:
        assert IPullProducer.providedBy(producer)
        self._clock = clock
        self._producer = producer
        self._next: IDelayedCall | None = None

    def resumeProducing(self) -> None:
        if self._next is None:
            self._next = self._clock.callLater(0, self._pull)

    def _pull(self) -> None:
        self._next = self._clock.callLater(0, self._pull)
        self._producer.resumeProducing()

    def pauseProducing(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def stopProducing(self) -> None:
        self.pauseProducing()
        self._producer.stopProducing()


class FixedTCPOptions:
    """
    A transport that never delays and whose peer is watched already: there is nothing
    to set (L{twisted.internet.interfaces.ITCPTransport}).
    """

    def getTcpNoDelay(self) -> bool:
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Small writes are never held back.
        """

    def getTcpKeepAlive(self) -> bool:
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        The link's own keepalive is always at work.
        """

"""
Parts that our own transports have in common.
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
    Makes a push producer of a pull producer: asks it for more once in each turn of the
    reactor, until it is paused or stopped.
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
    The TCP options of a transport on which they cannot be changed
    (L{twisted.internet.interfaces.ITCPTransport}): it never delays small writes, and it
    watches the other side already.
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

"""
Parts that our own transports have in common.
"""

from __future__ import annotations

from typing import cast

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


class ProducedTransport(FixedTCPOptions):
    """
    A transport that has a producer while one is registered; the base of our own.

    A subclass is an L{IConsumer}: it makes C{registerProducer} and
    C{unregisterProducer} of what is here, and says when there is room.

    @ivar connected: whether the transport's end has not been told yet.
    """

    connected = True
    _producer: IPushProducer | None = None
    _isProducing = True

    def unregisterProducer(self) -> None:
        """
        Have no producer any more.
        """
        producer, self._producer = self._producer, None
        if isinstance(producer, PushFromPull):
            producer.pauseProducing()

    def _setProducer(
        self, clock: IReactorTime, producer: IProducer, isPush: bool
    ) -> None:
        """
        Have this producer, or stop it if the transport has ended.

        @raise RuntimeError: there is one already.
        """
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        if not self.connected:
            producer.stopProducing()
            return
        self._isProducing = True
        if isPush:
            self._producer = cast(IPushProducer, producer)
        else:
            self._producer = PushFromPull(clock, producer)
            self._producer.resumeProducing()

    def _setProducing(self, isProducing: bool) -> None:
        """
        Pause or resume the producer, if there is one and it does not do that already.
        """
        producer = self._producer
        if producer is not None and isProducing is not self._isProducing:
            self._isProducing = isProducing
            if isProducing:
                producer.resumeProducing()
            else:
                producer.pauseProducing()

    def _stopProducer(self) -> None:
        """
        Have no producer any more, and stop it.
        """
        producer = self._producer
        if producer is not None:
            self.unregisterProducer()
            producer.stopProducing()

"""
The used link: one that carries the streams of our clients, and ends with the last.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, TimeoutError
from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Protocol

from punch.link import Link
from punch.streamerrors import ServiceSilent
from punch.streams.multiplexer import Multiplexer
from punch.streams.stream import Stream

GOODBYE = 2.0
"""
Seconds that we wait for links to end.
"""


def whenGone(clock: IReactorTime, links: Iterable[Link]) -> Deferred[Any]:
    """
    Wait for links that are ending, but no longer than L{GOODBYE}: a slow one may
    have bytes to deliver yet, so it is left to itself (L{punch.link.LINGER}).
    """
    ended = DeferredList([link.whenReleased() for link in links], consumeErrors=True)
    return ended.addTimeout(GOODBYE, clock, lambda result, timeout: None)


class UsedLink:
    """
    A link that ends when nobody uses it any more.
    """

    def __init__(self, clock: IReactorTime, link: Link) -> None:
        self.link = link
        self._clock = clock
        self._users = 0
        self._isLeft = False
        self._multiplexer = Multiplexer(clock, {})
        link.start(self._multiplexer)

    @property
    def isOpen(self) -> bool:
        """
        Whether one more may use it.
        """
        return self.link.connected and self._multiplexer.takesRequests

    @property
    def isForsaken(self) -> bool:
        """
        Whether it has ended, or is about to, and that is none of our doing.
        """
        return not (self._isLeft or self.isOpen)

    async def connect(
        self, service: str, factory: IProtocolFactory, patience: float
    ) -> IProtocol:
        """
        Let a protocol of C{factory} talk to a service.

        @param patience: seconds that the peer has to accept.
        @raise punch.streamerrors.StreamError: it does not.
        @raise punch.errors.LinkError: the link ended first.
        @raise NoProtocol: the factory makes none.
        """
        self._users += 1
        asked = Deferred.fromCoroutine(self._request(service))
        try:
            stream = await asked.addTimeout(patience, self._clock)
        except TimeoutError:
            self._left(None)
            raise ServiceSilent(service) from None
        except Exception:
            self._left(None)
            raise
        stream.whenEnded().addCallback(self._left)
        return _run(factory, stream)

    async def _request(self, service: str) -> Stream:
        request = await self._multiplexer.open(service)
        try:
            await request.whenAccepted()
        except CancelledError:
            request.stream.abortConnection()
            raise
        return request.stream

    def _left(self, result: None) -> None:
        self._users -= 1
        self.endUnused()

    def endUnused(self) -> None:
        """
        End the link, cleanly, if nobody uses it.
        """
        if not self._users and self.link.connected and not self._isLeft:
            self._isLeft = True
            self._multiplexer.leave()


def _run(factory: IProtocolFactory, stream: Stream) -> IProtocol:
    """
    Let a new protocol run on C{stream}.
    """
    factory.doStart()
    stream.whenEnded().addCallback(lambda result: factory.doStop())
    try:
        protocol = factory.buildProtocol(stream.getPeer())
        if protocol is None:
            raise NoProtocol()
    except Exception:
        stream.start(Protocol())
        stream.abortConnection()
        raise
    try:
        stream.start(protocol)
    except Exception:
        stream.abortConnection()
        raise
    return protocol

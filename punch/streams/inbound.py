"""
An inbound request: a stream that the peer opened, until a service has accepted it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch.errors import PunchError
from punch.net.address import PunchAddress
from punch.streams.errors import NoSuchService, TooManyStreams
from punch.streams.servicename import STATUSES, ServiceNameReader
from punch.streams.stream import Carrier, Stream

Offer = Callable[[PunchAddress], Deferred[IProtocol]]
"""
Makes the protocol that is to run on a stream which the peer with that address opened.
If it fails with one of L{punch.streams.errors}, the peer is told so.
"""

Offers = Mapping[str, Offer]
"""
The services that the peer may ask for, by name.
"""


class InboundRequest:
    """
    Reads the name of the service that the peer wants, has the service make a protocol,
    and answers with a status.

    The multiplexer makes one for each stream that the peer opens.  It ends when the
    stream's protocol is there, and the stream receives its events itself; or when the
    request was refused, or the stream is lost.
    """

    _log = Logger()

    def __init__(
        self, carrier: Carrier, stream: Stream, offers: Offers, isTooMany: bool
    ) -> None:
        """
        @param isTooMany: whether there are too many streams, so that it is refused.
        """
        self._carrier = carrier
        self._stream = stream
        self._offers = offers
        self._isTooMany = isTooMany
        self._reader: ServiceNameReader | None = ServiceNameReader()
        self._making: Deferred[IProtocol] | None = None

    def dataReceived(self, data: bytes) -> None:
        """
        Read the service's name; what follows is held for the service.
        """
        if self._reader is None:
            self._stream.dataReceived(data)
            return
        read = self._reader.feed(data)
        if read is None:
            self._carrier.consumed(self._stream.id, len(data))
            return
        self._reader = None
        service, rest = read
        self._carrier.consumed(self._stream.id, len(data) - len(rest))
        if rest:
            self._stream.dataReceived(rest)
        self._find(service)

    def _find(self, service: str) -> None:
        making = self._making = maybeDeferred(self._make, service)
        making.addCallbacks(self._accept, self._refuse, (), {}, (service,))
        making.addErrback(lambda why: self._log.failure("in a service", why))

    def _make(self, service: str) -> Deferred[IProtocol]:
        if self._isTooMany:
            raise TooManyStreams(service)
        offer = self._offers.get(service)
        if offer is None:
            raise NoSuchService(service)
        return offer(self._stream.getPeer())

    def _accept(self, protocol: IProtocol) -> None:
        self._making = None
        self._carrier.requestEnded(self._stream)
        self._stream.write(STATUSES.encode(None))
        self._stream.start(protocol)

    def _refuse(self, failure: Failure, service: str) -> None:
        self._making = None
        if failure.check(CancelledError):
            return
        error = failure.value
        if isinstance(error, PunchError):
            # The error's own sentence is written for the other side.
            self._log.warn(
                "The other side was refused {service!r}: {why} ({detail})",
                service=service,
                why=type(error).__name__,
                detail=error.detail,
            )
        else:
            self._log.failure("making {service}", failure, service=service)
        self._carrier.requestEnded(self._stream)
        self._stream.write(STATUSES.encode(error))
        self._stream.loseConnection()

    def finished(self) -> None:
        """
        The peer sends no more.
        """
        if self._reader is not None:
            self._carrier.reset(self._stream.id)
        else:
            self._stream.finished()

    def drained(self) -> None:
        """
        Nothing needs to be done: only the status was ever written.
        """

    def lost(self, reason: Failure) -> None:
        """
        The peer reset the stream, or the link ended.
        """
        making, self._making = self._making, None
        self._stream.lost(reason)
        if making is not None:
            making.cancel()

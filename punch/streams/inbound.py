"""
The call: a stream of the peer's, until its service is found and has taken it.
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
Makes the protocol that is to run on a stream of the peer with that address.
L{punch.streams.errors.TargetRefused} and the like become the answer.
"""

Offers = Mapping[str, Offer]
"""
What the peer may have, by the service's name.
"""


class InboundRequest:
    """
    Reads which service the peer wants, and answers.
    """

    _log = Logger()

    def __init__(
        self, carrier: Carrier, stream: Stream, offers: Offers, isTooMany: bool
    ) -> None:
        """
        @param isTooMany: refuse it, whatever it wants.
        """
        self._carrier = carrier
        self._stream = stream
        self._offers = offers
        self._isTooMany = isTooMany
        self._opening: ServiceNameReader | None = ServiceNameReader()
        self._making: Deferred[IProtocol] | None = None

    def dataReceived(self, data: bytes) -> None:
        """
        First comes the service's name; what follows waits for the service.
        """
        if self._opening is None:
            self._stream.dataReceived(data)
            return
        read = self._opening.feed(data)
        if read is None:
            self._carrier.consumed(self._stream.id, len(data))
            return
        self._opening = None
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
        self._carrier.settled(self._stream)
        self._stream.write(STATUSES.encode(None))
        self._stream.start(protocol)

    def _refuse(self, failure: Failure, service: str) -> None:
        self._making = None
        if failure.check(CancelledError):
            return
        error = failure.value
        if isinstance(error, PunchError):
            # Its sentence is for those who asked.
            self._log.warn(
                "The other side was refused {service!r}: {why} ({detail})",
                service=service,
                why=type(error).__name__,
                detail=error.detail,
            )
        else:
            self._log.failure("making {service}", failure, service=service)
        self._carrier.settled(self._stream)
        self._stream.write(STATUSES.encode(error))
        self._stream.loseConnection()

    def finished(self) -> None:
        """
        The peer has said all that it has to say.
        """
        if self._opening is not None:
            self._carrier.reset(self._stream.id)
        else:
            self._stream.finished()

    def drained(self) -> None:
        """
        Nothing but an answer was ever written.
        """

    def lost(self, reason: Failure) -> None:
        """
        The peer reset it, or the link is over.
        """
        making, self._making = self._making, None
        self._stream.lost(reason)
        if making is not None:
            making.cancel()

"""
The request: a stream of ours, until the other side has answered which service it
is for.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from punch.errors import PunchError
from punch.streams.errors import StreamReset
from punch.streams.servicename import STATUSES, encodeService
from punch.streams.stream import Carrier, Stream
from punch.util.deferreds import SharedResult


class OutboundRequest:
    """
    Asks for a service.

    C{stream}: may be started and written to before there is an answer; what is
    written then is lost if it is a refusal.
    """

    def __init__(self, carrier: Carrier, id: int, service: str) -> None:
        self.stream = Stream(carrier, id)
        self._carrier = carrier
        self._service = service
        self._accepted: SharedResult[None] = SharedResult()
        carrier.write(id, encodeService(service))

    def whenAccepted(self) -> Deferred[None]:
        """
        The other side's answer.

        @raise punch.streams.errors.StreamError: it refused.
        @raise punch.errors.PathLost: the link ended first.
        """
        return self._accepted.wait()

    def dataReceived(self, data: bytes) -> None:
        """
        The first byte is the answer; more are the service's.
        """
        self._carrier.consumed(self.stream.id, 1)
        refusal = STATUSES.decode(data[0])
        if refusal is not None:
            self.fail(refusal(self._service))
            self._carrier.reset(self.stream.id)
            return
        self._carrier.settled(self.stream)
        self._accepted.succeed(None)
        if len(data) > 1 and self.stream.connected:
            self.stream.dataReceived(data[1:])

    def finished(self) -> None:
        """
        The other side ended it without an answer.
        """
        self.fail(StreamReset(self._service))
        self._carrier.reset(self.stream.id)

    def drained(self) -> None:
        """
        There is room for more.
        """
        self.stream.drained()

    def lost(self, reason: Failure) -> None:
        """
        The stream, or the link, is over; or we have given up.
        """
        cause = getattr(reason.value, "__cause__", None)
        known = cause if isinstance(cause, PunchError) else None
        self.fail(known or StreamReset(self._service))

    def fail(self, error: PunchError) -> None:
        """
        This is why there is no service.
        """
        lost = ConnectionLost(str(error))
        lost.__cause__ = error
        self.stream.lost(Failure(lost))
        if not self._accepted.settled:
            self._accepted.fail(error)

"""
An outbound request: a stream that we opened, until the peer has answered.
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
    Asks the peer for a service, on a stream of its own.

    L{punch.streams.multiplexer.Multiplexer.open} makes it.  It ends with the peer's
    answer (L{whenAccepted}): from then on the stream receives its events itself, or it
    was refused and is lost.

    @ivar stream: may be started and written to before there is an answer; what is
        written then is lost if the peer refuses.
    """

    def __init__(self, carrier: Carrier, id: int, service: str) -> None:
        self.stream = Stream(carrier, id)
        self._carrier = carrier
        self._service = service
        self._accepted: SharedResult[None] = SharedResult()
        carrier.write(id, encodeService(service))

    def whenAccepted(self) -> Deferred[None]:
        """
        Fires when the peer has accepted the request.

        @raise punch.streams.errors.StreamError: the peer refused.
        @raise punch.errors.PathLost: the link ended first.
        """
        return self._accepted.wait()

    def dataReceived(self, data: bytes) -> None:
        """
        Read the status; the bytes after it are the service's.
        """
        self._carrier.consumed(self.stream.id, 1)
        refusal = STATUSES.decode(data[0])
        if refusal is not None:
            self.fail(refusal(self._service))
            self._carrier.reset(self.stream.id)
            return
        self._carrier.requestEnded(self.stream)
        self._accepted.succeed(None)
        if len(data) > 1 and self.stream.connected:
            self.stream.dataReceived(data[1:])

    def finished(self) -> None:
        """
        The peer ended the stream without an answer.
        """
        self.fail(StreamReset(self._service))
        self._carrier.reset(self.stream.id)

    def drained(self) -> None:
        """
        There is room for what is written.
        """
        self.stream.drained()

    def lost(self, reason: Failure) -> None:
        """
        The stream was reset, or the link ended.
        """
        cause = getattr(reason.value, "__cause__", None)
        known = cause if isinstance(cause, PunchError) else None
        self.fail(known or StreamReset(self._service))

    def fail(self, error: PunchError) -> None:
        """
        The request failed with C{error}: end the stream with it.
        """
        lost = ConnectionLost(str(error))
        lost.__cause__ = error
        self.stream.lost(Failure(lost))
        if not self._accepted.settled:
            self._accepted.fail(error)

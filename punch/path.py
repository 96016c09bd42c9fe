"""
A path: one verified connection, and the records that pass on it.
"""

from __future__ import annotations

from typing import Protocol as Shape

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from punch.arrival import Arrival
from punch.connection import Connection, IStreamTransport
from punch.errors import ProtocolViolation
from punch.records import Control, Decoder, Record, Type, encode, encodeHeader
from punch.role import Role
from punch.tls import Pin, Secured, Security


class Rider(Shape):
    """
    Who uses a path: a link.
    """

    def recordsReceived(self, records: list[Record]) -> None:
        """
        Records arrived, in order.
        """

    def pathLost(self, reason: Failure | ProtocolViolation) -> None:
        """
        The path is gone.  C{ConnectionDone}: the peer ended it on purpose.
        """


class Path(Protocol):
    """
    Records over one connection; they wait until a link rides on it.
    """

    transport: IStreamTransport

    def __init__(self, connection: Secured) -> None:
        self.pin = connection.pin
        self.local = connection.local
        self.remote = connection.remote
        self._decoder = Decoder()
        self._held: list[Record] = []
        self._rider: Rider | None = None
        self._lost: Failure | ProtocolViolation | None = None
        self._attached: Arrival[Path] = Arrival()
        self._first = Type.ATTACH
        connection.take(self)

    def dataReceived(self, data: bytes) -> None:
        if self._lost is not None:
            return
        try:
            records = self._decoder.feed(data)
            if self._rider is not None:
                self._rider.recordsReceived(records)
            elif records:
                # A link may come to ride on us in here, and takes them then.
                self._hold(records)
        except ProtocolViolation as violation:
            self.violated(violation)

    def violated(self, violation: ProtocolViolation) -> None:
        """
        The peer broke the rules: the path ends by that name.
        """
        self._end(violation)
        self.abort()

    def _hold(self, records: list[Record]) -> None:
        """
        Before a link rides on us, only one thing can be meant for us: the
        dialer's ATTACH, or the answer to ours.  What follows it is the link's.
        """
        if not self._attached.settled:
            first = records.pop(0)
            if not isinstance(first, Control) or first.type is not self._first:
                raise ProtocolViolation(f"the first record is no {self._first.name}")
            self._held += records
            self.transport.pauseProducing()
            self._attached.arrive(self)
        else:
            self._held += records

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(reason)

    def _end(self, reason: Failure | ProtocolViolation) -> None:
        if self._lost is not None:
            return
        self._lost = reason
        if self._rider is not None:
            self._rider.pathLost(reason)
        elif not self._attached.settled:
            self._attached.fail(reason)

    def whenAttached(self) -> Deferred[Path]:
        """
        The dialer chose this path; or, on the dialer, the listener agreed.
        """
        return self._attached.wait()

    def attach(self) -> None:
        """
        On the dialer: choose this path.
        """
        self._first = Type.ATTACHED
        self.send(Type.ATTACH)

    @property
    def attached(self) -> bool:
        """
        Whether L{whenAttached} has come about.
        """
        return self._attached.settled

    def carry(self, rider: Rider) -> None:
        """
        Give C{rider} what has waited and what comes.
        """
        self._rider = rider
        held, self._held = self._held, []
        if held:
            rider.recordsReceived(held)
        if self._lost is not None:
            rider.pathLost(self._lost)

    def send(self, type: Type, payload: bytes = b"") -> None:
        """
        Send a control record.
        """
        self.transport.write(encode(type, payload))

    def sendData(self, *pieces: bytes) -> None:
        """
        Send one DATA record.
        """
        size = sum(map(len, pieces))
        self.transport.writeSequence([encodeHeader(Type.DATA, size), *pieces])

    def finish(self) -> None:
        """
        End the path cleanly, after what was sent.
        """
        self.transport.loseConnection()

    def abort(self) -> None:
        """
        End the path at once.
        """
        self.transport.abortConnection()


async def _verify(
    security: Security, connection: Connection, role: Role, pin: Pin
) -> Path:
    path = Path(await security.meet(connection, role, pin))
    try:
        if role is Role.LISTENER:
            await path.whenAttached()
    except BaseException:
        path.abort()
        raise
    return path


def verify(
    security: Security, connection: Connection, role: Role, pin: Pin
) -> Deferred[Path]:
    """
    Make a valid path of a connection: its TLS is done, its pin is C{pin} and, on
    the listener, the dialer has attached it.  Cancelling, or failing, aborts the
    connection.

    @param pin: asks for the other side's.
    """
    return Deferred.fromCoroutine(_verify(security, connection, role, pin))

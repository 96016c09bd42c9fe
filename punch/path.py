"""
A path: one verified connection, and the records that pass on it.
"""

from __future__ import annotations

from typing import Any
from typing import Protocol as Shape

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from punch.arrival import Arrival
from punch.attachment import LINK_SIZE
from punch.connection import Connection, IStreamTransport
from punch.continuity import Continuity
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
        The path is gone.  C{ConnectionDone}: the peer ended it on purpose.  A
        L{ProtocolViolation}: the path is of no use any more, and to be ended; it is
        gone when this is called again.
        """


_SECRET_SIZE = 32
_BINDING_SIZE = 32


class Path(Protocol):
    """
    Records over one connection; they wait until a link rides on it.

    C{pin}: the other side's.  C{link}, C{secret}: the id and the secret of a link
    that begins here.  C{binding}: what proofs of who attaches it are tied to.
    """

    transport: IStreamTransport

    def __init__(self, connection: Secured) -> None:
        self.pin = connection.pin
        self.local = connection.local
        self.remote = connection.remote
        material = connection.export(LINK_SIZE + _SECRET_SIZE + _BINDING_SIZE)
        self.link = material[:LINK_SIZE]
        self.secret = material[LINK_SIZE:-_BINDING_SIZE]
        self.binding = material[-_BINDING_SIZE:]
        self._begun: Continuity | None = None
        self._decoder = Decoder()
        self._held: list[Record] = []
        self._rider: Rider | None = None
        self._lost: Failure | ProtocolViolation | None = None
        self._isGone = False
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
        The peer broke the rules: the path ends by that name.  Whatever else comes
        is ignored.
        """
        self._end(violation)
        if self._rider is None:
            self.abort()

    def _hold(self, records: list[Record]) -> None:
        """
        Before a link rides on us, only one thing can be meant for us: the
        dialer's ATTACH, or the answer to ours.  What follows it is the link's.
        """
        self._held += records
        if not self._attached.settled:
            first = records[0]
            if not isinstance(first, Control) or first.type is not self._first:
                raise ProtocolViolation(f"the first record is no {self._first.name}")
            self.transport.pauseProducing()
            self._attached.arrive(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._isGone = True
        if self._rider is not None and self._lost is not None:
            # It was told of a violation, and has ended the path.
            self._rider.pathLost(reason)
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

    def begin(self, role: Role) -> Continuity:
        """
        Begin a link here, once: the dialer chooses this path for it.
        """
        if self._begun is None:
            self._begun = Continuity(role, self.link, self.secret)
            if role is Role.DIALER:
                self.attach(self._begun)
        return self._begun

    def attach(self, continuity: Continuity) -> int:
        """
        On the dialer: choose this path for a link.

        @return: the path's generation.
        """
        self._first = Type.ATTACHED
        generation, payload = continuity.attach(self.binding)
        self.send(Type.ATTACH, payload)
        return generation

    def carry(self, rider: Rider) -> None:
        """
        Give C{rider} what has waited and what comes.
        """
        self._rider = rider
        held, self._held = self._held, []
        if held:
            rider.recordsReceived(held)
        self.transport.resumeProducing()
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

    def part(self) -> None:
        """
        Wait for the other side no longer: what was written is the kernel's to deliver.
        """
        if not self._isGone:
            tls: Any = self.transport
            tls.transport.loseConnection()

    def abort(self) -> None:
        """
        End the path at once, if it has not ended.
        """
        if not self._isGone:
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

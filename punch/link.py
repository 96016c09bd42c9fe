"""
The link: what lives.  An ordered two-way byte stream between two programs.

To a protocol it is a transport like TCP's: half-close, producers and consumers,
abort.  A link that ends early says so to both applications; only when both have
finished, and each knows that the other has everything, is the end a clean one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.arrival import Arrival
from punch.closing import Todo, newClosing
from punch.errors import (
    Aborted,
    LinkError,
    PathLost,
    PathSilent,
    ProtocolViolation,
)
from punch.options import FixedOptions
from punch.path import Path
from punch.punchaddress import PunchAddress
from punch.records import MAXIMUM_DATA, Control, Record, Type
from punch.role import Role

KEEPALIVE = 20.0
"""
Seconds between PINGs.  Three of them without a byte from the peer, and the path
is dead.
"""

LINGER = 30.0
"""
Seconds that the peer has to finish too, once our application wants no more.
"""

_PIECE = 1 << 16


@implementer(ITransport, IConsumer, IPushProducer)
class Link(FixedOptions):
    """
    The transport of a protocol that talks to the peer.

    Its bytes wait until L{start}.

    C{role}: ours in it.
    """

    connected = True
    disconnecting = False

    def __init__(
        self,
        clock: IReactorTime,
        role: Role,
        path: Path,
        host: PunchAddress,
        peer: PunchAddress,
    ) -> None:
        self.role = role
        self._clock = clock
        self._path = path
        self._host = host
        self._peer = peer
        self._protocol: IProtocol | None = None
        self._ended: Arrival[LinkError | None] = Arrival()
        self._error: LinkError | None = None
        self._closing = newClosing()
        self._linger: IDelayedCall | None = None
        self._producer: IProducer | None = None
        self._halving = False
        self._mayWrite = True
        self._mayRead = True
        self._paused = True
        self._delivering = False
        self._pending: deque[Record] = deque()
        self._goodbye: Failure | ProtocolViolation | None = None
        self._expectAttached = role is Role.DIALER and not path.attached
        self._heard = True
        self._missed = 0
        self.sent = 0
        self.received = 0
        path.transport.pauseProducing()
        if role is Role.LISTENER:
            path.send(Type.ATTACHED)
        elif not path.attached:
            path.attach()
        self._keepalive = LoopingCall(self._checkPath)
        self._keepalive.clock = clock
        self._keepalive.start(KEEPALIVE, now=False)
        path.carry(self)

    # The application's side.

    def start(self, protocol: IProtocol) -> None:
        """
        Let C{protocol} run on this link, once.
        """
        self._protocol = protocol
        self._paused = False
        protocol.makeConnection(self)
        if self._ended.settled:
            self._tellLost()
        elif not self._paused:
            self._resume()

    def whenEnded(self) -> Deferred[LinkError | None]:
        """
        Fires after the link: C{None} for a clean end, else why it ended early.
        """
        return self._ended.wait()

    def write(self, data: bytes) -> None:
        if not self._takesWrites():
            return
        self.sent += len(data)
        for start in range(0, len(data), _PIECE):
            self._path.sendData(data[start : start + _PIECE])

    def _takesWrites(self) -> bool:
        leaving = self.disconnecting or self._halving
        return self._mayWrite and not (leaving and self._producer is None)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        pieces = list(data)
        size = sum(map(len, pieces))
        if size > MAXIMUM_DATA:
            self.write(b"".join(pieces))
        elif self._takesWrites():
            self.sent += size
            self._path.sendData(*pieces)

    def loseWriteConnection(self) -> None:
        """
        Finish writing, when a registered producer has; the peer may go on.
        """
        self._halving = True
        if self._producer is None:
            self._finish()

    def _finish(self) -> None:
        """
        Write no more.
        """
        if not self._mayWrite:
            return
        self._do(self._closing.finish())
        if not self.disconnecting and IHalfCloseableProtocol.providedBy(self._protocol):
            self._protocol.writeConnectionLost()

    def loseConnection(self) -> None:
        """
        Finish writing, and want no more.  What the peer still writes is dropped.
        """
        if self.disconnecting or not self.connected:
            return
        self.disconnecting = True
        if self._producer is None:
            self._leave()

    def _leave(self) -> None:
        self._startLinger()
        self._finish()
        self._resume()

    def abortConnection(self) -> None:
        """
        End the link at once; both applications hear an error.
        """
        self._abort(Aborted())

    def getHost(self) -> PunchAddress:
        return self._host

    def getPeer(self) -> PunchAddress:
        return self._peer

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        self._path.transport.registerProducer(producer, streaming)
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None
        self._path.transport.unregisterProducer()
        if self.disconnecting and self.connected:
            self._leave()
        elif self._halving:
            self._finish()

    def pauseProducing(self) -> None:
        if self.connected and not self.disconnecting:
            self._paused = True
            self._path.transport.pauseProducing()

    def resumeProducing(self) -> None:
        if self.connected and self._protocol is not None:
            self._resume()

    def _resume(self) -> None:
        # While paused we are deaf; what we missed meanwhile is nobody's fault.
        self._heard = True
        self._paused = False
        self._deliver()
        if not self._paused and self.connected:
            self._path.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.loseConnection()

    # The path's side.

    def recordsReceived(self, records: list[Record]) -> None:
        """
        From the path (L{punch.path.Rider}).
        """
        self._heard = True
        self._pending.extend(records)
        self._deliver()

    def _deliver(self) -> None:
        """
        Give out what is pending, in order even if its receiver pauses and resumes
        from within.
        """
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._pending and not self._paused and self._error is None:
                self._take(self._pending.popleft())
            if self._goodbye is not None and not self._pending:
                self._lose(self._goodbye)
        except ProtocolViolation as violation:
            if self._goodbye is None:
                self._path.violated(violation)
            else:
                self._lose(violation)
        finally:
            self._delivering = False

    def _take(self, record: Record) -> None:
        if isinstance(record, Control):
            self._obey(record)
        elif self._mayRead:
            self.received += len(record)
            if self._protocol is not None and not self.disconnecting:
                self._protocol.dataReceived(record)
        else:
            raise ProtocolViolation("DATA after CLOSE")

    def _obey(self, record: Control) -> None:
        if record.type is Type.PING:
            self._path.send(Type.PONG)
        elif record.type is Type.CLOSE:
            self._do(self._closing.peerFinished())
        elif record.type is Type.ATTACHED and self._expectAttached:
            self._expectAttached = False
        elif record.type is not Type.PONG:
            raise ProtocolViolation(f"{record.type.name} out of turn")

    def pathLost(self, reason: Failure | ProtocolViolation) -> None:
        """
        From the path (L{punch.path.Rider}).
        """
        said = isinstance(reason, Failure) and reason.check(ConnectionDone)
        if said and self._pending and self._error is None:
            # It said so after all that its reader, who has paused, is yet to hear.
            self._goodbye = reason
        else:
            self._lose(reason)

    def _lose(self, reason: Failure | ProtocolViolation) -> None:
        clean = False
        if isinstance(reason, ProtocolViolation):
            self._error = self._error or reason
        else:
            clean = reason.check(ConnectionDone) is not None
        self._do(self._closing.pathEnded(clean))

    def _checkPath(self) -> None:
        """
        Every L{KEEPALIVE} seconds.
        """
        self._missed = 0 if self._heard or self._paused else self._missed + 1
        self._heard = False
        if self._missed == 2:
            # With the one before it, the last byte is up to three PINGs old.
            self._abort(PathSilent())
        else:
            self._path.send(Type.PING)

    # What both sides lead to.

    def _do(self, todo: Todo) -> None:
        if Todo.SEND_CLOSE in todo:
            self._mayWrite = False
            self._path.send(Type.CLOSE)
        if Todo.END_PATH in todo:
            self._startLinger()
            self._path.finish()
        if Todo.TELL_END in todo:
            self._mayRead = False
            self._tellEnd()
        if Todo.REPORT_CLEAN in todo:
            self._end(None)
        if Todo.REPORT_LOST in todo:
            self._end(self._error or PathLost())

    def _tellEnd(self) -> None:
        if self.disconnecting:
            return
        if IHalfCloseableProtocol.providedBy(self._protocol):
            self._protocol.readConnectionLost()
            return
        producer = self._producer
        if producer is not None:
            self.unregisterProducer()
            producer.stopProducing()
        self.loseConnection()

    def _startLinger(self) -> None:
        if self._linger is None:
            self._linger = self._clock.callLater(LINGER, self._abort, PathLost())

    def _abort(self, error: LinkError) -> None:
        if self.connected:
            self._error = self._error or error
            if self._goodbye is None:
                self._path.abort()
            else:
                self._clock.callLater(0, self._lose, self._goodbye)

    def _end(self, error: LinkError | None) -> None:
        self.connected = False
        self._mayWrite = False
        self._keepalive.stop()
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        self._error = error
        self._pending.clear()
        self._ended.arrive(error)
        self._tellLost()

    def _tellLost(self) -> None:
        if self._protocol is None:
            return
        protocol, self._protocol = self._protocol, None
        protocol.connectionLost(Failure(_asConnectionError(self._error)))


def _asConnectionError(error: LinkError | None) -> Exception:
    """
    The end in Twisted's words, its cause with it.
    """
    if error is None:
        return ConnectionDone()
    lost = (ConnectionAborted if isinstance(error, Aborted) else ConnectionLost)(
        str(error)
    )
    lost.__cause__ = error
    return lost

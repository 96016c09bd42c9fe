"""
The link: what lives.  An ordered two-way byte stream between two programs, over one
path after another.

To a protocol it is a transport like TCP's: half-close, producers and consumers,
abort.  What was written is kept until the peer has taken it, so when a path dies,
or a better one is found, the link goes on where it was.  A link that ends early
says so to both applications; only when both have finished, and each has taken all,
is the end a clean one.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPullProducer,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.errors import Aborted, LinkError, PathLost, ProtocolViolation
from punch.events import Tell, tellNobody
from punch.ice.selected import SelectedPath
from punch.link.interfaces import PathFinder, Want
from punch.link.path import Path
from punch.link.paths import LinkPaths
from punch.net.address import PunchAddress
from punch.role import Role
from punch.util.timers import RestartableTimer
from punch.util.transports import FixedTCPOptions, PushFromPull

LINGER = 30.0
"""
Seconds without progress that the peer has to finish too, once our application wants
no more.
"""


@implementer(ITransport, IConsumer, IPushProducer)
class Link(FixedTCPOptions):
    """
    The transport of a protocol that talks to the peer.

    Its bytes wait until L{start}.

    C{role}: ours in it.  C{id}, C{secret}: what both sides know it by, and nobody
    else.  C{pin}: the peer's.  C{sent}, C{received}: the application's bytes.
    """

    connected = True
    disconnecting = False
    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        role: Role,
        pin: bytes,
        selected: SelectedPath[Path],
        resumeFor: float = 0.0,
        tell: Tell = tellNobody,
    ) -> None:
        """
        @param pin: our own.
        @param win: its first path.
        @param resumeFor: seconds for which it waits for another path, if there is
            somebody who looks for one (L{seekBy}).
        """
        self.role = role
        self.id = selected.path.link
        self.secret = selected.path.secret
        self.pin = selected.path.pin
        self.sent = 0
        self._clock = clock
        self._ownPin = pin
        self._selected = selected
        self._protocol: IProtocol | None = None
        self._continuity = selected.path.begin(role)
        self._lingering = RestartableTimer(clock)
        self._progress: tuple[object, ...] | None = None
        self._producer: IPushProducer | None = None
        self._isProducing = True
        self._halving = False
        self._mayWrite = True
        self._course = LinkPaths(clock, role, resumeFor, tell, self._continuity, self)
        self._inbox = self._course.inbox
        self._ended = self._course.ended
        self._ended.wait().addCallback(self._hasEnded)
        self._first = self._course.begin(selected)

    # The application's side.

    def start(self, protocol: IProtocol) -> None:
        """
        Let C{protocol} run on this link, once.
        """
        self._protocol = protocol
        self._inbox.isPaused = False
        protocol.makeConnection(self)
        if self._ended.settled:
            self._ended.wait().addCallback(self._tellLost)
        else:
            self.deliver()
            self._course.settle()

    def whenReleased(self) -> Deferred[None]:
        """
        Fires when its last words are said, too (L{punch.link.path.FAREWELL}): a process
        that is about to exit waits for that.
        """
        return self._course.released.wait()

    def whenEnded(self) -> Deferred[LinkError | None]:
        """
        Fires after the link: C{None} for a clean end, else why it ended early.
        """
        return self._ended.wait()

    @property
    def received(self) -> int:
        """
        Bytes that the application has taken.
        """
        return self._inbox.taken

    def write(self, data: bytes) -> None:
        if self._takesWrites() and data:
            self.sent += len(data)
            self._continuity.write([data])
            self._course.flush()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        if self._takesWrites():
            pieces = list(data)
            self.sent += sum(map(len, pieces))
            self._continuity.write(pieces)
            self._course.flush()

    def _takesWrites(self) -> bool:
        leaving = self.disconnecting or self._halving
        return self._mayWrite and not (leaving and self._producer is None)

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
        self._mayWrite = False
        self._continuity.finish()
        self._course.flush()
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
        if self._progress is None:
            self._linger()
        self._finish()
        self._resume()

    def _resume(self) -> None:
        self._inbox.isPaused = False
        self.deliver()
        self._course.settle()

    def abortConnection(self) -> None:
        """
        End the link at once; both applications hear an error.
        """
        self._course.abort(Aborted())

    def getHost(self) -> PunchAddress:
        return PunchAddress(self._ownPin, self._way.way, self._way.local)

    def getPeer(self) -> PunchAddress:
        return PunchAddress(self.pin, self._way.way, self._way.remote)

    @property
    def _way(self) -> SelectedPath[Path]:
        """
        That of the path that leads, or did so last.
        """
        if self._course.lead is not None:
            self._selected = self._course.lead.selected
        return self._selected

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        if not self.connected:
            producer.stopProducing()
            return
        self._isProducing = True
        if streaming:
            self._producer = IPushProducer(producer)
        else:
            self._producer = PushFromPull(self._clock, IPullProducer(producer))
            self._producer.resumeProducing()
        self.balance()

    def unregisterProducer(self) -> None:
        producer, self._producer = self._producer, None
        if isinstance(producer, PushFromPull):
            producer.pauseProducing()
        if self.disconnecting and self.connected:
            self._leave()
        elif self._halving:
            self._finish()

    def pauseProducing(self) -> None:
        if self.connected and not self.disconnecting:
            self._inbox.isPaused = True

    def resumeProducing(self) -> None:
        if self.connected and self._protocol is not None:
            self._resume()

    def stopProducing(self) -> None:
        self.loseConnection()

    # Its paths.

    @property
    def want(self) -> Want:
        """
        What the link lacks now.
        """
        return self._course.want

    def seekBy(self, seeker: PathFinder) -> None:
        """
        From now on C{seeker} finds paths for us, as we want them.
        """
        self._course.seekBy(seeker)

    def adopt(self, selected: SelectedPath[Path]) -> Deferred[bool]:
        """
        Go on by another path: on the dialer, attach it; on the listener, the dialer
        has.

        @return: whether the link has come to go on there.
        """
        if selected.path.pin != self.pin:
            selected.path.abort()
            return succeed(False)
        return self._course.adopt(selected)

    def probe(self, isDoubtful: bool) -> None:
        """
        See at once whether the path still answers.

        @param isDoubtful: we have reason to think that it does not.
        """
        self._course.probe(isDoubtful)

    def whenConfirmed(self) -> Deferred[bool]:
        """
        Fires when the peer has answered on our first path, so that it knows the link;
        with C{False} if it never did.
        """
        return self._first.whenAnswered.wait()

    def refused(self, error: LinkError) -> None:
        """
        The peer does not know this link: it will not come back.
        """
        self._course.abort(error)

    # What the course says (L{punch.link.paths.Traveller}).

    def deliver(self) -> None:
        """
        Give our application what has arrived.
        """
        try:
            self._inbox.deliver(self._receive, self._tellEnd)
        except ProtocolViolation as violation:
            self._course.abort(violation)
        except Exception:
            # If this went on to the path's transport, that would end by an accident
            # that the peer waits out.
            self._log.failure("The application failed.")
            self._course.abort(Aborted())

    def _receive(self, data: bytes) -> None:
        if self._protocol is not None and not self.disconnecting:
            self._protocol.dataReceived(data)

    def _tellEnd(self) -> None:
        """
        The peer has finished.
        """
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

    def balance(self) -> None:
        """
        Let our application produce as fast as its bytes leave.
        """
        producer, isOpen = self._producer, self._course.isOpen
        if producer is not None and isOpen is not self._isProducing:
            self._isProducing = isOpen
            if isOpen:
                producer.resumeProducing()
            else:
                producer.pauseProducing()

    # The end.

    def _linger(self) -> None:
        """
        We want no more: wait for the peer, as long as there is progress.
        """
        lead, continuity = self._course.lead, self._continuity
        progress = (lead, continuity.received, continuity.acknowledged)
        # Without a path there can't be any.
        if progress == self._progress and lead is not None:
            self._course.abort(PathLost())
            return
        self._progress = progress
        self._lingering.set(LINGER, self._linger)

    def _hasEnded(self, error: LinkError | None) -> None:
        self.connected = False
        self._mayWrite = False
        self._lingering.clear()
        self._inbox.clear()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        self._tellLost(error)

    def _tellLost(self, error: LinkError | None) -> None:
        if self._protocol is None:
            return
        protocol, self._protocol = self._protocol, None
        protocol.connectionLost(Failure(_asConnectionError(error)))


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

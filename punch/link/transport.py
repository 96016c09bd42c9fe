"""
The transport that a protocol is given: one byte stream to the peer, over one path after
another.

To a protocol it is a transport like TCP's: half-close, producers and consumers, abort.
What was written is kept until the peer has taken it, so the link goes on where it was
when its path dies or a better one is found.  The end is clean only if both sides have
finished, and each has taken all; any other end is an error to both applications.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from twisted.internet import interfaces
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
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
from punch.util.transports import ProducedTransport

LINGER = 30.0
"""
Seconds without progress that the peer has to finish too, once our application wants
no more.
"""


_END = b""
"""
Among the pieces that have arrived: the peer writes no more.
"""


@implementer(interfaces.ITransport, interfaces.IConsumer, interfaces.IPushProducer)
class Link(ProducedTransport):
    """
    The transport of a protocol that talks to the peer.

    A peer makes it on the first path.  Bytes that arrive wait until L{start} gives it a
    protocol, which from then on ends it as it would end any transport.  L{whenEnded}
    says how it ended, and L{whenReleased} when nothing is left of it.

    @ivar role: ours in this link.
    @ivar id: what both sides call the link, 16 bytes.
    @ivar secret: by what each side proves that it is the one from before.
    @ivar pin: the peer's.
    @ivar sent: bytes that the application has written.
    @ivar received: bytes that the application was given.
    """

    disconnecting = False
    _log = Logger()

    def __init__(
        self,
        clock: interfaces.IReactorTime,
        role: Role,
        pin: bytes,
        selected: SelectedPath[Path],
        resumeFor: float = 0.0,
        tell: Tell = tellNobody,
    ) -> None:
        """
        @param pin: our own.
        @param selected: the first path.
        @param resumeFor: seconds for which the link waits for another path, if
            somebody looks for one (L{setPathFinder}).
        @param tell: hears of what happens to the paths.
        """
        path = selected.path
        self.role = role
        self.id = path.link
        self.secret = path.secret
        self.pin = path.pin
        self.sent = 0
        self.received = 0
        self._clock = clock
        self._ownPin = pin
        self._lastSelected = selected
        self._protocol: interfaces.IProtocol | None = None
        # What has arrived, and waits until the application takes it.
        self._receiveBuffer: deque[bytes] = deque()
        self._isReadPaused = True
        self._isDelivering = False
        self._lingerTimer = RestartableTimer(clock)
        self._progress: tuple[object, ...] | None = None
        self._isHalfClosing = False
        self._mayWrite = True
        sequencing = path.startLink(role)
        self._paths = LinkPaths(clock, role, resumeFor, tell, sequencing, self)
        self._ended = self._paths.ended
        self._ended.wait().addCallback(self._hasEnded)
        self._firstPath = self._paths.start(selected)

    # The application's side.

    def start(self, protocol: interfaces.IProtocol) -> None:
        """
        Let C{protocol} run on this link.  A link is started once.
        """
        self._protocol = protocol
        self._isReadPaused = False
        protocol.makeConnection(self)
        if self._ended.settled:
            self._ended.wait().addCallback(self._tellLost)
        else:
            self._deliver()
            self._paths.update()

    def whenReleased(self) -> Deferred[None]:
        """
        Fires when the last path has ended, too (L{punch.link.path.FAREWELL}): a process
        that is about to exit waits for that.
        """
        return self._paths.released.wait()

    def whenEnded(self) -> Deferred[LinkError | None]:
        """
        Fires when the link has ended: with C{None} after a clean end, else with why it
        ended early.
        """
        return self._ended.wait()

    def write(self, data: bytes) -> None:
        if self._takesWrites() and data:
            self.sent += len(data)
            self._paths.write([data])

    def writeSequence(self, data: Iterable[bytes]) -> None:
        if self._takesWrites():
            pieces = list(data)
            self.sent += sum(map(len, pieces))
            self._paths.write(pieces)

    def _takesWrites(self) -> bool:
        isFinishing = self.disconnecting or self._isHalfClosing
        return self._mayWrite and not (isFinishing and self._producer is None)

    def loseWriteConnection(self) -> None:
        """
        Write no more, once a registered producer has finished; the peer may go on.
        """
        self._isHalfClosing = True
        if self._producer is None:
            self._finish()

    def _finish(self) -> None:
        """
        Write no more, and tell the peer so.
        """
        if not self._mayWrite:
            return
        self._mayWrite = False
        self._paths.finish()
        if not self.disconnecting and interfaces.IHalfCloseableProtocol.providedBy(
            self._protocol
        ):
            self._protocol.writeConnectionLost()

    def loseConnection(self) -> None:
        """
        Write no more, once a registered producer has finished, and drop what the peer
        still writes.
        """
        if self.disconnecting or not self.connected:
            return
        self.disconnecting = True
        if self._producer is None:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._progress is None:
            self._linger()
        self._finish()
        self._resume()

    def _resume(self) -> None:
        self._isReadPaused = False
        self._deliver()
        self._paths.update()

    def abortConnection(self) -> None:
        """
        End the link at once; both applications hear an error.
        """
        self._paths.abort(Aborted())

    def getHost(self) -> PunchAddress:
        return PunchAddress(self._ownPin, self._selected.way, self._selected.local)

    def getPeer(self) -> PunchAddress:
        return PunchAddress(self.pin, self._selected.way, self._selected.remote)

    @property
    def _selected(self) -> SelectedPath[Path]:
        """
        The path that is sent on, or was sent on last.
        """
        if self._paths.current is not None:
            self._lastSelected = self._paths.current.selected
        return self._lastSelected

    def registerProducer(self, producer: interfaces.IProducer, streaming: bool) -> None:
        self._setProducer(self._clock, producer, streaming)
        self.writabilityChanged()

    def unregisterProducer(self) -> None:
        ProducedTransport.unregisterProducer(self)
        if self.disconnecting and self.connected:
            self._disconnect()
        elif self._isHalfClosing:
            self._finish()

    def pauseProducing(self) -> None:
        if self.connected and not self.disconnecting:
            self._isReadPaused = True

    def resumeProducing(self) -> None:
        if self.connected and self._protocol is not None:
            self._resume()

    def stopProducing(self) -> None:
        self.loseConnection()

    # What a peer does with the link.

    @property
    def want(self) -> Want:
        """
        What the link lacks now.
        """
        return self._paths.want

    def setPathFinder(self, finder: PathFinder) -> None:
        """
        From now on C{finder} finds paths for the link when it wants them.
        """
        self._paths.setPathFinder(finder)

    def addPath(self, selected: SelectedPath[Path]) -> Deferred[bool]:
        """
        Go on over another path.  The dialer attaches it; on the listener, the dialer
        has.

        @return: fires with whether the link has begun to send there.
        """
        if selected.path.pin != self.pin:
            selected.path.abort()
            return succeed(False)
        return self._paths.addPath(selected)

    def probe(self, isSuspected: bool) -> None:
        """
        Ask at once whether the path still answers.

        @param isSuspected: look for another path before the answer is due.
        """
        self._paths.probe(isSuspected)

    def whenConfirmed(self) -> Deferred[bool]:
        """
        Fires with C{True} when the peer has answered on the first path, so that it
        knows the link; with C{False} if it never did.
        """
        return self._firstPath.whenAnswered.wait()

    def refused(self, error: LinkError) -> None:
        """
        End the link, which the peer does not know (any more).
        """
        self._paths.abort(error)

    # What its paths say (L{punch.link.paths.LinkHandler}).

    def bytesReceived(self, pieces: list[bytes], isEnd: bool) -> None:
        """
        Give our application what has arrived, or keep it until it reads on.
        """
        if not self.connected:
            return
        self._receiveBuffer += pieces
        if isEnd:
            self._receiveBuffer.append(_END)
        self._deliver()

    def _deliver(self) -> None:
        """
        Give our application what waits, until it pauses.  What it is done with counts
        as taken; this is not reentrant, so it may resume from within.
        """
        if self._isDelivering:
            return
        self._isDelivering = True
        waiting, paths = self._receiveBuffer, self._paths
        try:
            while waiting and not self._isReadPaused:
                data = waiting.popleft()
                if data:
                    self.received += len(data)
                    if self._protocol is not None and not self.disconnecting:
                        self._protocol.dataReceived(data)
                    paths.taken(len(data))
                else:
                    self._endReceived()
                    paths.taken(1)
        except ProtocolViolation as violation:
            paths.abort(violation)
        except Exception:
            # If this went on to the path's transport, that would end by an accident
            # that the peer waits out.
            self._log.failure("The application failed.")
            paths.abort(Aborted())
        finally:
            self._isDelivering = False

    def _endReceived(self) -> None:
        """
        The peer writes no more.
        """
        if self.disconnecting:
            return
        if interfaces.IHalfCloseableProtocol.providedBy(self._protocol):
            self._protocol.readConnectionLost()
            return
        self._stopProducer()
        self.loseConnection()

    def writabilityChanged(self) -> None:
        """
        Let our application produce as fast as its bytes leave.
        """
        if self._producer is not None:
            self._setProducing(self._paths.isWritable)

    # The end.

    def _linger(self) -> None:
        """
        We want no more: wait for the peer as long as there is progress, or no path on
        which there could be any.
        """
        progress = self._paths.progress
        if progress == self._progress and self._paths.current is not None:
            self._paths.abort(PathLost())
            return
        self._progress = progress
        self._lingerTimer.set(LINGER, self._linger)

    def _hasEnded(self, error: LinkError | None) -> None:
        self.connected = False
        self._mayWrite = False
        self._lingerTimer.clear()
        self._receiveBuffer.clear()
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
    Why a link ended, as the error of Twisted's that C{connectionLost} is given.
    """
    if error is None:
        return ConnectionDone()
    lost = (ConnectionAborted if isinstance(error, Aborted) else ConnectionLost)(
        str(error)
    )
    lost.__cause__ = error
    return lost

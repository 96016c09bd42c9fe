"""
The paths of a link: which one the link sends on, and what passes on all of them.

Here the rules (L{punch.link.sequencing}, L{punch.link.state}) meet the connections
(L{punch.link.path}); the application's side is L{punch.link.transport}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from punch.errors import LinkError, PathLost, ProtocolViolation
from punch.events import PathChanged, Tell
from punch.ice.selected import SelectedPath
from punch.link.interfaces import PathFinder, Want
from punch.link.keepalive import GAP
from punch.link.path import Path
from punch.link.records import Control, Record, Type
from punch.link.sequencing import Sequencing, Stale
from punch.link.state import LinkAction, newLinkState
from punch.link.suspension import Suspension
from punch.reasons import Reason
from punch.role import Role
from punch.util.deferreds import SharedResult
from punch.util.timers import RestartableTimer

ACK_DELAY = 0.05
"""
Seconds after which the peer hears what the application has taken, at the latest.
"""


class LinkHandler(Protocol):
    """
    What the paths call on their link (L{punch.link.transport.Link}).
    """

    def bytesReceived(self, pieces: list[bytes], isEnd: bool) -> None:
        """
        The next bytes of the link have arrived, none of them for a second time.

        @param pieces: none of them is empty.
        @param isEnd: the peer writes nothing after them.
        """

    def writabilityChanged(self) -> None:
        """
        The paths take no more for now, or they do again (C{paths.isWritable}).
        """


class LinkPaths:
    """
    Sends and receives the bytes of one link over its paths, one after another.

    L{Link<punch.link.transport.Link>} makes it and reads C{ended}.  It takes paths from
    L{start} and L{addPath}, sends on the newest that is attached, reads all, and ends
    all when the link ends: by L{abort}, or after both sides have finished.

    @ivar current: the path that is sent on.
    @ivar ended: arrives with C{None} after a clean end, else with why the link ended
        early.
    @ivar released: arrives when the last path has ended, too.
    """

    def __init__(
        self,
        clock: IReactorTime,
        role: Role,
        resumeFor: float,
        tell: Tell,
        sequencing: Sequencing,
        handler: LinkHandler,
    ) -> None:
        """
        @param resumeFor: seconds that the link may be without a path.
        """
        self.current: Path | None = None
        self.ended: SharedResult[LinkError | None] = SharedResult()
        self.released: SharedResult[None] = SharedResult()
        self._clock = clock
        self._role = role
        self._tell = tell
        self._sequencing = sequencing
        self._handler = handler
        self._state = newLinkState()
        self._paths: list[Path] = []
        self._suspension = Suspension(clock, resumeFor, tell, self.abort)
        self._error: LinkError | None = None
        self._hadCurrent = False
        # The listener may send on a path that we have lost.
        self._isUnsure = False
        self._ackTimer = RestartableTimer(clock)

    # Paths come.

    def start(self, selected: SelectedPath[Path]) -> Path:
        """
        Use the link's first path.
        """
        path = self._use(selected)
        if self._role is Role.DIALER:
            path.generation = 1
            path.requestSent()
            self._switchTo(path)
        path.start()
        return path

    def addPath(self, selected: SelectedPath[Path]) -> Deferred[bool]:
        """
        Use another path.  The dialer attaches it; on the listener, the dialer has.

        @return: fires with whether the link has begun to send there.
        """
        path = self._use(selected)
        self._setPingGap(path)
        if self.ended.settled:
            path.drop()
        else:
            if self._role is Role.DIALER:
                path.generation = path.attach(self._sequencing)
                path.requestSent()
            path.start()
        return path.whenCurrent.wait()

    def _use(self, selected: SelectedPath[Path]) -> Path:
        path = selected.path
        path.use(selected, self)
        self._paths.append(path)
        return path

    def _setPingGap(self, path: Path) -> None:
        """
        Where another path can be had, do not wait long for one that is silent.
        """
        if self._suspension.canResume:
            path.keepalive.gap = GAP

    def probe(self, isSuspected: bool) -> None:
        """
        Ask at once whether the current path still answers.

        @param isSuspected: look for another path before the answer is due.
        """
        if self.current is not None:
            self.current.probe(isSuspected)

    def setPathFinder(self, finder: PathFinder) -> None:
        """
        From now on C{finder} finds paths when they are wanted.
        """
        self._suspension.finder = finder
        for path in self._paths:
            self._setPingGap(path)
        finder.wantChanged()

    @property
    def want(self) -> Want:
        """
        What the link lacks now.
        """
        path = self.current
        if self.ended.settled or (path is not None and self._sequencing.isComplete):
            return Want.NOTHING
        if path is None:
            return Want.ANOTHER
        isDoubtful = path.keepalive.isSuspected or self._isUnsure
        if self._suspension.canResume and isDoubtful:
            return Want.ANOTHER
        return Want.BETTER if path.selected.mayImprove else Want.NOTHING

    def _switchTo(self, path: Path) -> None:
        """
        Send on C{path} from now on.
        """
        before, self.current = self.current, path
        self._hadCurrent = True
        self._isUnsure = False
        path.becomeCurrent()
        # First of all: if we are complete, we end the path at once, and the other
        # side may not know yet what we took.
        self._acknowledge()
        self._do(self._state.attached())
        if before is not None:
            before.becomeOlder()
            isSilent = before.keepalive.isSuspected
            why = Reason.PATH_SILENT if isSilent else Reason.BETTER
            self._tell(PathChanged(before.selected.way, path.selected.way, why.value))
        self._suspension.notifyFinder()
        self._flush()

    # What comes in (L{punch.link.path.PathHandler}).

    def recordsReceived(self, path: Path, records: list[Record]) -> None:
        """
        Obey what is control, and give the link what is new of the rest.
        """
        sequencing, pieces, isEnd = self._sequencing, [], False
        try:
            for record in records:
                if path.isOver or self.ended.settled:
                    break
                if isinstance(record, bytes):
                    new = sequencing.dataReceived(path.generation, record)
                    if new:
                        pieces.append(new)
                elif record.type is Type.CLOSE:
                    isEnd = sequencing.closeReceived(path.generation) or isEnd
                else:
                    self._controlReceived(path, record)
        except ProtocolViolation as violation:
            path.violated(violation)
        if pieces or isEnd:
            self._handler.bytesReceived(pieces, isEnd)
        self.update()

    def _controlReceived(self, path: Path, record: Control) -> None:
        type, payload, sequencing = record.type, record.payload, self._sequencing
        if type is Type.ACK or type is Type.PONG:
            if type is Type.PONG:
                self._responseReceived(path)
            now = self._clock.seconds()
            sequencing.ackReceived(path.generation, payload, now)
            self._flush()
        elif type is Type.PING:
            path.send(Type.PONG, sequencing.pong(path.generation))
        elif type is Type.SKIP:
            sequencing.skipReceived(path.generation, payload)
        elif type is Type.ATTACH and self._role is Role.LISTENER:
            self._attachReceived(path, payload)
        elif type is Type.ATTACHED and self._role is Role.DIALER:
            self._attachedReceived(path, payload)
        else:
            raise ProtocolViolation(f"{type.name} out of turn")

    def _attachReceived(self, path: Path, payload: bytes) -> None:
        if path.generation:
            raise ProtocolViolation("a second ATTACH")
        try:
            generation, answer = self._sequencing.attachReceived(payload, path.binding)
        except Stale:
            path.drop()
            return
        path.generation = generation
        path.send(Type.ATTACHED, answer)
        self._switchTo(path)

    def _attachedReceived(self, path: Path, payload: bytes) -> None:
        sequencing = self._sequencing
        if not sequencing.attachedReceived(path.generation, payload, path.binding):
            path.drop()
            return
        if path is not self.current:
            self._switchTo(path)
        self._responseReceived(path)

    def _responseReceived(self, path: Path) -> None:
        seconds = path.responseReceived()
        if seconds is not None and path is self.current:
            self._sequencing.measured(seconds)

    def suspicionChanged(self, path: Path) -> None:
        """
        Look for another path, if C{path} is the current one; or no longer.
        """
        if path is self.current:
            self._suspension.notifyFinder()

    def writabilityChanged(self, path: Path) -> None:
        """
        Send on, if C{path} is the current one and takes more again.
        """
        if path is self.current:
            if path.isWritable:
                self._flush()
            self._handler.writabilityChanged()

    def pathEnded(self, path: Path, why: LinkError | None) -> None:
        """
        Suspend or end the link, if C{path} was the current one.
        """
        self._paths.remove(path)
        self._checkReleased()
        isCurrent = path is self.current
        ending = self._sequencing.pathLost(path.generation) if path.generation else []
        if isCurrent:
            self.current = None
            for each in self._of(ending):
                each.drop()
        if isCurrent or not self._hadCurrent:
            self._currentEnded(why)
        elif self.current is not None and path.generation > self.current.generation:
            # The listener may have moved there, and be lost with it.
            self._isUnsure = True
            self._suspension.notifyFinder()

    def _currentEnded(self, why: LinkError | None) -> None:
        """
        The current path is gone, or what would have been the first.
        """
        self._error = why or PathLost()
        if why is None:
            self._do(self._state.pathEnded())
        elif isinstance(why, ProtocolViolation):
            self._do(self._state.gaveUp())
        else:
            self._do(self._state.pathDied())

    def _of(self, generations: list[int]) -> list[Path]:
        return [each for each in self._paths if each.generation in generations]

    # What goes out.

    @property
    def isWritable(self) -> bool:
        """
        Whether more can be sent, or at least kept.
        """
        path, buffer = self.current, self._sequencing.sendBuffer
        return not buffer.isFull and (path is None or path.isWritable)

    def write(self, pieces: list[bytes]) -> None:
        """
        Send bytes, and keep them until the peer has taken them.
        """
        self._sequencing.sendBuffer.write(pieces)
        self._flush()

    def finish(self) -> None:
        """
        Tell the peer that nothing more will be written.
        """
        self._sequencing.sendBuffer.finish()
        self._flush()

    def _flush(self) -> None:
        """
        Send what may be sent.
        """
        path, nextPiece = self.current, self._sequencing.nextPiece
        if path is None:
            return
        while path.isWritable and (piece := nextPiece()) is not None:
            path.applicationSent()
            if isinstance(piece, list):
                path.sendData(*piece)
            else:
                path.send(piece.type, piece.payload)
        self._handler.writabilityChanged()

    def taken(self, count: int) -> None:
        """
        The application has taken so many units: bytes, or the end, which is one.
        L{update} is to follow.
        """
        self._sequencing.taken(count)

    def update(self) -> None:
        """
        Acknowledge what was taken, and end the paths, or the link, that are done.
        """
        sequencing = self._sequencing
        if sequencing.isAckDue:
            self._acknowledge()
        elif (
            not self._ackTimer.isSet
            and sequencing.isAckOwed
            and self.current is not None
        ):
            self._ackTimer.set(ACK_DELAY, self._acknowledge)
        if sequencing.isComplete:
            self._do(self._state.completed())
        drained = sequencing.drained
        if drained:
            for each in self._of(drained):
                each.close()

    def _acknowledge(self) -> None:
        self._ackTimer.clear()
        path = self.current
        if path is not None and not path.isOver and self._sequencing.isAckOwed:
            path.send(Type.ACK, self._sequencing.acknowledgment())
            self.update()

    # How the link goes on, and ends.

    @property
    def progress(self) -> tuple[object, ...]:
        """
        What changes whenever the link gets further.
        """
        sequencing = self._sequencing
        acknowledged = sequencing.sendBuffer.acknowledged
        return self.current, sequencing.received, acknowledged

    def abort(self, error: LinkError) -> None:
        """
        End the link; the peer is told, if that is possible.
        """
        self._error = error
        self._do(self._state.gaveUp())

    def _do(self, actions: LinkAction) -> None:
        for action, method in self._methods.items():
            if action in actions:
                method(self)

    def _suspend(self) -> None:
        assert self._error is not None
        self._suspension.suspended(self._error)

    def _resume(self) -> None:
        assert self.current is not None
        self._suspension.resumed(self.current.selected)

    def _closePath(self) -> None:
        """
        All is done: tell the peer so, and see that it agrees.
        """
        assert self.current is not None
        self.current.close()
        self._suspension.awaitPeer()

    def _end(self, error: LinkError | None) -> None:
        self._ackTimer.clear()
        self.ended.succeed(error)
        # On all of them: the peer may send on one that is not attached yet here.
        for each in list(self._paths):
            each.close()
        self._suspension.stop()
        self._checkReleased()

    def _checkReleased(self) -> None:
        if self.ended.settled and not self._paths:
            self.released.succeed(None)

    _methods: dict[LinkAction, Callable[[LinkPaths], None]] = {
        LinkAction.SUSPEND: _suspend,
        LinkAction.LINGER: lambda self: self._suspension.awaitPath(),
        LinkAction.RESUME: _resume,
        LinkAction.CLOSE_PATH: _closePath,
        LinkAction.REPORT_CLEAN: lambda self: self._end(None),
        LinkAction.REPORT_LOST: lambda self: self._end(self._error or PathLost()),
    }

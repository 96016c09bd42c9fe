"""
The course of a link: its paths, one after another, and what passes on them.

Here the rules (L{punch.link.sequencing}, L{punch.link.state}) meet the paths; what the
link's application has to do with it is L{punch.link.transport}'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol as Shape

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from punch.errors import LinkError, PathLost, ProtocolViolation
from punch.events import PathChanged, Tell
from punch.ice.selected import SelectedPath
from punch.link.interfaces import PathFinder, Want
from punch.link.keepalive import GAP
from punch.link.path import Path, Ride
from punch.link.receivebuffer import ReceiveBuffer
from punch.link.records import Control, Record, Type
from punch.link.sequencing import Sequencing, Stale
from punch.link.state import LinkAction, newLife
from punch.link.suspension import Suspension
from punch.reasons import Reason
from punch.role import Role
from punch.util.deferreds import SharedResult
from punch.util.timers import RestartableTimer

ACK_DELAY = 0.05
"""
Seconds after which the peer hears what was taken, at the latest.
"""


class Traveller(Shape):
    """
    Who goes this way: a link.
    """

    def deliver(self) -> None:
        """
        Something may have arrived (C{course.inbox}).
        """

    def balance(self) -> None:
        """
        Whether we take more (C{course.isOpen}) may have changed.
        """


class LinkPaths:
    """
    All paths of one link.

    C{lead}: the one that is sent on.  C{inbox}: what has arrived.  C{ended}: arrives
    with C{None} after a clean end, else with why it ended early.  C{released}:
    arrives when its last path has ended, too.
    """

    def __init__(
        self,
        clock: IReactorTime,
        role: Role,
        resumeFor: float,
        tell: Tell,
        continuity: Sequencing,
        traveller: Traveller,
    ) -> None:
        self.lead: Ride | None = None
        self.inbox = ReceiveBuffer(continuity)
        self.ended: SharedResult[LinkError | None] = SharedResult()
        self.released: SharedResult[None] = SharedResult()
        self._clock = clock
        self._role = role
        self._tell = tell
        self._continuity = continuity
        self._traveller = traveller
        self._life = newLife()
        self._rides: list[Ride] = []
        self._outage = Suspension(clock, resumeFor, tell, self.abort)
        self._error: LinkError | None = None
        self._hasBegun = False
        self._isUnsure = False
        self._ack = RestartableTimer(clock)

    # Paths come.

    def begin(self, selected: SelectedPath[Path]) -> Ride:
        """
        The first path.
        """
        ride = Ride(self._clock, selected, self)
        self._rides.append(ride)
        if self._role is Role.DIALER:
            ride.generation = 1
            ride.asked()
            self._leadBy(ride)
        ride.start()
        return ride

    def adopt(self, selected: SelectedPath[Path]) -> Deferred[bool]:
        """
        Another path: on the dialer, to attach; on the listener, the dialer has.

        @return: whether the link has come to go on there.
        """
        ride = Ride(self._clock, selected, self)
        self._rides.append(ride)
        self._hurry(ride)
        if self.ended.settled:
            ride.drop()
        else:
            if self._role is Role.DIALER:
                ride.generation = selected.path.attach(self._continuity)
                ride.asked()
            ride.start()
        return ride.whenAttached.wait()

    def _hurry(self, ride: Ride) -> None:
        """
        Where another path can be had, a silent one is not waited for.
        """
        if self._outage.mayEnd:
            ride.pulse.gap = GAP

    def probe(self, isDoubtful: bool) -> None:
        """
        See at once whether the path still answers.
        """
        if self.lead is not None:
            self.lead.probe(isDoubtful)

    def seekBy(self, seeker: PathFinder) -> None:
        """
        From now on C{seeker} finds paths, as they are wanted.
        """
        self._outage.seeker = seeker
        for ride in self._rides:
            self._hurry(ride)
        seeker.wanted()

    @property
    def want(self) -> Want:
        """
        What is lacking now.
        """
        lead = self.lead
        if self.ended.settled or (lead is not None and self._continuity.isComplete):
            return Want.NOTHING
        if lead is None:
            return Want.ANOTHER
        if self._outage.mayEnd and (lead.pulse.isSuspected or self._isUnsure):
            return Want.ANOTHER
        return Want.BETTER if lead.selected.mayImprove else Want.NOTHING

    def _leadBy(self, ride: Ride) -> None:
        """
        Send by C{ride} from now on.
        """
        before, self.lead = self.lead, ride
        self._hasBegun = True
        self._isUnsure = False
        ride.lead()
        # First of all: if we are complete, we end the path at once, and the other
        # side may not know yet what we took.
        self._acknowledge()
        self._do(self._life.attached())
        if before is not None:
            before.follow()
            why = Reason.PATH_SILENT if before.pulse.isSuspected else Reason.BETTER
            self._tell(PathChanged(before.selected.way, ride.selected.way, why.value))
        self._outage.tellSeeker()
        self.flush()

    # What rides say (L{punch.link.path.Rider}).

    def recordsReceived(self, ride: Ride, records: list[Record]) -> None:
        """
        Records arrived on C{ride}.
        """
        continuity, inbox = self._continuity, self.inbox
        try:
            for record in records:
                if ride.isOver or self.ended.settled:
                    break
                if isinstance(record, bytes):
                    inbox.put(continuity.dataReceived(ride.generation, record))
                else:
                    self._obey(ride, record)
        except ProtocolViolation as violation:
            ride.violated(violation)
        self._traveller.deliver()
        self.settle()

    def _obey(self, ride: Ride, record: Control) -> None:
        type, continuity = record.type, self._continuity
        if type is Type.ACK or type is Type.PONG:
            self._ackCame(ride, record)
        elif type is Type.PING:
            ride.path.send(Type.PONG, continuity.pong(ride.generation))
        elif type is Type.CLOSE:
            if continuity.closeReceived(ride.generation):
                self.inbox.putEnd()
        elif type is Type.SKIP:
            continuity.skipReceived(ride.generation, record.payload)
        elif type is Type.ATTACH and self._role is Role.LISTENER:
            self._attachCame(ride, record.payload)
        elif type is Type.ATTACHED and self._role is Role.DIALER:
            self._attachedCame(ride, record.payload)
        else:
            raise ProtocolViolation(f"{type.name} out of turn")

    def _ackCame(self, ride: Ride, record: Control) -> None:
        if record.type is Type.PONG:
            self._measured(ride)
        now = self._clock.seconds()
        self._continuity.ackReceived(ride.generation, record.payload, now)
        self.flush()

    def _attachCame(self, ride: Ride, payload: bytes) -> None:
        if ride.generation:
            raise ProtocolViolation("a second ATTACH")
        binding = ride.path.binding
        try:
            generation, answer = self._continuity.attachReceived(payload, binding)
        except Stale:
            ride.drop()
            return
        ride.generation = generation
        ride.path.send(Type.ATTACHED, answer)
        self._leadBy(ride)

    def _attachedCame(self, ride: Ride, payload: bytes) -> None:
        binding = ride.path.binding
        if not self._continuity.attachedReceived(ride.generation, payload, binding):
            ride.drop()
            return
        if ride is not self.lead:
            self._leadBy(ride)
        self._measured(ride)

    def _measured(self, ride: Ride) -> None:
        seconds = ride.answered()
        if seconds is not None and ride is self.lead:
            self._continuity.measured(seconds)

    def doubted(self, ride: Ride) -> None:
        """
        C{ride} does not answer; or does again.
        """
        if ride is self.lead:
            self._outage.tellSeeker()

    def flowChanged(self, ride: Ride) -> None:
        """
        C{ride} takes no more for now; or does again.
        """
        if ride is self.lead:
            if ride.isFlowing:
                self.flush()
            self._traveller.balance()

    def rideEnded(self, ride: Ride, why: LinkError | None) -> None:
        """
        C{ride} is over.  C{why}: C{None} if the peer said so.
        """
        self._rides.remove(ride)
        self._checkReleased()
        isLead = ride is self.lead
        ending = self._continuity.pathLost(ride.generation) if ride.generation else []
        if isLead:
            self.lead = None
            for each in self._of(ending):
                each.drop()
        if isLead or not self._hasBegun:
            self._lose(why)
        elif self.lead is not None and ride.generation > self.lead.generation:
            # The listener may have moved there, and be lost with it.
            self._isUnsure = True
            self._outage.tellSeeker()

    def _lose(self, why: LinkError | None) -> None:
        """
        The path that leads is gone, or would have been the first.
        """
        self._error = why or PathLost()
        if why is None:
            self._do(self._life.pathEnded())
        elif isinstance(why, ProtocolViolation):
            self._do(self._life.gaveUp())
        else:
            self._do(self._life.pathDied())

    def _of(self, generations: list[int]) -> list[Ride]:
        return [each for each in self._rides if each.generation in generations]

    # What goes in and out.

    @property
    def isOpen(self) -> bool:
        """
        Whether more can be sent, or at least kept.
        """
        lead = self.lead
        return not self._continuity.isFull and (lead is None or lead.isFlowing)

    def flush(self) -> None:
        """
        Send what may be sent.
        """
        ride, next = self.lead, self._continuity.nextPiece
        if ride is None:
            return
        path = ride.path
        while ride.isFlowing and (piece := next()) is not None:
            ride.used()
            if isinstance(piece, list):
                path.sendData(*piece)
            else:
                path.send(piece.type, piece.payload)
        self._traveller.balance()

    def settle(self) -> None:
        """
        Say what was taken, and see whether something is done with.
        """
        continuity = self._continuity
        if continuity.wantsAck:
            self._acknowledge()
        elif not self._ack.isSet and continuity.owesAck and self.lead is not None:
            self._ack.set(ACK_DELAY, self._acknowledge)
        if continuity.isComplete:
            self._do(self._life.completed())
        drained = continuity.drained
        if drained:
            for each in self._of(drained):
                each.leave()

    def _acknowledge(self) -> None:
        self._ack.clear()
        lead = self.lead
        if lead is not None and not lead.isOver and self._continuity.owesAck:
            lead.path.send(Type.ACK, self._continuity.acknowledgment())
            self.settle()

    # How it goes on, and ends.

    def abort(self, error: LinkError) -> None:
        """
        End it; the peer is told, if that is possible.
        """
        self._error = error
        self._do(self._life.gaveUp())

    def _do(self, todo: LinkAction) -> None:
        for each, act in self._acts.items():
            if each in todo:
                act(self)

    def _suspend(self) -> None:
        assert self._error is not None
        self._outage.begin(self._error)

    def _resume(self) -> None:
        assert self.lead is not None
        self._outage.end(self.lead.selected)

    def _endPath(self) -> None:
        """
        All is done: tell the peer so, and see that it agrees.
        """
        assert self.lead is not None
        self.lead.leave()
        self._outage.part()

    def _end(self, error: LinkError | None) -> None:
        self._ack.clear()
        self.ended.succeed(error)
        # All of them say so: the peer may lead by one that is still a candidate here.
        for each in list(self._rides):
            each.leave()
        self._outage.clear()
        self._checkReleased()

    def _checkReleased(self) -> None:
        if self.ended.settled and not self._rides:
            self.released.succeed(None)

    _acts: dict[LinkAction, Callable[[LinkPaths], None]] = {
        LinkAction.SUSPEND: _suspend,
        LinkAction.LINGER: lambda self: self._outage.linger(),
        LinkAction.RESUME: _resume,
        LinkAction.END_PATH: _endPath,
        LinkAction.REPORT_CLEAN: lambda self: self._end(None),
        LinkAction.REPORT_LOST: lambda self: self._end(self._error or PathLost()),
    }

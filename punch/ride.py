"""
A ride: a path, as long as a link uses it.
"""

from __future__ import annotations

from collections import deque
from typing import Any
from typing import Protocol as Shape

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.alarm import Alarm
from punch.arrival import Arrival
from punch.errors import LinkError, PathLost, PathSilent, ProtocolViolation
from punch.path import Path
from punch.pulse import Beat, Pulse
from punch.records import Record, Type
from punch.win import Win

FAREWELL = 1.0
"""
Seconds for which we wait for the other side to end a path that we end, too.  Then what
was written on it is the kernel's to deliver; what that does not take in as many seconds
is lost.
"""

_MOST_ASKED = 8
"""
Questions that may be open: more than a path may leave unanswered and live.
"""


class Rider(Shape):
    """
    Who rides: a link.
    """

    def recordsReceived(self, ride: Ride, records: list[Record]) -> None:
        """
        Records arrived, in order.
        """

    def doubted(self, ride: Ride) -> None:
        """
        The path does not answer any more; or it does again.
        """

    def flowChanged(self, ride: Ride) -> None:
        """
        The path takes no more for now (C{ride.isFlowing}); or it does again.
        """

    def rideEnded(self, ride: Ride, why: LinkError | None) -> None:
        """
        The path is gone.  C{None}: the peer ended it on purpose.
        """


@implementer(IPushProducer)
class Ride:
    """
    One path under a link.

    C{generation}: the path's, 0 as long as it is not known.  C{isFlowing}: whether
    it takes more now.  C{whenAttached}: fires with C{True} when the link has come
    to go on here, with C{False} if it has not.  C{whenAnswered}: likewise, when the
    peer has answered something here.
    """

    def __init__(self, clock: IReactorTime, win: Win[Path], rider: Rider) -> None:
        self.win = win
        self.path = win.path
        self.generation = 0
        self.isFlowing = True
        self.isOver = False
        self.whenAttached: Arrival[bool] = Arrival()
        self.whenAnswered: Arrival[bool] = Arrival()
        self.pulse = Pulse(clock.seconds())
        self.roundTrip: float | None = None
        self._clock = clock
        self._rider = rider
        # When we asked what is not answered yet; answers come in order.
        self._asked: deque[float] = deque(maxlen=_MOST_ASKED)
        self._producing = False
        self._isLeaving = False
        self._timer = Alarm(clock)
        self._parting = Alarm(clock)

    def start(self) -> None:
        """
        Take what has come on the path, and what comes.
        """
        self._plan()
        self.path.carry(self)

    # What the path says (L{punch.path.Rider}).

    def recordsReceived(self, records: list[Record]) -> None:
        """
        Records arrived.
        """
        pulse = self.pulse
        wasSuspected, wasIdle = pulse.isSuspected, pulse.isIdle
        pulse.heard(self._clock.seconds(), bytes in map(type, records))
        if self.isOver:
            return
        if wasIdle and not pulse.isIdle:
            self._plan()
        self._rider.recordsReceived(self, records)
        if wasSuspected:
            self._rider.doubted(self)

    def pathLost(self, reason: Failure | ProtocolViolation) -> None:
        """
        The path is gone.
        """
        if isinstance(reason, ProtocolViolation):
            # The peer is to know that it was no accident.
            self.leave()
            self._end(reason)
        else:
            self._parting.clear()
            self._end(None if reason.check(ConnectionDone) else PathLost())

    # What the path's transport says.

    def pauseProducing(self) -> None:
        self.isFlowing = False
        self._rider.flowChanged(self)

    def resumeProducing(self) -> None:
        self.isFlowing = True
        self._rider.flowChanged(self)

    def stopProducing(self) -> None:
        self.isFlowing = False

    # What the link does.

    def lead(self) -> None:
        """
        What the link sends goes this way from now on.
        """
        self._producing = True
        transport: Any = self.path.transport
        transport.registerProducer(self, True)
        self.whenAttached.arrive(True)

    def follow(self) -> None:
        """
        Another path leads now; this one is only read.
        """
        if self._producing:
            self._producing = False
            self.path.transport.unregisterProducer()

    def used(self) -> None:
        """
        Something of the application's was sent.
        """
        if self.pulse.isIdle:
            self.pulse.used(self._clock.seconds())
            self._plan()

    def probe(self, isDoubtful: bool) -> None:
        """
        See at once whether it answers.
        """
        now = self._clock.seconds()
        if isDoubtful:
            self.pulse.doubt(now)
            self._rider.doubted(self)
        else:
            self.pulse.probe(now)
        self._plan()

    def asked(self) -> None:
        """
        Something was sent that is to be answered.
        """
        self._asked.append(self._clock.seconds())

    def answered(self) -> float | None:
        """
        An answer came.

        @return: seconds since we asked, if we did.
        """
        if not self._asked:
            return None
        taken = self._clock.seconds() - self._asked.popleft()
        self.roundTrip = min(taken, self.roundTrip or taken)
        self.whenAnswered.arrive(True)
        return taken

    def leave(self) -> None:
        """
        End the path cleanly, after what was sent, if that does not take too long.
        """
        self.follow()
        self.whenAttached.arrive(False)
        if not self._isLeaving:
            self._isLeaving = True
            self._parting.set(FAREWELL, self._part)
            self.path.finish()

    def _part(self) -> None:
        """
        Our last words may be lost on the way, and sent again for longer than we wait.
        """
        self._parting.set(FAREWELL, self.path.abort)
        self.path.part()

    def drop(self, why: LinkError | None = None) -> None:
        """
        End the path at once.
        """
        self.follow()
        self.path.abort()
        self._end(why or PathLost())

    def violated(self, violation: ProtocolViolation) -> None:
        """
        The peer broke the rules on this path.
        """
        self.path.violated(violation)

    # Its end, and its life.

    def _end(self, why: LinkError | None) -> None:
        if self.isOver:
            return
        self.isOver = True
        self._producing = False
        self._timer.clear()
        self.whenAttached.arrive(False)
        self.whenAnswered.arrive(False)
        self._rider.rideEnded(self, why)

    def _plan(self) -> None:
        """
        Look at the pulse when it is due.
        """
        pause = self.pulse.due(self.roundTrip) - self._clock.seconds()
        self._timer.set(max(0.0, pause), self._look)

    def _look(self) -> None:
        now = self._clock.seconds()
        beat = self.pulse.look(now, self.roundTrip)
        if beat is Beat.PING:
            self.asked()
            self.path.send(Type.PING)
        elif beat is Beat.SUSPECT:
            self._rider.doubted(self)
        elif beat is Beat.DIE:
            self.drop(PathSilent())
        if not self.isOver:
            self._plan()

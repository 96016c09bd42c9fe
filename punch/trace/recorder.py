"""
The meeting recorder: it takes the trace events of a meeting, and answers at any time
with the trace so far.

It stays small, however long the meeting is and however many addresses are tried.
"""

from __future__ import annotations

from functools import singledispatchmethod

from punch import traceevents
from punch.trace.lane import STOPPED, LaneRecorder
from punch.trace.lanes import Lanes
from punch.trace.model import Trace

_GIVEN_UP = "Given up before there was a path"


def _verdictOf(
    selected: traceevents.PathSelected, lane: LaneRecorder, at: float
) -> str:
    verdict = f"{selected.path} in {at * 1000:.0f} ms"
    if selected.path == "direct":
        verdict += f": {lane.how} {lane.local} - {selected.remote}"
    return f"{verdict} (not direct: {selected.why})" if selected.why else verdict


class MeetingRecorder:
    """
    Records one meeting, as one side sees it.

    A tracer, such as that of L{punch.trace.file.TraceFile}, makes one when the meeting
    begins and passes it each trace event.  It holds nothing that has to be closed.
    C{trace} answers with the meeting so far.
    """

    def __init__(self, role: str, began: float, isRejoin: bool = False) -> None:
        """
        @param role: C{"dialer"}, C{"listener"} or C{"peer"}.
        @param began: when the meeting began, in Unix seconds.
        @param isRejoin: the meeting is for another path of a link that exists.
        """
        self._role = role
        self._began = began
        self._isRejoin = self._isPeerProven = isRejoin
        self._now = 0.0
        self._introduction = ""
        self._start: float | None = None
        self._won: float | None = None
        self._state = "going on"
        self._verdict = "Not over yet"
        self._detail = ""
        self._rendezvous = LaneRecorder("rendezvous")
        self._peer = LaneRecorder("the other side")
        self._lanes = Lanes()

    def add(self, at: float, event: traceevents.TraceEvent) -> None:
        """
        Record an event.

        @param at: seconds since the meeting began; if less than at the event before,
            the same is taken.
        """
        self._now = max(self._now, at)
        self._record(event, self._now)

    @property
    def wasNotNeeded(self) -> bool:
        """
        Whether this meeting was for a link that got on without another path.
        """
        return self._isRejoin and self._verdict == _GIVEN_UP

    @property
    def isPeerProven(self) -> bool:
        """
        Whether the peer has proven that it is the one we expect.
        """
        return self._isPeerProven

    @property
    def isEmpty(self) -> bool:
        """
        Whether there is no lane to show.
        """
        return not (self._common or self._lanes)

    @property
    def _common(self) -> list[LaneRecorder]:
        """
        The lanes that are not the race's: none, if we meet without a rendezvous.
        """
        if self._introduction:
            return [self._rendezvous, self._peer]
        return [self._rendezvous] if self._rendezvous.spans else []

    def trace(self) -> Trace:
        """
        The meeting so far.
        """
        again = "For a link that lives: " if self._isRejoin else ""
        lanes = (*self._common, *self._lanes)
        return Trace(
            role=self._role,
            introduction=self._introduction,
            began=self._began,
            length=self._now,
            verdict=again + self._verdict,
            detail=self._detail,
            state=self._state,
            lanes=tuple(lane.snapshot(self._now) for lane in lanes),
            start=self._start,
            won=self._won,
        )

    @singledispatchmethod
    def _record(self, event: traceevents.TraceEvent, at: float) -> None:
        """
        An event that concerns a lane of the race only.
        """
        self._lanes.record(event, at)

    # The rendezvous, and the peer by way of it.

    @_record.register
    def _rendezvousConnecting(
        self, event: traceevents.RendezvousConnecting, at: float
    ) -> None:
        self._rendezvous.spans.start(at, "connect")

    @_record.register
    def _rendezvousConnected(
        self, event: traceevents.RendezvousConnected, at: float
    ) -> None:
        self._rendezvous.spans.end(at, "connected")
        self._rendezvous.spans.start(at, "ask")

    @_record.register
    def _addressObserved(self, event: traceevents.AddressObserved, at: float) -> None:
        self._rendezvous.about = f"sees us as {event.address}"

    @_record.register
    def _introductionReceived(
        self, event: traceevents.IntroductionReceived, at: float
    ) -> None:
        if self._start is not None:
            return
        self._introduction = event.introduction
        self._start = at + event.wait
        self._rendezvous.spans.end(at, "introduced")
        wait = f"{event.wait * 1000:.0f} ms"
        self._rendezvous.mark(at, f"introduced; both start in {wait}")
        if event.wait > 0:
            self._rendezvous.stages.start(at, "wait")
            self._rendezvous.stages.end(self._start, "start")
        self._peer.about = f"seen at {event.peer}"
        self._peer.spans.start(at, "details awaited")

    @_record.register
    def _detailsSent(self, event: traceevents.DetailsSent, at: float) -> None:
        self._peer.mark(at, "our message sent")

    @_record.register
    def _detailsReceived(self, event: traceevents.DetailsReceived, at: float) -> None:
        self._isPeerProven = True
        self._peer.spans.end(at, "here")
        plural = "" if event.candidates == 1 else "es"
        self._peer.mark(at, f"its details: {event.candidates} address{plural}")

    @_record.register
    def _peerWithdrew(self, event: traceevents.PeerWithdrew, at: float) -> None:
        self._peer.mark(at, f"it left: {event.reason}")

    # The race.

    @_record.register
    def _traversalStarted(self, event: traceevents.TraversalStarted, at: float) -> None:
        self._peer.mark(at, event.part)

    @_record.register
    def _connectionMade(self, event: traceevents.ConnectionMade, at: float) -> None:
        lane = self._lanes.connectionMade(at, event)
        if event.how == "accepted":
            lane.mark(at, "accepted")
        lane.stages.start(at, "connection" if self._role == "peer" else "TLS")

    @_record.register
    def _tlsEstablished(self, event: traceevents.TLSEstablished, at: float) -> None:
        lane = self._lanes.laneOf(event.remote, event.local)
        if event.earlier:
            lane.replaceMark("came in earlier, known now by its pin")
        lane.stages.end(at, "done")
        lane.stages.start(at, "pin awaited")

    @_record.register
    def _pinVerified(self, event: traceevents.PinVerified, at: float) -> None:
        self._isPeerProven = True
        stages = self._lanes.laneOf(event.remote, event.local).stages
        stages.end(at, "known")
        isDialer = self._role == "dialer"
        stages.start(at, "attach" if isDialer else "attach awaited")

    # The end.

    @_record.register
    def _pathSelected(self, event: traceevents.PathSelected, at: float) -> None:
        lane = self._lanes.pathSelected(event.remote, event.local)
        isFirst = self._won is None
        for each in self._lanes.single:
            if each.hasWon and each is not lane:
                each.pathReplaced(at)
        lane.hasWon = True
        lane.mark(at, f"won, {event.path}")
        if isFirst:
            self._won, self._state, self._isPeerProven = at, "connected", True
            verdict = _verdictOf(event, lane, at)
            self._verdict = verdict[:1].upper() + verdict[1:]
        else:
            self._verdict += f"; then {_verdictOf(event, lane, at)}"
        # Only for a link's first path do we hear whether the listener agrees.
        if self._role != "dialer" or self._isRejoin or not isFirst:
            lane.pathAttached(at)

    @_record.register
    def _attachConfirmed(self, event: traceevents.AttachConfirmed, at: float) -> None:
        for lane in self._lanes.single:
            # On the other side the path carried the link when it was selected.
            if lane.hasWon and self._role == "dialer":
                lane.pathAttached(at)

    @_record.register
    def _raceFailed(self, event: traceevents.RaceFailed, at: float) -> None:
        if self._won is None:
            self._state = "failed"
            self._verdict = f"Failed ({event.reason}). {event.message}".rstrip()
        else:
            self._verdict += f"; no direct path ({event.reason})"
        self._detail = event.detail
        self._raceEnded(traceevents.RaceEnded(), at)

    @_record.register
    def _raceEnded(self, event: traceevents.RaceEnded, at: float) -> None:
        if self._state == "going on":
            self._state, self._verdict = "failed", _GIVEN_UP
        self._lanes.raceEnded(at, self._state == "failed")
        if self._state == "failed":
            self._rendezvous.spans.end(at, STOPPED)
            self._peer.spans.end(at, STOPPED)

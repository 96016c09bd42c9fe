"""
The chronicle: a meeting's steps in, and at any time its trace.

It stays small however long the meeting is, and however many addresses are tried.
"""

from __future__ import annotations

from functools import singledispatchmethod

from punch import traceevents
from punch.trace.lane import STOPPED, Track
from punch.trace.lanes import Lanes
from punch.trace.model import Trace

_PEER = "the other side"
_GIVEN_UP = "Given up before there was a path"


def _verdictOf(win: traceevents.Won, lane: Track, at: float) -> str:
    verdict = f"{win.path} in {at * 1000:.0f} ms"
    if win.path == "direct":
        verdict += f": {lane.how} {lane.local} - {win.remote}"
    return f"{verdict} (not direct: {win.why})" if win.why else verdict


class MeetingRecorder:
    """
    One meeting.
    """

    def __init__(self, role: str, began: float, isReunion: bool = False) -> None:
        """
        @param began: when, in Unix seconds.
        """
        self._role = role
        self._began = began
        self._isReunion = self._isProven = isReunion
        self._now = 0.0
        self._introduction = ""
        self._start: float | None = None
        self._won: float | None = None
        self._state = "going on"
        self._verdict = "Not over yet"
        self._detail = ""
        self._server = Track("rendezvous")
        self._peer = Track(_PEER)
        self._lanes = Lanes()

    def add(self, at: float, step: traceevents.TraceEvent) -> None:
        """
        One more step, C{at} so many seconds from the beginning.
        """
        self._now = max(self._now, at)
        self._take(step, self._now)

    @property
    def wasInVain(self) -> bool:
        """
        Whether another path was looked for that soon was not needed any more.
        """
        return self._isReunion and self._verdict == _GIVEN_UP

    @property
    def isProven(self) -> bool:
        """
        Whether the other side has shown that it is the one that we mean.
        """
        return self._isProven

    @property
    def isBlank(self) -> bool:
        """
        Whether there is nothing to be drawn.
        """
        return not (self._common or self._lanes)

    @property
    def _common(self) -> list[Track]:
        """
        The lanes of others than the race: none, if we meet without a rendezvous.
        """
        if self._introduction:
            return [self._server, self._peer]
        return [self._server] if self._server.spans else []

    def trace(self) -> Trace:
        """
        What there is to be drawn.
        """
        again = "For a link that lives: " if self._isReunion else ""
        return Trace(
            role=self._role,
            introduction=self._introduction,
            began=self._began,
            length=self._now,
            verdict=again + self._verdict,
            detail=self._detail,
            state=self._state,
            lanes=tuple(lane.at(self._now) for lane in (*self._common, *self._lanes)),
            start=self._start,
            won=self._won,
        )

    @singledispatchmethod
    def _take(self, step: traceevents.TraceEvent, at: float) -> None:
        """
        A step of a sort that is not drawn.
        """

    # The rendezvous, and the other side through it.

    @_take.register
    def _sought(self, step: traceevents.Sought, at: float) -> None:
        self._server.spans.begin(at, "connect")

    @_take.register
    def _reached(self, step: traceevents.Reached, at: float) -> None:
        self._server.spans.end(at, "connected")
        self._server.spans.begin(at, "ask")

    @_take.register
    def _seen(self, step: traceevents.Seen, at: float) -> None:
        self._server.about = f"sees us as {step.address}"

    @_take.register
    def _met(self, step: traceevents.Met, at: float) -> None:
        if self._start is not None:
            return
        self._introduction = step.introduction
        self._start = at + step.wait
        self._server.spans.end(at, "introduced")
        self._server.mark(at, f"introduced; both start in {step.wait * 1000:.0f} ms")
        if step.wait > 0:
            self._server.stages.begin(at, "wait")
            self._server.stages.end(self._start, "start")
        self._peer.about = f"seen at {step.peer}"
        self._peer.spans.begin(at, "details awaited")

    @_take.register
    def _said(self, step: traceevents.Said, at: float) -> None:
        self._peer.mark(at, "our message sent")

    @_take.register
    def _heard(self, step: traceevents.Heard, at: float) -> None:
        self._isProven = True
        self._peer.spans.end(at, "here")
        plural = "" if step.candidates == 1 else "es"
        self._peer.mark(at, f"its details: {step.candidates} address{plural}")

    @_take.register
    def _peerGone(self, step: traceevents.PeerGone, at: float) -> None:
        self._peer.mark(at, f"it left: {step.reason}")

    # The race.

    @_take.register
    def _learned(self, step: traceevents.Learned, at: float) -> None:
        self._lanes.learn(step.remote, step.kind)

    @_take.register
    def _trying(self, step: traceevents.Trying, at: float) -> None:
        self._lanes.begin(at, step.remote)

    @_take.register
    def _tried(self, step: traceevents.Tried, at: float) -> None:
        self._lanes.tried(at, step.outcome, step.remote)

    @_take.register
    def _approached(self, step: traceevents.Approached, at: float) -> None:
        self._peer.mark(at, step.part)

    @_take.register
    def _searching(self, step: traceevents.Searching, at: float) -> None:
        self._lanes.search(at, step.among)

    @_take.register
    def _searched(self, step: traceevents.Searched, at: float) -> None:
        self._lanes.searched(at, step.outcome)

    @_take.register
    def _joined(self, step: traceevents.Joined, at: float) -> None:
        lane = self._lanes.join(at, step)
        if step.how == "accepted":
            lane.mark(at, "accepted")
        lane.stages.begin(at, "connection" if self._role == "peer" else "TLS")

    @_take.register
    def _secured(self, step: traceevents.Secured, at: float) -> None:
        lane = self._lanes.of(step.remote, step.local)
        if step.earlier:
            lane.remark("came in earlier, known now by its pin")
        lane.stages.end(at, "done")
        lane.stages.begin(at, "pin awaited")

    @_take.register
    def _recognized(self, step: traceevents.Recognized, at: float) -> None:
        self._isProven = True
        stages = self._lanes.of(step.remote, step.local).stages
        stages.end(at, "known")
        isDialer = self._role == "dialer"
        stages.begin(at, "attach" if isDialer else "attach awaited")

    @_take.register
    def _rejected(self, step: traceevents.Rejected, at: float) -> None:
        self._lanes.reject(at, step.outcome, step.remote, step.local)

    # The end.

    @_take.register
    def _winner(self, step: traceevents.Won, at: float) -> None:
        lane, isFirst = self._lanes.win(step.remote, step.local), self._won is None
        for each in self._lanes.tracks:
            if each.hasWon and each is not lane:
                each.overtaken(at)
        lane.hasWon = True
        lane.mark(at, f"won, {step.path}")
        if isFirst:
            self._won, self._state, self._isProven = at, "connected", True
            verdict = _verdictOf(step, lane, at)
            self._verdict = verdict[:1].upper() + verdict[1:]
        else:
            self._verdict += f"; then {_verdictOf(step, lane, at)}"
        # Whether the other side agrees to attach it we hear of a link's first path.
        if self._role != "dialer" or self._isReunion or not isFirst:
            lane.attached(at)

    @_take.register
    def _confirmed(self, step: traceevents.Confirmed, at: float) -> None:
        for lane in self._lanes.tracks:
            # Who does not attach had its link when the path won.
            if lane.hasWon and self._role == "dialer":
                lane.attached(at)

    @_take.register
    def _lost(self, step: traceevents.Lost, at: float) -> None:
        if self._won is None:
            self._state = "failed"
            self._verdict = f"Failed ({step.reason}). {step.message}".rstrip()
        else:
            self._verdict += f"; no direct path ({step.reason})"
        self._detail = step.detail
        self._over(traceevents.Over(), at)

    @_take.register
    def _over(self, step: traceevents.Over, at: float) -> None:
        if self._state == "going on":
            self._state, self._verdict = "failed", _GIVEN_UP
        self._lanes.stop(at, self._state == "failed")
        if self._state == "failed":
            self._server.spans.end(at, STOPPED)
            self._peer.spans.end(at, STOPPED)

"""
The chronicle: a meeting's steps in, and at any time its trace.

It stays small however long the meeting is, and however many addresses are tried.
"""

from __future__ import annotations

from functools import singledispatchmethod

from punch.trace.lane import STOPPED, Track
from punch.trace.lanes import Lanes
from punch.trace.model import Trace
from punch.traceevents import (
    AddressObserved,
    AttachConfirmed,
    CandidateAdded,
    ConnectEnded,
    ConnectionMade,
    ConnectionRejected,
    ConnectStarted,
    DetailsReceived,
    DetailsSent,
    IntroductionReceived,
    PathSelected,
    PeerWithdrew,
    PinVerified,
    RaceEnded,
    RaceFailed,
    RendezvousConnected,
    RendezvousConnecting,
    SearchConnectFailed,
    SearchConnectStarted,
    TLSEstablished,
    TraceEvent,
    TraversalStarted,
)

_PEER = "the other side"
_GIVEN_UP = "Given up before there was a path"


def _verdictOf(win: PathSelected, lane: Track, at: float) -> str:
    verdict = f"{win.path} in {at * 1000:.0f} ms"
    if win.path == "direct":
        verdict += f": {lane.how} {lane.local} - {win.remote}"
    return f"{verdict} (not direct: {win.why})" if win.why else verdict


class MeetingRecorder:
    """
    One meeting.
    """

    def __init__(self, role: str, began: float, isRejoin: bool = False) -> None:
        """
        @param began: when, in Unix seconds.
        """
        self._role = role
        self._began = began
        self._isReunion = self._isProven = isRejoin
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

    def add(self, at: float, event: TraceEvent) -> None:
        """
        One more step, C{at} so many seconds from the beginning.
        """
        self._now = max(self._now, at)
        self._take(event, self._now)

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
    def _take(self, event: TraceEvent, at: float) -> None:
        """
        A step of a sort that is not drawn.
        """

    # The rendezvous, and the other side through it.

    @_take.register
    def _sought(self, event: RendezvousConnecting, at: float) -> None:
        self._server.spans.begin(at, "connect")

    @_take.register
    def _reached(self, event: RendezvousConnected, at: float) -> None:
        self._server.spans.end(at, "connected")
        self._server.spans.begin(at, "ask")

    @_take.register
    def _seen(self, event: AddressObserved, at: float) -> None:
        self._server.about = f"sees us as {event.address}"

    @_take.register
    def _met(self, event: IntroductionReceived, at: float) -> None:
        if self._start is not None:
            return
        self._introduction = event.introduction
        self._start = at + event.wait
        self._server.spans.end(at, "introduced")
        self._server.mark(at, f"introduced; both start in {event.wait * 1000:.0f} ms")
        if event.wait > 0:
            self._server.stages.begin(at, "wait")
            self._server.stages.end(self._start, "start")
        self._peer.about = f"seen at {event.peer}"
        self._peer.spans.begin(at, "details awaited")

    @_take.register
    def _said(self, event: DetailsSent, at: float) -> None:
        self._peer.mark(at, "our message sent")

    @_take.register
    def _heard(self, event: DetailsReceived, at: float) -> None:
        self._isProven = True
        self._peer.spans.end(at, "here")
        plural = "" if event.candidates == 1 else "es"
        self._peer.mark(at, f"its details: {event.candidates} address{plural}")

    @_take.register
    def _peerGone(self, event: PeerWithdrew, at: float) -> None:
        self._peer.mark(at, f"it left: {event.reason}")

    # The race.

    @_take.register
    def _learned(self, event: CandidateAdded, at: float) -> None:
        self._lanes.learn(event.remote, event.kind)

    @_take.register
    def _trying(self, event: ConnectStarted, at: float) -> None:
        self._lanes.begin(at, event.remote)

    @_take.register
    def _tried(self, event: ConnectEnded, at: float) -> None:
        self._lanes.tried(at, event.outcome, event.remote)

    @_take.register
    def _approached(self, event: TraversalStarted, at: float) -> None:
        self._peer.mark(at, event.part)

    @_take.register
    def _searching(self, event: SearchConnectStarted, at: float) -> None:
        self._lanes.search(at, event.among)

    @_take.register
    def _searched(self, event: SearchConnectFailed, at: float) -> None:
        self._lanes.searched(at, event.outcome)

    @_take.register
    def _joined(self, event: ConnectionMade, at: float) -> None:
        lane = self._lanes.join(at, event)
        if event.how == "accepted":
            lane.mark(at, "accepted")
        lane.stages.begin(at, "connection" if self._role == "peer" else "TLS")

    @_take.register
    def _secured(self, event: TLSEstablished, at: float) -> None:
        lane = self._lanes.of(event.remote, event.local)
        if event.earlier:
            lane.remark("came in earlier, known now by its pin")
        lane.stages.end(at, "done")
        lane.stages.begin(at, "pin awaited")

    @_take.register
    def _recognized(self, event: PinVerified, at: float) -> None:
        self._isProven = True
        stages = self._lanes.of(event.remote, event.local).stages
        stages.end(at, "known")
        isDialer = self._role == "dialer"
        stages.begin(at, "attach" if isDialer else "attach awaited")

    @_take.register
    def _rejected(self, event: ConnectionRejected, at: float) -> None:
        self._lanes.reject(at, event.outcome, event.remote, event.local)

    # The end.

    @_take.register
    def _winner(self, event: PathSelected, at: float) -> None:
        lane, isFirst = self._lanes.win(event.remote, event.local), self._won is None
        for each in self._lanes.tracks:
            if each.hasWon and each is not lane:
                each.overtaken(at)
        lane.hasWon = True
        lane.mark(at, f"won, {event.path}")
        if isFirst:
            self._won, self._state, self._isProven = at, "connected", True
            verdict = _verdictOf(event, lane, at)
            self._verdict = verdict[:1].upper() + verdict[1:]
        else:
            self._verdict += f"; then {_verdictOf(event, lane, at)}"
        # Whether the other side agrees to attach it we hear of a link's first path.
        if self._role != "dialer" or self._isReunion or not isFirst:
            lane.attached(at)

    @_take.register
    def _confirmed(self, event: AttachConfirmed, at: float) -> None:
        for lane in self._lanes.tracks:
            # Who does not attach had its link when the path won.
            if lane.hasWon and self._role == "dialer":
                lane.attached(at)

    @_take.register
    def _lost(self, event: RaceFailed, at: float) -> None:
        if self._won is None:
            self._state = "failed"
            self._verdict = f"Failed ({event.reason}). {event.message}".rstrip()
        else:
            self._verdict += f"; no direct path ({event.reason})"
        self._detail = event.detail
        self._over(RaceEnded(), at)

    @_take.register
    def _over(self, event: RaceEnded, at: float) -> None:
        if self._state == "going on":
            self._state, self._verdict = "failed", _GIVEN_UP
        self._lanes.stop(at, self._state == "failed")
        if self._state == "failed":
            self._server.spans.end(at, STOPPED)
            self._peer.spans.end(at, STOPPED)

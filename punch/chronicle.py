"""
The chronicle: a meeting's steps in, and at any time its trace.

It stays small however long the meeting is: of a lane's connects each is kept by
itself as long as there are few, then those in a row with one outcome are one span.
"""

from __future__ import annotations

from collections import Counter
from functools import singledispatchmethod

from punch import steps
from punch.trace import Lane, Mark, Span, Trace

MOST_SPANS = 64
_SINGLE = 48
"""
Spans that a lane may have, and those that are kept though they resemble each other.
"""

MOST_LANES = 32
MOST_MARKS = 16

_OTHERS = "others"
_PEER = "the other side"
STOPPED = "stopped"
_GIVEN_UP = "Given up before there was a path"
VARIOUS = "various"


class _Row:
    """
    Spans one after another, of which the last may go on.
    """

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._open: tuple[float, str] | None = None

    def begin(self, at: float, what: str) -> None:
        """
        Something begins; what went on before it has ended.
        """
        self.end(at, "")
        self._open = (at, what)

    def end(self, at: float, outcome: str) -> bool:
        """
        @return: whether something went on.
        """
        if self._open is None:
            return False
        (start, what), self._open = self._open, None
        self._keep(Span(start, at, what, outcome))
        return True

    def _keep(self, span: Span) -> None:
        spans, alike = self._spans, ""
        if len(spans) >= _SINGLE and spans[-1].what == span.what:
            last = spans[-1]
            alike = span.outcome if last.outcome == span.outcome else ""
            if len(spans) >= MOST_SPANS:
                alike = alike or VARIOUS
        if alike:
            count = spans.pop().count + 1
            span = Span(last.start, span.end, span.what, alike, count)
        if len(spans) < MOST_SPANS:
            spans.append(span)

    def at(self, now: float) -> tuple[Span, ...]:
        """
        What there is at C{now}.
        """
        going = () if self._open is None else (Span(self._open[0], now, self._open[1]),)
        return (*self._spans, *going)


class _Lane:
    """
    A lane in the making.
    """

    def __init__(self, title: str, about: str = "") -> None:
        self.title = title
        self.about = about
        self.local = ""
        self.how = ""
        self.spans = _Row()
        self.stages = _Row()
        self.hasWon = False
        self._marks: list[Mark] = []
        self._outcomes: Counter[str] = Counter()

    def mark(self, at: float, text: str) -> None:
        """
        Something happened.
        """
        if len(self._marks) < MOST_MARKS:
            self._marks.append(Mark(at, text))

    def remark(self, text: str) -> None:
        """
        What just happened is better said so.
        """
        if self._marks:
            self._marks.append(Mark(self._marks.pop().at, text))

    def tried(self, at: float, outcome: str) -> None:
        """
        A connect came to its outcome.
        """
        if self.spans.end(at, outcome) and outcome != "connected":
            self._outcomes[outcome] += 1

    def rejected(self, at: float, outcome: str) -> None:
        """
        A connection came to nothing, or the way to it did.
        """
        isStage = self.stages.end(at, outcome)
        if self.spans.end(at, outcome) or isStage:
            self._outcomes[outcome] += 1

    def attached(self, at: float) -> None:
        """
        Its connection carries the link.
        """
        self.stages.end(at, "attached")
        self.stages.begin(at, "link")

    def overtaken(self, at: float) -> None:
        """
        It had won, and now a better one has.
        """
        self.hasWon = False
        self.stages.end(at, "left")
        self._outcomes["won, then left for a better one"] += 1

    def stop(self, at: float, isLost: bool) -> None:
        """
        The race is over for it; C{isLost}: for all.
        """
        if self.spans.end(at, STOPPED):
            self._outcomes["no answer yet"] += 1
        if not self.hasWon and self.stages.end(at, STOPPED):
            late = "connected, no path in time" if isLost else "connected, too late"
            self._outcomes[late] += 1

    def _result(self) -> str:
        if self.hasWon:
            return "won"
        counts = self._outcomes.most_common(4)
        return "; ".join(f"{n} {what}" if n > 1 else what for what, n in counts)

    def at(self, now: float) -> Lane:
        """
        The lane as it is at C{now}.
        """
        about = f"{self.about}, from {self.local}" if self.local else self.about
        return Lane(
            self.title,
            about,
            self.spans.at(now),
            self.stages.at(now),
            tuple(self._marks),
            self._result(),
            self.hasWon,
        )


def _verdictOf(win: steps.Won, lane: _Lane, at: float) -> str:
    verdict = f"{win.path} in {at * 1000:.0f} ms"
    if win.path == "direct":
        verdict += f": {lane.how} {lane.local} - {win.remote}"
    return f"{verdict} (not direct: {win.why})" if win.why else verdict


class Chronicle:
    """
    One meeting.
    """

    def __init__(self, role: str, began: float, isReunion: bool = False) -> None:
        """
        @param began: when, in Unix seconds.
        """
        self._role = role
        self._began = began
        self._isReunion = isReunion
        self._now = 0.0
        self._introduction = ""
        self._start: float | None = None
        self._won: float | None = None
        self._state = "going on"
        self._verdict = "Not over yet"
        self._server = _Lane("rendezvous")
        self._peer = _Lane(_PEER)
        self._pairs: dict[str, _Lane] = {}

    def add(self, at: float, step: steps.Step) -> None:
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

    def trace(self) -> Trace:
        """
        What there is to be drawn.
        """
        common = [self._server, self._peer] if self._introduction else [self._server]
        if self._server.at(0).spans == () and not self._introduction:
            common = []  # A meeting without a rendezvous.
        again = "For a link that lives: " if self._isReunion else ""
        return Trace(
            role=self._role,
            introduction=self._introduction,
            began=self._began,
            length=self._now,
            verdict=again + self._verdict,
            state=self._state,
            lanes=tuple(
                lane.at(self._now) for lane in (*common, *self._pairs.values())
            ),
            start=self._start,
            won=self._won,
        )

    def _lane(self, remote: str, kind: str = "") -> _Lane:
        if remote not in self._pairs and len(self._pairs) >= MOST_LANES - 1:
            remote, kind = _OTHERS, "more than are drawn"
        return self._pairs.setdefault(remote, _Lane(remote, kind))

    @singledispatchmethod
    def _take(self, step: steps.Step, at: float) -> None:
        """
        A step of a sort that is not drawn.
        """

    # The rendezvous, and the other side through it.

    @_take.register
    def _sought(self, step: steps.Sought, at: float) -> None:
        self._server.spans.begin(at, "connect")

    @_take.register
    def _reached(self, step: steps.Reached, at: float) -> None:
        self._server.spans.end(at, "connected")
        self._server.spans.begin(at, "ask")

    @_take.register
    def _seen(self, step: steps.Seen, at: float) -> None:
        self._server.about = f"sees us as {step.address}"

    @_take.register
    def _met(self, step: steps.Met, at: float) -> None:
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
    def _said(self, step: steps.Said, at: float) -> None:
        self._peer.mark(at, "our message sent")

    @_take.register
    def _heard(self, step: steps.Heard, at: float) -> None:
        self._peer.spans.end(at, "here")
        plural = "" if step.candidates == 1 else "es"
        self._peer.mark(at, f"its details: {step.candidates} address{plural}")

    @_take.register
    def _peerGone(self, step: steps.PeerGone, at: float) -> None:
        self._peer.mark(at, f"it left: {step.reason}")

    # The race.

    @_take.register
    def _learned(self, step: steps.Learned, at: float) -> None:
        self._lane(step.remote, step.kind)

    @_take.register
    def _trying(self, step: steps.Trying, at: float) -> None:
        self._lane(step.remote).spans.begin(at, "connect")

    @_take.register
    def _tried(self, step: steps.Tried, at: float) -> None:
        self._lane(step.remote).tried(at, step.outcome)

    @_take.register
    def _approached(self, step: steps.Approached, at: float) -> None:
        self._peer.mark(at, step.part)

    @_take.register
    def _joined(self, step: steps.Joined, at: float) -> None:
        lane = self._lane(step.remote, step.kind)
        if step.remote == steps.RELAY:
            lane.tried(at, "connected")
        lane.local, lane.how = step.local, step.how
        if step.how == "accepted":
            lane.mark(at, "accepted")
        lane.stages.begin(at, "connection" if self._role == "peer" else "TLS")

    @_take.register
    def _secured(self, step: steps.Secured, at: float) -> None:
        lane = self._lane(step.remote)
        if step.earlier:
            lane.remark("came in earlier, known now by its pin")
        lane.stages.end(at, "done")
        lane.stages.begin(at, "pin awaited")

    @_take.register
    def _recognized(self, step: steps.Recognized, at: float) -> None:
        stages = self._lane(step.remote).stages
        stages.end(at, "known")
        isDialer = self._role == "dialer"
        stages.begin(at, "attach" if isDialer else "attach awaited")

    @_take.register
    def _rejected(self, step: steps.Rejected, at: float) -> None:
        self._lane(step.remote).rejected(at, step.outcome)

    # The end.

    @_take.register
    def _winner(self, step: steps.Won, at: float) -> None:
        lane, isFirst = self._lane(step.remote), self._won is None
        for each in self._pairs.values():
            if each.hasWon and each is not lane:
                each.overtaken(at)
        lane.hasWon = True
        lane.mark(at, f"won, {step.path}")
        if isFirst:
            self._won, self._state = at, "connected"
            verdict = _verdictOf(step, lane, at)
            self._verdict = verdict[:1].upper() + verdict[1:]
        else:
            self._verdict += f"; then {_verdictOf(step, lane, at)}"
        # Whether the other side agrees to attach it we hear of a link's first path.
        if self._role != "dialer" or self._isReunion or not isFirst:
            lane.attached(at)

    @_take.register
    def _confirmed(self, step: steps.Confirmed, at: float) -> None:
        for lane in self._pairs.values():
            # Who does not attach had its link when the path won.
            if lane.hasWon and self._role == "dialer":
                lane.attached(at)

    @_take.register
    def _lost(self, step: steps.Lost, at: float) -> None:
        if self._won is None:
            self._state = "failed"
            self._verdict = f"Failed ({step.reason}). {step.message}".rstrip()
        else:
            self._verdict += f"; no direct path ({step.reason})"
        self._over(steps.Over(), at)

    @_take.register
    def _over(self, step: steps.Over, at: float) -> None:
        if self._state == "going on":
            self._state, self._verdict = "failed", _GIVEN_UP
        for lane in self._pairs.values():
            lane.stop(at, self._state == "failed")
        if self._state == "failed":
            self._server.spans.end(at, STOPPED)
            self._peer.spans.end(at, STOPPED)

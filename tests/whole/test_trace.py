"""
Traces of whole meetings: they show on both sides what happened.
"""

from __future__ import annotations

from typing import Any

import pytest

from punch.events import Connected, PathChanged, Searched
from punch.peer.relaypolicy import RelayPolicy
from punch.trace.html import tracePage
from punch.trace.model import Lane, Trace, merged
from punch.trace.recorder import MeetingRecorder
from punch.traceevents import TraceEvent, Tracer
from tests.support.whole.meetings import finish
from tests.support.whole.nats import KEEPS, RANDOM, apart
from tests.support.whole.world import T, World, pair

RELAYING: dict[str, Any] = {"relay": RelayPolicy.FALLBACK, "resumeFor": 600.0}


class Tracing:
    """
    Records all meetings of a world (a L{punch.traceevents.TracerFactory}).
    """

    def __init__(self, world: World) -> None:
        self._clock = world.clock
        self.recorders: list[tuple[str, MeetingRecorder]] = []

    def __call__(self, role: str, isRejoin: bool) -> Tracer:
        """
        Record one more meeting.
        """
        began = self._clock.seconds()
        recorder = MeetingRecorder(role, began, isRejoin)
        self.recorders.append((role, recorder))

        def tracer(event: TraceEvent) -> None:
            recorder.add(self._clock.seconds() - began, event)

        return tracer

    def first(self, role: str) -> Trace:
        """
        The trace of the first meeting of a role.
        """
        return next(each.trace() for name, each in self.recorders if name == role)

    def both(self) -> tuple[Trace, Trace]:
        """
        Both sides of the first meeting; they can be rendered in one picture.
        """
        both = merged(self.first("dialer"), self.first("listener"))
        assert tracePage([both])
        return both


def winner(trace: Trace) -> Lane:
    """
    The lane of the path that won.
    """
    [lane] = [each for each in trace.lanes if each.hasWon]
    return lane


def traced(world: World, **settings: Any) -> Tracing:
    """
    A meeting, and its traces.
    """
    tracing = Tracing(world)
    world.meet(trace=tracing, **settings)
    world.run(1.0)
    return tracing


def test_direct() -> None:
    """
    After two round trips to the rendezvous both start, and after two to each other
    the dialer attaches.
    """
    world = pair()
    dialers, listeners = traced(world).both()
    [connected] = world.dialer.told(Connected)
    assert dialers.won == pytest.approx(connected.elapsed, abs=0.001)
    assert dialers.start == pytest.approx(2 * T, abs=0.001)
    assert listeners.start == dialers.start
    lane = winner(dialers)
    assert [each.what for each in lane.stages] == [
        "TLS",
        "pin awaited",
        "attach",
        "link",
    ]
    assert [each.what for each in winner(listeners).stages] == [
        "TLS",
        "pin awaited",
        "attach awaited",
        "link",
    ]
    tls, _, attach, _ = lane.stages
    assert tls.end - tls.start == pytest.approx(T, abs=0.002)
    assert attach.end - attach.start == pytest.approx(T, abs=0.002)
    assert lane.about == f"server-reflexive, from {connected.local}"
    # Who waited for whom: the listener's details took a round trip from the start.
    [awaited] = dialers.lanes[1].spans
    assert awaited.end - awaited.start == pytest.approx(T, abs=0.005)
    world.end()


def test_refused() -> None:
    """
    If a NAT refuses connects for seconds, the first are shown one by one, and all are
    counted.
    """
    world = pair("reset", "random")
    tracing = traced(world, timeout=8.0)
    lane = tracing.first("dialer").lanes[2]
    refused = [each for each in lane.spans if each.outcome == "refused"]
    assert refused[0].count == 1
    assert refused[0].end - refused[0].start == pytest.approx(T, abs=0.002)
    count = sum(each.count for each in refused)
    assert f"{count} refused" in lane.result
    assert count > 10
    world.end()


def test_failed() -> None:
    """
    Both sides' traces say why there is no path, and what came of each address.
    """
    world = pair("random", "random")
    tracing = traced(world, timeout=8.0)
    for trace in tracing.both():
        assert trace.state == "failed"
        assert trace.verdict.startswith("Failed (no-answer).")
        results = [each.result for each in trace.lanes[2:]]
        assert results
        assert all(each.endswith("no answer yet") for each in results)
    world.end()


def test_better() -> None:
    """
    A direct path that comes after a relayed one is in the trace of the same meeting.
    """
    world = pair()
    tracing = Tracing(world)
    world.network.block("203.0.113.1", "203.0.113.2")
    world.meet(trace=tracing, **RELAYING)
    world.run(0.5)
    world.network.unblock("203.0.113.1", "203.0.113.2")
    assert world.until(lambda: world.dialer.told(PathChanged), 30.0)
    world.run(2.0)
    for trace in tracing.both():
        assert trace.verdict.startswith("Relayed in ")
        assert "; then direct in " in trace.verdict
        [relay] = [each for each in trace.lanes if each.title == "relay"]
        assert relay.result == "won, then left for a better one"
    finish(world)


def searching(**settings: Any) -> tuple[World, Tracing]:
    """
    A meeting of two peers, of which one is behind a NAT that maps at random, and the
    other behind one that keeps ports.
    """
    world = apart(RANDOM, KEEPS, seed=2)
    tracing = Tracing(world)
    world.meet(trace=tracing, **settings)
    return world, tracing


@pytest.mark.parametrize("program", [0, 1], ids=["listener", "dialer"])
def test_searchFailed(program: int) -> None:
    """
    A search that found nothing is in the trace, in the detail of the failure, and in
    one event.
    """
    world, tracing = searching(timeout=12.0, search=20)
    trace = tracing.first(("listener", "dialer")[program])
    [lane] = [each for each in trace.lanes if each.title == "search"]
    begun = sum(each.count for each in lane.spans if each.outcome == "begun")
    assert begun >= 20
    over = sum(each.count for each in lane.stages if each.outcome == "timed out")
    assert lane.result in (
        f"{over} timed out; {begun - over} no answer yet",
        f"{begun - over} no answer yet; {over} timed out",
    )
    assert f"{begun} connects of a search" in trace.detail
    assert world.programs[program].told(Searched) == [Searched(begun)]
    world.end()


def test_searchWon() -> None:
    """
    If a search finds the other side, the winner has a lane of its own, and the lane of
    connects from the shared port shows only these.
    """
    world, tracing = searching(timeout=30.0)
    world.run(1.0)
    for trace in (tracing.first("listener"), tracing.first("dialer")):
        lane = winner(trace)
        [connect] = lane.spans
        assert connect.outcome == "connected"
        assert [each.what for each in lane.stages][-1] == "link"
        assert all(each.outcome for each in lane.stages[:-1])
        assert trace.lanes[2].result == "no answer yet"
        assert trace.lanes[2].stages == ()
    finish(world)


def test_noSearch() -> None:
    """
    If no search is to be made none is begun, and no trace says that one is.
    """
    world, tracing = searching(timeout=8.0, search=0)
    for role, program in zip(("listener", "dialer"), world.programs, strict=True):
        trace = tracing.first(role)
        assert "search" not in [each.title for each in trace.lanes]
        marks = [each.text for each in trace.lanes[1].marks]
        assert not any(each.startswith("connect from") for each in marks)
        assert not program.told(Searched)
    world.end()


def test_noRendezvous() -> None:
    """
    If the rendezvous cannot be reached, the trace shows only that.
    """
    world = pair()
    tracing = Tracing(world)
    world.rendezvous.stop()
    world.dial("7-zoo-zoo", trace=tracing)
    assert world.until(lambda: world.dialer.ended)
    trace = tracing.first("dialer")
    assert trace.verdict.startswith("Failed (rendezvous-")
    assert [each.title for each in trace.lanes] == ["rendezvous"]
    world.end()


def test_cancelled() -> None:
    """
    The trace of a dial that is given up has an end.
    """
    world = pair()
    tracing = Tracing(world)
    world.waits()
    world.dial(trace=tracing)
    world.run(1.1 * T)
    world.dialer.end()
    world.run(1.0)
    trace = tracing.first("dialer")
    assert trace.state == "failed"
    assert trace.verdict == "Given up before there was a path"
    world.end()

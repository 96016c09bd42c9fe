"""
Meetings are drawn as they were, on both sides.
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
from tests.support.whole.nats import KEEPS, RANDOM, behind
from tests.support.whole.world import T, World, pair

RELAYING: dict[str, Any] = {"relay": RelayPolicy.FALLBACK, "resumeFor": 600.0}


class Album:
    """
    Draws all meetings of a world (L{punch.traceevents.TracerFactory}).
    """

    def __init__(self, world: World) -> None:
        self._clock = world.clock
        self.chronicles: list[tuple[str, MeetingRecorder]] = []

    def __call__(self, role: str, isRejoin: bool) -> Tracer:
        """
        One more.
        """
        began = self._clock.seconds()
        chronicle = MeetingRecorder(role, began, isRejoin)
        self.chronicles.append((role, chronicle))

        def tracer(event: TraceEvent) -> None:
            chronicle.add(self._clock.seconds() - began, event)

        return tracer

    def first(self, role: str) -> Trace:
        """
        The first meeting of a role.
        """
        return next(each.trace() for name, each in self.chronicles if name == role)

    def both(self) -> tuple[Trace, Trace]:
        """
        The first meeting, both sides; they can be drawn in one picture.
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


def drawn(world: World, **settings: Any) -> Album:
    """
    A meeting, and its pictures.
    """
    album = Album(world)
    world.meet(trace=album, **settings)
    world.run(1.0)
    return album


def test_direct() -> None:
    """
    After two round trips to the rendezvous both start, and after two to each other
    the dialer attaches.
    """
    world = pair()
    dialers, listeners = drawn(world).both()
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
    Of connects that a NAT refuses for seconds the first are there one by one, and all
    are counted.
    """
    world = pair("reset", "random")
    album = drawn(world, timeout=8.0)
    lane = album.first("dialer").lanes[2]
    refused = [each for each in lane.spans if each.outcome == "refused"]
    assert refused[0].count == 1
    assert refused[0].end - refused[0].start == pytest.approx(T, abs=0.002)
    count = sum(each.count for each in refused)
    assert f"{count} refused" in lane.result
    assert count > 10
    world.end()


def test_failed() -> None:
    """
    Why there is no path is said on both sides, and for each address.
    """
    world = pair("random", "random")
    album = drawn(world, timeout=8.0)
    for trace in album.both():
        assert trace.state == "failed"
        assert trace.verdict.startswith("Failed (no-answer).")
        results = [each.result for each in trace.lanes[2:]]
        assert results
        assert all(each.endswith("no answer yet") for each in results)
    world.end()


def test_better() -> None:
    """
    The direct path that came after a relayed one is in the picture of the meeting
    that it came of.
    """
    world = pair()
    album = Album(world)
    world.network.block("203.0.113.1", "203.0.113.2")
    world.meet(trace=album, **RELAYING)
    world.run(0.5)
    world.network.unblock("203.0.113.1", "203.0.113.2")
    assert world.until(lambda: world.dialer.told(PathChanged), 30.0)
    world.run(2.0)
    for trace in album.both():
        assert trace.verdict.startswith("Relayed in ")
        assert "; then direct in " in trace.verdict
        [relay] = [each for each in trace.lanes if each.title == "relay"]
        assert relay.result == "won, then left for a better one"
    for each in world.programs:
        each.link.loseConnection()
    world.run(30.0)
    world.end()


def searching(**settings: Any) -> tuple[World, Album]:
    """
    A meeting of two of whom one's NAT maps at random, and the other's keeps its port.
    """
    world = World(2)
    world.rendezvous.look()
    world.cast(behind(world, RANDOM), behind(world, KEEPS))
    album = Album(world)
    world.meet(trace=album, relay=RelayPolicy.NEVER, **settings)
    return world, album


@pytest.mark.parametrize("program", [0, 1], ids=["listener", "dialer"])
def test_searchFailed(program: int) -> None:
    """
    A search that found nothing is in the picture, in the reason of the failure, and in
    one event.
    """
    world, album = searching(timeout=12.0, search=20)
    trace = album.first(("listener", "dialer")[program])
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
    Of a search that has found the other side, the winner is drawn apart, and the lane
    of connects from the shared port tells of these alone.
    """
    world, album = searching(timeout=30.0)
    world.run(1.0)
    for trace in (album.first("listener"), album.first("dialer")):
        lane = winner(trace)
        [connect] = lane.spans
        assert connect.outcome == "connected"
        assert [each.what for each in lane.stages][-1] == "link"
        assert all(each.outcome for each in lane.stages[:-1])
        assert trace.lanes[2].result == "no answer yet"
        assert trace.lanes[2].stages == ()
    for each in world.programs:
        each.link.loseConnection()
    world.run(2.0)
    world.end()


def test_noSearch() -> None:
    """
    Where no search is to be made none is begun, and nothing says that it is.
    """
    world, album = searching(timeout=8.0, search=0)
    for role, program in zip(("listener", "dialer"), world.programs, strict=True):
        trace = album.first(role)
        assert "search" not in [each.title for each in trace.lanes]
        marks = [each.text for each in trace.lanes[1].marks]
        assert not any(each.startswith("connect from") for each in marks)
        assert not program.told(Searched)
    world.end()


def test_noRendezvous() -> None:
    """
    If even the rendezvous is not there, that is all there is to be seen.
    """
    world = pair()
    album = Album(world)
    world.rendezvous.stop()
    world.dial("7-zoo-zoo", trace=album)
    assert world.until(lambda: world.dialer.ended)
    trace = album.first("dialer")
    assert trace.verdict.startswith("Failed (rendezvous-")
    assert [each.title for each in trace.lanes] == ["rendezvous"]
    world.end()


def test_cancelled() -> None:
    """
    A dial that is given up has an end.
    """
    world = pair()
    album = Album(world)
    world.listen()
    world.run(2.0)
    world.dial(trace=album)
    world.run(1.1 * T)
    world.dialer.end()
    world.run(1.0)
    trace = album.first("dialer")
    assert trace.state == "failed"
    assert trace.verdict == "Given up before there was a path"
    world.end()

"""
Tests for L{punch.trace.recorder}.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import cycle, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.trace.html import tracePage
from punch.trace.jsonformat import tracesFromJSON, tracesToJSON
from punch.trace.lane import MOST_MARKS, MOST_SPANS
from punch.trace.lanes import MOST_LANES
from punch.trace.model import Lane, Mark, Span, Trace
from punch.trace.recorder import MeetingRecorder
from punch.traceevents import (
    RELAY,
    AttachConfirmed,
    CandidateAdded,
    ConnectEnded,
    ConnectionMade,
    ConnectionRejected,
    ConnectStarted,
    PathSelected,
    PinVerified,
    RaceEnded,
    RaceFailed,
    RendezvousConnecting,
    SearchConnectFailed,
    SearchConnectStarted,
    TLSEstablished,
    TraceEvent,
    TraversalStarted,
)
from tests.support.traces import (
    ANSWERED,
    DIRECT,
    HOST,
    PEER,
    RENDEZVOUS,
    TimedEvents,
    traceOf,
)


def lane(trace: Trace, title: str) -> Lane:
    """
    The lane of this title.
    """
    [found] = [each for each in trace.lanes if each.title == title]
    return found


def test_direct() -> None:
    """
    A dial, from the rendezvous to the link.
    """
    trace = traceOf(DIRECT)
    assert (trace.role, trace.introduction, trace.state) == (
        "dialer",
        "ab12",
        "connected",
    )
    assert (trace.start, trace.won, trace.length) == (0.17, 0.33, 0.41)
    assert trace.verdict == f"Direct in 330 ms: connected 10.0.0.2:4040 - {PEER}"
    titles = [each.title for each in trace.lanes]
    assert titles == ["rendezvous", "the other side", PEER, HOST]
    server, peer, winner, other = trace.lanes
    assert server == Lane(
        "rendezvous",
        "sees us as 198.51.100.1:4040",
        (
            Span(0.0, 0.08, "connect", "connected"),
            Span(0.08, 0.16, "ask", "introduced"),
        ),
        (Span(0.16, 0.17, "wait", "start"),),
        (Mark(0.16, "introduced; both start in 10 ms"),),
    )
    assert peer == Lane(
        "the other side",
        f"seen at {PEER}",
        (Span(0.16, 0.2, "details awaited", "here"),),
        (),
        (Mark(0.2, "our message sent"), Mark(0.2, "its details: 1 address")),
    )
    assert winner == Lane(
        PEER,
        "server-reflexive, from 10.0.0.2:4040",
        (
            Span(0.17, 0.18, "connect", "refused"),
            Span(0.185, 0.25, "connect", "connected"),
        ),
        (
            Span(0.25, 0.33, "TLS", "done"),
            Span(0.33, 0.33, "pin awaited", "known"),
            Span(0.33, 0.41, "attach", "attached"),
            Span(0.41, 0.41, "link"),
        ),
        (Mark(0.33, "won, direct"),),
        "won",
        True,
    )
    assert other == Lane(
        HOST,
        "host",
        (Span(0.2, 0.33, "connect", "stopped"),),
        result="no answer yet",
    )


def test_listener() -> None:
    """
    The listener waits for the dialer to attach the path, and hears it leave.
    """
    trace = traceOf(ANSWERED, "listener")
    winner = trace.lanes[-1]
    assert [each.what for each in winner.stages] == [
        "TLS",
        "pin awaited",
        "attach awaited",
        "link",
    ]
    assert [each.text for each in winner.marks] == ["accepted", "won, direct"]
    marks = [each.text for each in lane(trace, "the other side").marks]
    assert marks == ["its details: 2 addresses", "it left: done"]
    assert lane(trace, "rendezvous").stages == ()


CONNECT = ConnectStarted(PEER)


def made(how: str = "connected", remote: str = PEER) -> ConnectionMade:
    """
    A connection that is not a search's.
    """
    kind = "relayed" if remote == RELAY else "server-reflexive"
    return ConnectionMade(remote, kind, HOST, how)


@dataclass(frozen=True)
class Case:
    """
    What is said of a meeting after some events, and of the lane of C{PEER}.
    """

    events: TimedEvents
    state: str
    verdict: str
    result: str = ""


CASES = {
    "no rendezvous": Case(
        [
            (0.0, RendezvousConnecting()),
            (1.0, RaceFailed("rendezvous-refused", "It refuses.")),
            (1.0, RaceEnded()),
        ],
        "failed",
        "Failed (rendezvous-refused). It refuses.",
    ),
    "refused again and again": Case(
        [
            *RENDEZVOUS,
            (0.2, CONNECT),
            (0.3, ConnectEnded(PEER, "refused")),
            (0.3, CONNECT),
            (0.4, ConnectEnded(PEER, "refused")),
            (0.4, CONNECT),
            (5.0, ConnectEnded(PEER, "timed out")),
            (9.0, RaceFailed("refused", "No.")),
            (9.0, RaceEnded()),
        ],
        "failed",
        "Failed (refused). No.",
        "2 refused; timed out",
    ),
    "wrong pin": Case(
        [
            *RENDEZVOUS,
            (0.2, made("accepted")),
            (0.3, TLSEstablished(PEER, HOST)),
            (0.4, ConnectionRejected(PEER, HOST, "wrong pin")),
            (9.0, RaceFailed("wrong-pin", "")),
        ],
        "failed",
        "Failed (wrong-pin).",
        "wrong pin",
    ),
    "no details": Case(
        [
            *RENDEZVOUS,
            (0.2, CONNECT),
            (0.3, ConnectEnded(PEER, "connected")),
            (0.3, made()),
            (10.0, RaceFailed("peer-silent", "")),
        ],
        "failed",
        "Failed (peer-silent).",
        "connected, no path in time",
    ),
    "another was first": Case(
        [
            *RENDEZVOUS,
            (0.2, CONNECT),
            (0.3, ConnectEnded(PEER, "connected")),
            (0.3, made()),
            (0.4, ConnectionMade(HOST, "host", HOST, "accepted")),
            (0.5, PathSelected(HOST, HOST, "direct", "")),
            (0.5, RaceEnded()),
        ],
        "connected",
        f"Direct in 500 ms: accepted {HOST} - {HOST}",
        "connected, too late",
    ),
    "canceled": Case(
        [*RENDEZVOUS, (0.2, CONNECT), (0.3, RaceEnded())],
        "failed",
        "Given up before there was a path",
        "no answer yet",
    ),
    "not over": Case([*RENDEZVOUS, (0.2, CONNECT)], "going on", "Not over yet"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_verdict(case: Case) -> None:
    """
    The trace says what came of the meeting, and of each address.
    """
    trace = traceOf(case.events)
    assert (trace.state, trace.verdict) == (case.state, case.verdict)
    results = [each.result for each in trace.lanes if each.title == PEER]
    assert results == ([case.result] if len(trace.lanes) > 1 else [])
    if trace.state == "failed":
        open_ = [s for each in trace.lanes for s in each.spans if not s.outcome]
        assert open_ == []


RELAYED: TimedEvents = [
    *RENDEZVOUS,
    (0.17, CandidateAdded(RELAY, "relayed")),
    (0.17, ConnectStarted(RELAY)),
    (0.17, CONNECT),
    (0.25, made(remote=RELAY)),
    (0.40, TLSEstablished(RELAY, HOST)),
    (0.40, PinVerified(RELAY, HOST)),
    (0.40, PathSelected(RELAY, HOST, "relayed", "no-answer")),
    (0.50, AttachConfirmed()),
]


def test_relayed() -> None:
    """
    After a relayed path has won, the race for a direct one goes on.
    """
    trace = traceOf(RELAYED)
    assert trace.verdict == "Relayed in 400 ms (not direct: no-answer)"
    assert lane(trace, RELAY).spans == (Span(0.17, 0.25, "connect", "connected"),)
    assert lane(trace, PEER).spans == (Span(0.17, 0.5, "connect"),)
    trace = traceOf(
        [*RELAYED, (30.0, RaceFailed("no-answer", "")), (30.0, RaceEnded())]
    )
    assert trace.state == "connected"
    assert trace.verdict.endswith("; no direct path (no-answer)")
    assert lane(trace, PEER).result == "no answer yet"


def test_better() -> None:
    """
    A direct path that comes later replaces a relayed one.
    """
    trace = traceOf(
        [
            *RELAYED,
            (1.0, ConnectEnded(PEER, "connected")),
            (1.0, made()),
            (1.2, PathSelected(PEER, HOST, "direct", "")),
            (1.2, RaceEnded()),
        ]
    )
    assert trace.won == 0.4
    assert "; then direct in 1200 ms: connected" in trace.verdict
    assert lane(trace, PEER).hasWon
    assert lane(trace, RELAY).result == "won, then left for a better one"
    assert lane(trace, RELAY).stages[-1].outcome == "left"


LANES: dict[str, tuple[TimedEvents, str, dict[str, Any]]] = {
    "a connect to the winner's address is stopped": (
        [
            (0.2, CONNECT),
            (0.3, made("accepted")),
            (0.4, PathSelected(PEER, HOST, "direct", "")),
            (0.4, RaceEnded()),
        ],
        PEER,
        {"spans": (Span(0.2, 0.4, "connect", "stopped"),), "result": "won"},
    ),
    "a rejected connection ends no connect beside it": (
        [
            (0.2, CONNECT),
            (0.3, made("accepted")),
            (0.4, ConnectionRejected(PEER, HOST, "rejected")),
            (0.5, ConnectEnded(PEER, "taken")),
        ],
        PEER,
        {
            "spans": (Span(0.2, 0.5, "connect", "taken"),),
            "stages": (Span(0.3, 0.4, "TLS", "rejected"),),
        },
    ),
    "a rejected connection by the relay is over": (
        [
            (0.2, ConnectStarted(RELAY)),
            (0.3, made(remote=RELAY)),
            (0.4, ConnectionRejected(RELAY, HOST, "rejected")),
        ],
        RELAY,
        {
            "spans": (Span(0.2, 0.3, "connect", "connected"),),
            "stages": (Span(0.3, 0.4, "TLS", "rejected"),),
            "result": "rejected",
        },
    ),
    "why there is no relayed path": (
        [
            (0.2, ConnectStarted(RELAY)),
            (0.3, ConnectionRejected(RELAY, "", "relay-busy")),
        ],
        RELAY,
        {"result": "relay-busy"},
    ),
    "a connection that came in before we knew whose it is": (
        [(0.2, made("accepted")), (0.2, TLSEstablished(PEER, HOST, earlier=True))],
        PEER,
        {"marks": (Mark(0.2, "came in earlier, known now by its pin"),)},
    ),
    "what is done about NATs that do not keep ports": (
        [(0.3, TraversalStarted("connect from many ports"))],
        "the other side",
        {"marks": (Mark(0.3, "connect from many ports"),)},
    ),
    "the clock is set back": (
        [(1.0, CONNECT), (0.5, ConnectEnded(PEER, "refused"))],
        PEER,
        {"spans": (Span(1.0, 1.0, "connect", "refused"),)},
    ),
}


@pytest.mark.parametrize(("events", "title", "expected"), LANES.values(), ids=LANES)
def test_lane(events: TimedEvents, title: str, expected: dict[str, Any]) -> None:
    """
    A lane shows what was done, and what became of the connection.
    """
    found = lane(traceOf([*RENDEZVOUS, *events]), title)
    assert {name: getattr(found, name) for name in expected} == expected


def test_search() -> None:
    """
    The connects of a search have one lane.  A connection that one of them made has a
    lane of its own, with the time that the connect took.  What becomes of it changes
    nothing in the lane of another connection to the same address.
    """
    shared, one, two = "10.0.0.2:4040", "10.0.0.2:1", "10.0.0.2:2"
    trace = traceOf(
        [
            *RENDEZVOUS,
            (0.2, CandidateAdded(PEER, "server-reflexive")),
            (0.2, ConnectStarted(PEER)),
            *((0.3 + n / 100, SearchConnectStarted("many ports")) for n in range(10)),
            (0.5, SearchConnectFailed("refused")),
            (
                0.5,
                ConnectionMade(PEER, "server-reflexive", one, "connected", 0.15),
            ),
            (
                0.6,
                ConnectionMade(PEER, "server-reflexive", two, "connected", 0.25),
            ),
            (0.7, ConnectionRejected(PEER, one, "rejected")),
            (0.8, TLSEstablished(PEER, two)),
            (0.8, PinVerified(PEER, two)),
            (0.9, PathSelected(PEER, two, "direct", "")),
            (0.9, RaceEnded()),
        ],
        "listener",
    )
    first, search, *others = trace.lanes[2:]
    assert (first.spans, first.stages, first.result) == (
        (Span(0.2, 0.9, "connect", "stopped"),),
        (),
        "no answer yet",
    )
    assert search.title == "search"
    assert search.about == "many ports"
    assert search.spans == (
        Span(0.3, 0.39, "connect", "begun", 10),
        Span(0.39, 0.9, "answers awaited", "stopped"),
    )
    assert search.stages == (
        Span(0.5, 0.5, "connect", "refused"),
        Span(0.5, 0.6, "connect", "connected", 2),
    )
    assert search.result == "7 no answer yet; 2 connected; 1 refused"
    assert [each.title for each in others] == [PEER, PEER]
    loser, winner = others
    assert loser.about == f"server-reflexive, from {one}"
    assert loser.result == "rejected"
    assert loser.stages == (Span(0.5, 0.7, "TLS", "rejected"),)
    assert winner.about == f"server-reflexive, from {two}"
    assert winner.hasWon
    assert winner.spans == (Span(0.35, 0.6, "connect", "connected"),)
    assert winner.stages[0] == Span(0.6, 0.8, "TLS", "done")
    assert trace.verdict == f"Direct in 900 ms: connected {two} - {PEER}"
    assert shared not in first.about


PREDICTED = [f"192.0.2.1:{port}" for port in range(9999, 10023)]


def predicted(*more: tuple[float, TraceEvent]) -> Trace:
    """
    A meeting in which 24 predicted ports are tried.
    """
    learned = [(0.2, CandidateAdded(each, "predicted")) for each in PREDICTED]
    trying = [(0.2, ConnectStarted(each)) for each in PREDICTED]
    return traceOf([*RENDEZVOUS, *learned, *trying, *more])


def test_predicted() -> None:
    """
    Predicted ports have one lane, which counts the outcomes.
    """
    refused = [(0.3, ConnectEnded(each, "refused")) for each in PREDICTED[5:]]
    trace = predicted(*refused, (5.0, RaceEnded()))
    [only] = trace.lanes[2:]
    assert only == Lane(
        "24 predicted ports",
        "192.0.2.1:9999 to 10022",
        (
            Span(0.2, 0.2, "connect", "begun", 24),
            Span(0.2, 5.0, "answers awaited", "stopped"),
        ),
        (Span(0.3, 0.3, "connect", "refused", 19),),
        result="19 refused; 5 no answer yet",
    )


@pytest.mark.parametrize("how", ["connected", "accepted"])
def test_predictedWon(how: str) -> None:
    """
    A predicted port that leads to a connection has a lane of its own, with its connect.
    """
    remote = PREDICTED[3]
    end = "connected" if how == "connected" else "taken"
    tried, joined = (
        (0.3, ConnectEnded(remote, end)),
        (0.3, ConnectionMade(remote, "predicted", HOST, how)),
    )
    happened = [tried, joined] if how == "connected" else [joined, tried]
    trace = predicted(
        *happened,
        (0.4, PathSelected(remote, HOST, "direct", "")),
        (0.4, RaceEnded()),
    )
    many, winner = trace.lanes[2:]
    assert many.title == "24 predicted ports"
    assert many.result == "23 no answer yet; 1 connected"
    assert (winner.title, winner.hasWon) == (remote, True)
    assert winner.spans == (Span(0.2, 0.3, "connect", end),)


@pytest.mark.parametrize("isSearch", [False, True], ids=["predicted", "search"])
def test_manyConnected(isSearch: bool) -> None:
    """
    If many of them make connections, few have lanes of their own, and the outcomes of
    the others are counted; the winner has a lane in any case.
    """
    took = 0.1 if isSearch else None
    happened: TimedEvents = [
        (0.3, SearchConnectStarted("")) for _ in PREDICTED if isSearch
    ]
    for remote in PREDICTED:
        if not isSearch:
            happened.append((0.3, ConnectEnded(remote, "connected")))
        joined = ConnectionMade(remote, "predicted", HOST, "connected", took)
        happened.append((0.3, joined))
    happened += [(0.4, ConnectionRejected(r, HOST, "rejected")) for r in PREDICTED[:-1]]
    happened.append((0.5, PathSelected(PREDICTED[-1], HOST, "direct", "")))
    happened.append((0.5, RaceEnded()))
    trace = traceOf([*RENDEZVOUS, *happened]) if isSearch else predicted(*happened)
    many, *apart = trace.lanes[2:]
    assert many.result == "24 connected; 19 rejected"
    assert [each.title for each in apart] == [*PREDICTED[:4], PREDICTED[-1]]
    assert [each.result for each in apart] == ["rejected"] * 4 + ["won"]
    assert all(len(each.spans) == 1 for each in apart)
    assert all(each.stages for each in apart)


def test_aggregate() -> None:
    """
    In an aggregate lane, connects that begin together are one span, followed by the
    wait for their answers; when they are repeated, they are another span.
    """
    trace = predicted(
        *((6.0, ConnectEnded(each, "timed out")) for each in PREDICTED),
        *((8.0, ConnectStarted(each)) for each in PREDICTED),
        (9.0, TraceEvent()),
    )
    [only] = trace.lanes[2:]
    assert only.spans == (
        Span(0.2, 0.2, "connect", "begun", 24),
        Span(0.2, 6.0, "answers awaited", "over"),
        Span(8.0, 8.0, "connect", "begun", 24),
        Span(8.0, 9.0, "answers awaited", ""),
    )
    assert only.result == "24 timed out"


def test_others() -> None:
    """
    For addresses that have no lane of their own all outcomes are counted, though many
    are pending at a time; one of them that wins has its lane.
    """
    many = [f"192.0.2.1:{port}" for port in range(1, 101)]
    trace = traceOf(
        [
            *((0.1, ConnectStarted(each)) for each in many),
            *((0.2, ConnectEnded(each, "refused")) for each in many[:99]),
            (0.3, ConnectEnded(many[99], "connected")),
            (0.3, ConnectionMade(many[99], "host", HOST, "connected")),
            (0.4, PathSelected(many[99], HOST, "direct", "")),
            (0.4, RaceEnded()),
        ]
    )
    others = lane(trace, "others")
    own = sum(each.result == "refused" for each in trace.lanes)
    assert others.result.startswith(f"{99 - own} refused")
    assert "no answer yet" not in others.result
    assert lane(trace, many[99]).hasWon
    assert trace.verdict == f"Direct in 400 ms: connected {HOST} - {many[99]}"


def test_withoutRendezvous() -> None:
    """
    Two peers that meet without a rendezvous, in plaintext, have the lanes of their
    addresses only.
    """
    trace = traceOf(
        [
            (0.0, CandidateAdded(PEER, "host")),
            (0.0, ConnectStarted(PEER)),
            (0.1, ConnectEnded(PEER, "connected")),
            (0.1, ConnectionMade(PEER, "host", HOST, "connected")),
            (0.1, PathSelected(PEER, HOST, "direct", "")),
            (0.1, RaceEnded()),
            (0.1, AttachConfirmed()),
        ],
        "peer",
    )
    [only] = trace.lanes
    assert [each.what for each in only.stages] == ["connection", "link"]


@pytest.mark.parametrize(
    ("outcomes", "last", "most"),
    [
        (["refused"], "refused", MOST_SPANS - 1),
        (["refused", "taken", "timed out"], "various", MOST_SPANS),
    ],
    ids=["of one outcome", "of several outcomes"],
)
def test_manyAttempts(outcomes: list[str], last: str, most: int) -> None:
    """
    Ten thousand attempts take no more room than some: the first are kept one by one,
    and the others are merged.
    """
    recorder = MeetingRecorder("dialer", 0.0)
    for number, outcome in zip(range(10_000), cycle(outcomes), strict=False):
        recorder.add(number * 0.02, CONNECT)
        recorder.add(number * 0.02 + 0.01, ConnectEnded(PEER, outcome))
    [only] = recorder.trace().lanes
    assert len(only.spans) <= most
    assert sum(each.count for each in only.spans) == 10_000
    assert only.spans[-1].end == pytest.approx(199.99)
    assert only.spans[-1].outcome == last
    assert only.spans[0] == Span(0.0, 0.01, "connect", "refused")


def test_manyAddresses() -> None:
    """
    Strangers' addresses have lanes up to a bound, and the others have one together.
    """
    recorder = MeetingRecorder("listener", 0.0)
    for port in range(1, 1000):
        remote = f"192.0.2.1:{port}"
        recorder.add(0.0, ConnectionMade(remote, "peer-reflexive", HOST, "accepted"))
        recorder.add(0.1, ConnectionRejected(remote, HOST, "rejected"))
    trace = recorder.trace()
    assert len(trace.lanes) <= MOST_LANES
    assert trace.lanes[-1].title == "others"
    assert all(len(each.marks) <= MOST_MARKS for each in trace.lanes)


def test_rejoin() -> None:
    """
    A meeting for another path of a link says so; if the link does not need it any
    more, it can be told from others.
    """
    recorder = MeetingRecorder("dialer", 0.0, isRejoin=True)
    assert recorder.trace().verdict == "For a link that lives: Not over yet"
    assert recorder.trace().lanes == ()
    assert not recorder.wasNotNeeded
    recorder.add(0.0, RaceEnded())
    assert recorder.wasNotNeeded


remotes = st.sampled_from([PEER, HOST, RELAY])
words = st.sampled_from(
    ["refused", "connected", "accepted", "relayed", "direct", "predicted", ""]
)
values: dict[str, st.SearchStrategy[Any]] = {
    "candidates": st.integers(0, 16),
    "earlier": st.booleans(),
    "local": st.sampled_from(["10.0.0.2:1", "10.0.0.2:2"]),
    "peer": remotes,
    "remote": remotes,
    "took": st.none() | st.floats(0, 10),
    "wait": st.floats(0, 10),
}
"""
What the fields of an event may be, by their names; of others, words.
"""


def events(kind: type[TraceEvent]) -> st.SearchStrategy[TraceEvent]:
    """
    Any event of a class.
    """
    return st.builds(kind, **{f.name: values.get(f.name, words) for f in fields(kind)})


kinds: list[type[TraceEvent]] = [TraceEvent, *TraceEvent.__subclasses__()]
anyEvent = st.one_of([events(each) for each in kinds])


@given(
    st.lists(st.tuples(st.floats(0, 100), anyEvent), max_size=60),
    st.sampled_from(["dialer", "listener", "peer"]),
    st.booleans(),
)
def test_anyEvents(
    many: list[tuple[float, TraceEvent]], role: str, isRejoin: bool
) -> None:
    """
    Whatever happens in whatever order, it can be recorded and shown: in a lane no span
    begins before the one before it has ended.
    """
    recorder = MeetingRecorder(role, 0.0, isRejoin)
    for at, event in many:
        recorder.add(at, event)
    trace = recorder.trace()
    assert tracePage([[trace]])
    assert tracesFromJSON(tracesToJSON([trace]).encode())
    for each in trace.lanes:
        for row in (each.spans, each.stages):
            assert all(span.start <= span.end for span in row)
            for before, after in pairwise(row):
                assert before.end <= after.start

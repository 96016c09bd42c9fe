"""
Tests for L{punch.trace.recorder}.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

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
from tests.support.traces import (
    ANSWERED,
    DIRECT,
    HOST,
    PEER,
    RENDEZVOUS,
    TimedEvents,
    told,
)

RELAY = RELAY


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
    trace = told(DIRECT)
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
    The listener waits for the dialer to attach, and hears it leave.
    """
    trace = told(ANSWERED, "listener")
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


@dataclass(frozen=True)
class Case:
    """
    What came to C{PEER} of what.
    """

    events: TimedEvents
    state: str
    verdict: str
    result: str


CASES = {
    "no rendezvous": Case(
        [
            (0.0, RendezvousConnecting()),
            (1.0, RaceFailed("rendezvous-refused", "It refuses.")),
            (1.0, RaceEnded()),
        ],
        "failed",
        "Failed (rendezvous-refused). It refuses.",
        "",
    ),
    "refused again and again": Case(
        [
            *RENDEZVOUS,
            (0.2, ConnectStarted(PEER)),
            (0.3, ConnectEnded(PEER, "refused")),
            (0.3, ConnectStarted(PEER)),
            (0.4, ConnectEnded(PEER, "refused")),
            (0.4, ConnectStarted(PEER)),
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
            (
                0.2,
                ConnectionMade(PEER, "server-reflexive", HOST, "accepted"),
            ),
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
            (0.2, ConnectStarted(PEER)),
            (0.3, ConnectEnded(PEER, "connected")),
            (
                0.3,
                ConnectionMade(PEER, "server-reflexive", HOST, "connected"),
            ),
            (10.0, RaceFailed("peer-silent", "")),
        ],
        "failed",
        "Failed (peer-silent).",
        "connected, no path in time",
    ),
    "another was first": Case(
        [
            *RENDEZVOUS,
            (0.2, ConnectStarted(PEER)),
            (0.3, ConnectEnded(PEER, "connected")),
            (
                0.3,
                ConnectionMade(PEER, "server-reflexive", HOST, "connected"),
            ),
            (0.4, ConnectionMade(HOST, "host", HOST, "accepted")),
            (0.5, PathSelected(HOST, HOST, "direct", "")),
            (0.5, RaceEnded()),
        ],
        "connected",
        f"Direct in 500 ms: accepted {HOST} - {HOST}",
        "connected, too late",
    ),
    "cancelled": Case(
        [
            *RENDEZVOUS,
            (0.2, ConnectStarted(PEER)),
            (0.3, RaceEnded()),
        ],
        "failed",
        "Given up before there was a path",
        "no answer yet",
    ),
    "not over": Case(
        [*RENDEZVOUS, (0.2, ConnectStarted(PEER))],
        "going on",
        "Not over yet",
        "",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_cases(case: Case) -> None:
    """
    What came of it is said for the meeting, and for each address.
    """
    trace = told(case.events)
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
    (0.17, ConnectStarted(PEER)),
    (0.25, ConnectionMade(RELAY, "relayed", "10.0.0.2:5555", "connected")),
    (0.40, TLSEstablished(RELAY, "10.0.0.2:5555")),
    (0.40, PinVerified(RELAY, "10.0.0.2:5555")),
    (0.40, PathSelected(RELAY, "10.0.0.2:5555", "relayed", "no-answer")),
    (0.50, AttachConfirmed()),
]


def test_relayed() -> None:
    """
    After a relayed path has won, the race for a direct one goes on.
    """
    trace = told(RELAYED)
    assert trace.verdict == "Relayed in 400 ms (not direct: no-answer)"
    assert lane(trace, RELAY).spans == (Span(0.17, 0.25, "connect", "connected"),)
    assert lane(trace, PEER).spans == (Span(0.17, 0.5, "connect"),)
    trace = told(
        [
            *RELAYED,
            (30.0, RaceFailed("no-answer", "")),
            (30.0, RaceEnded()),
        ]
    )
    assert trace.state == "connected"
    assert trace.verdict.endswith("; no direct path (no-answer)")
    assert lane(trace, PEER).result == "no answer yet"


def test_better() -> None:
    """
    A direct path that comes later takes the place of a relayed one.
    """
    trace = told(
        [
            *RELAYED,
            (1.0, ConnectEnded(PEER, "connected")),
            (
                1.0,
                ConnectionMade(PEER, "server-reflexive", HOST, "connected"),
            ),
            (1.2, PathSelected(PEER, HOST, "direct", "")),
            (1.2, RaceEnded()),
        ]
    )
    assert trace.won == 0.4
    assert "; then direct in 1200 ms: connected" in trace.verdict
    assert lane(trace, PEER).hasWon
    assert lane(trace, RELAY).result == "won, then left for a better one"
    assert lane(trace, RELAY).stages[-1].outcome == "left"


def test_wonMeanwhile() -> None:
    """
    A connect to the winner's address that still went on is stopped, too.
    """
    trace = told(
        [
            *RENDEZVOUS,
            (0.2, ConnectStarted(PEER)),
            (
                0.3,
                ConnectionMade(PEER, "server-reflexive", HOST, "accepted"),
            ),
            (0.4, PathSelected(PEER, HOST, "direct", "")),
            (0.4, RaceEnded()),
        ]
    )
    only = lane(trace, PEER)
    assert only.spans == (Span(0.2, 0.4, "connect", "stopped"),)
    assert only.result == "won"


def test_approached() -> None:
    """
    What is done about NATs that do not keep ports is said when it begins.
    """
    trace = told([*RENDEZVOUS, (0.3, TraversalStarted("connect from many ports"))])
    assert lane(trace, "the other side").marks == (
        Mark(0.3, "connect from many ports"),
    )


def test_search() -> None:
    """
    The connects of a search are one lane.  A connection that came of one is drawn
    apart, with the time that it took; of another that leads to the same address
    nothing is changed by what becomes of it.
    """
    shared, one, two = "10.0.0.2:4040", "10.0.0.2:1", "10.0.0.2:2"
    trace = told(
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


def test_rejectedBeside() -> None:
    """
    A connection that came in and broke off ends no connect that is pending beside it.
    """
    trace = told(
        [
            *RENDEZVOUS,
            (0.2, ConnectStarted(PEER)),
            (
                0.3,
                ConnectionMade(PEER, "server-reflexive", HOST, "accepted"),
            ),
            (0.4, ConnectionRejected(PEER, HOST, "rejected")),
            (0.5, ConnectEnded(PEER, "taken")),
        ]
    )
    only = lane(trace, PEER)
    assert only.spans == (Span(0.2, 0.5, "connect", "taken"),)
    assert only.stages == (Span(0.3, 0.4, "TLS", "rejected"),)


def test_relayRejected() -> None:
    """
    A connection by the relay that breaks off is over then.
    """
    trace = told(
        [
            *RENDEZVOUS,
            (0.2, ConnectStarted(RELAY)),
            (0.3, ConnectionMade(RELAY, "relayed", HOST, "connected")),
            (0.4, ConnectionRejected(RELAY, HOST, "rejected")),
        ]
    )
    only = lane(trace, RELAY)
    assert only.spans == (Span(0.2, 0.3, "connect", "connected"),)
    assert only.stages == (Span(0.3, 0.4, "TLS", "rejected"),)
    assert only.result == "rejected"


PREDICTED = [f"192.0.2.1:{port}" for port in range(9999, 10023)]


def predicted(*more: tuple[float, TraceEvent]) -> Trace:
    """
    A meeting in which 24 predicted ports are tried.
    """
    learned = [(0.2, CandidateAdded(each, "predicted")) for each in PREDICTED]
    trying = [(0.2, ConnectStarted(each)) for each in PREDICTED]
    return told([*RENDEZVOUS, *learned, *trying, *more])


def test_predicted() -> None:
    """
    Predicted ports are one lane; what they came to is counted.
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
    The one of them that leads to a connection is drawn apart, with its connect.
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
    Where many of them lead to connections few are drawn apart, and of the others it is
    counted what came of them; the winner is drawn always.
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
    trace = told([*RENDEZVOUS, *happened]) if isSearch else predicted(*happened)
    many, *apart = trace.lanes[2:]
    assert many.result == "24 connected; 19 rejected"
    assert [each.title for each in apart] == [*PREDICTED[:4], PREDICTED[-1]]
    assert [each.result for each in apart] == ["rejected"] * 4 + ["won"]
    assert all(len(each.spans) == 1 for each in apart)
    assert all(each.stages for each in apart)


def test_waves() -> None:
    """
    Where a lane is many's, those that begin together are one span, and it is seen how
    long answers were awaited; renewed, they are another.
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
    Of addresses that have no lane of their own all outcomes are told, though many are
    pending at a time; and one of them that wins is drawn.
    """
    many = [f"192.0.2.1:{port}" for port in range(1, 101)]
    trace = told(
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


def test_relayRefused() -> None:
    """
    Why there is no relayed path is said, too.
    """
    trace = told(
        [
            *RENDEZVOUS,
            (0.2, ConnectStarted(RELAY)),
            (0.3, ConnectionRejected(RELAY, "", "relay-busy")),
        ]
    )
    assert lane(trace, RELAY).result == "relay-busy"


def test_stranger() -> None:
    """
    Of a connection that came in before we knew whose it is, that is said.
    """
    trace = told(
        [
            *RENDEZVOUS,
            (0.2, ConnectionMade(PEER, "peer-reflexive", HOST, "accepted")),
            (0.2, TLSEstablished(PEER, HOST, earlier=True)),
        ],
        "listener",
    )
    marks = [each.text for each in lane(trace, PEER).marks]
    assert marks == ["came in earlier, known now by its pin"]


def test_withoutRendezvous() -> None:
    """
    Two who meet without a rendezvous, in plain text, have the lanes of their
    addresses alone.
    """
    trace = told(
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


def test_manyAttempts() -> None:
    """
    Ten thousand attempts take no more room than some: those in a row with one
    outcome are one.
    """
    chronicle = MeetingRecorder("dialer", 0.0)
    for number in range(10_000):
        chronicle.add(number * 0.02, ConnectStarted(PEER))
        chronicle.add(number * 0.02 + 0.01, ConnectEnded(PEER, "refused"))
    [only] = chronicle.trace().lanes
    assert len(only.spans) < MOST_SPANS
    assert sum(each.count for each in only.spans) == 10_000
    assert only.spans[-1].end == pytest.approx(199.99)
    assert only.spans[-1].outcome == "refused"
    # Those first are kept one by one.
    assert only.spans[0] == Span(0.0, 0.01, "connect", "refused")


def test_manyOutcomes() -> None:
    """
    So do as many whose outcomes differ.
    """
    chronicle = MeetingRecorder("dialer", 0.0)
    for number in range(10_000):
        chronicle.add(number * 0.02, ConnectStarted(PEER))
        outcome = ("refused", "taken", "timed out")[number % 3]
        chronicle.add(number * 0.02 + 0.01, ConnectEnded(PEER, outcome))
    [only] = chronicle.trace().lanes
    assert len(only.spans) <= MOST_SPANS
    assert sum(each.count for each in only.spans) == 10_000
    assert only.spans[-1].outcome == "various"


def test_manyAddresses() -> None:
    """
    Strangers' addresses are lanes up to a bound, and then one together.
    """
    chronicle = MeetingRecorder("listener", 0.0)
    for port in range(1, 1000):
        remote = f"192.0.2.1:{port}"
        chronicle.add(0.0, ConnectionMade(remote, "peer-reflexive", HOST, "accepted"))
        chronicle.add(0.1, ConnectionRejected(remote, HOST, "rejected"))
    trace = chronicle.trace()
    assert len(trace.lanes) <= MOST_LANES
    assert trace.lanes[-1].title == "others"
    assert all(len(each.marks) <= MOST_MARKS for each in trace.lanes)


def test_timeNeverGoesBack() -> None:
    """
    If the clock is set back, the picture is not.
    """
    trace = told(
        [
            (1.0, ConnectStarted(PEER)),
            (0.5, ConnectEnded(PEER, "refused")),
        ]
    )
    assert trace.lanes[0].spans == (Span(1.0, 1.0, "connect", "refused"),)


def test_reunion() -> None:
    """
    A meeting for a link that lives says so.
    """
    chronicle = MeetingRecorder("dialer", 0.0, isRejoin=True)
    assert chronicle.trace().verdict == "For a link that lives: Not over yet"
    assert chronicle.trace().lanes == ()
    assert not chronicle.wasNotNeeded
    chronicle.add(0.0, RaceEnded())
    assert chronicle.wasNotNeeded


remotes = st.sampled_from([PEER, HOST, RELAY])
locals_ = st.sampled_from(["10.0.0.2:1", "10.0.0.2:2"])
tooks = st.one_of(st.none(), st.floats(0, 10))
words = st.sampled_from(
    ["refused", "connected", "accepted", "relayed", "direct", "predicted", ""]
)
anyStep = st.one_of(
    st.sampled_from(
        [
            RendezvousConnecting(),
            RendezvousConnected(),
            DetailsSent(),
        ]
    ),
    st.sampled_from(
        [
            AttachConfirmed(),
            RaceEnded(),
            TraceEvent(),
        ]
    ),
    st.builds(AddressObserved, words),
    st.builds(IntroductionReceived, words, remotes, st.floats(0, 10)),
    st.builds(DetailsReceived, st.integers(0, 16)),
    st.builds(PeerWithdrew, words),
    st.builds(CandidateAdded, remotes, words),
    st.builds(ConnectStarted, remotes),
    st.builds(ConnectEnded, remotes, words),
    st.builds(SearchConnectStarted, words),
    st.builds(SearchConnectFailed, words),
    st.builds(ConnectionMade, remotes, words, locals_, words, tooks),
    st.builds(TLSEstablished, remotes, locals_, st.booleans()),
    st.builds(PinVerified, remotes, locals_),
    st.builds(ConnectionRejected, remotes, locals_, words),
    st.builds(TraversalStarted, words),
    st.builds(PathSelected, remotes, locals_, words, words),
    st.builds(RaceFailed, words, words, words),
)


@given(
    st.lists(st.tuples(st.floats(0, 100), anyStep), max_size=60),
    st.sampled_from(["dialer", "listener", "peer"]),
    st.booleans(),
)
def test_anySteps(
    many: list[tuple[float, TraceEvent]], role: str, isRejoin: bool
) -> None:
    """
    Whatever happens in whatever order, it does not raise, and can be drawn: in a lane
    no span begins before the one before it ends, and only the last can go on.
    """
    chronicle = MeetingRecorder(role, 0.0, isRejoin)
    for at, event in many:
        chronicle.add(at, event)
    trace = chronicle.trace()
    assert tracePage([[trace]])
    assert tracesFromJSON(tracesToJSON([trace]).encode())
    for each in trace.lanes:
        for row in (each.spans, each.stages):
            assert all(span.start <= span.end for span in row)
            for before, after in pairwise(row):
                assert before.end <= after.start

"""
Traces, and the events that they are made of, for tests.
"""

from __future__ import annotations

from punch.trace.model import Trace
from punch.trace.recorder import MeetingRecorder
from punch.traceevents import (
    AddressObserved,
    AttachConfirmed,
    CandidateAdded,
    ConnectEnded,
    ConnectionMade,
    ConnectStarted,
    DetailsReceived,
    DetailsSent,
    IntroductionReceived,
    PathSelected,
    PeerWithdrew,
    PinVerified,
    RaceEnded,
    RendezvousConnected,
    RendezvousConnecting,
    TLSEstablished,
    TraceEvent,
)

PEER = "192.0.2.1:4040"
HOST = "[2001:db8::1]:4040"
DIALER = "198.51.100.1:4040"
OURS, THEIRS = "10.0.0.2:4040", "10.0.0.9:4040"
"""
The listener's addresses, the dialer's outside address, and the local ones of the two.
"""

TimedEvents = list[tuple[float, TraceEvent]]

RENDEZVOUS: TimedEvents = [
    (0.0, RendezvousConnecting()),
    (0.080, RendezvousConnected()),
    (0.160, AddressObserved(DIALER)),
    (0.160, IntroductionReceived("ab12", PEER, 0.010)),
]
"""
The events of a dialer up to the introduction.
"""

DIRECT: TimedEvents = [
    *RENDEZVOUS,
    (0.170, CandidateAdded(PEER, "server-reflexive")),
    (0.170, ConnectStarted(PEER)),
    (0.180, ConnectEnded(PEER, "refused")),
    (0.185, ConnectStarted(PEER)),
    (0.200, DetailsSent()),
    (0.200, DetailsReceived(1)),
    (0.200, CandidateAdded(HOST, "host")),
    (0.200, ConnectStarted(HOST)),
    (0.250, ConnectEnded(PEER, "connected")),
    (0.250, ConnectionMade(PEER, "server-reflexive", OURS, "connected")),
    (0.330, TLSEstablished(PEER, OURS)),
    (0.330, PinVerified(PEER, OURS)),
    (0.330, PathSelected(PEER, OURS, "direct", "")),
    (0.330, RaceEnded()),
    (0.410, AttachConfirmed()),
]
"""
The events of a dial that made a direct path.
"""


def traceOf(events: TimedEvents, role: str = "dialer", began: float = 1.7e9) -> Trace:
    """
    The trace of a meeting in which these events happened.
    """
    recorder = MeetingRecorder(role, began)
    for at, event in events:
        recorder.add(at, event)
    return recorder.trace()


ANSWERED: TimedEvents = [
    (0.0, AddressObserved(PEER)),
    (0.0, IntroductionReceived("ab12", DIALER, 0.0)),
    (0.0, CandidateAdded(DIALER, "server-reflexive")),
    (0.0, ConnectStarted(DIALER)),
    (0.08, ConnectionMade(DIALER, "server-reflexive", THEIRS, "accepted")),
    (0.081, ConnectEnded(DIALER, "taken")),
    (0.16, TLSEstablished(DIALER, THEIRS)),
    (0.17, DetailsReceived(2)),
    (0.17, PinVerified(DIALER, THEIRS)),
    (0.2, PathSelected(DIALER, THEIRS, "direct", "")),
    (0.2, RaceEnded()),
    (0.21, PeerWithdrew("done")),
]
"""
The same meeting, as its listener saw it.
"""

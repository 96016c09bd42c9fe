"""
Traces to test with.
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

TimedEvents = list[tuple[float, TraceEvent]]

RENDEZVOUS: TimedEvents = [
    (0.0, RendezvousConnecting()),
    (0.080, RendezvousConnected()),
    (0.160, AddressObserved("198.51.100.1:4040")),
    (0.160, IntroductionReceived("ab12", PEER, 0.010)),
]
"""
The way to an introduction.
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
    (
        0.250,
        ConnectionMade(PEER, "server-reflexive", "10.0.0.2:4040", "connected"),
    ),
    (0.330, TLSEstablished(PEER, "10.0.0.2:4040")),
    (0.330, PinVerified(PEER, "10.0.0.2:4040")),
    (0.330, PathSelected(PEER, "10.0.0.2:4040", "direct", "")),
    (0.330, RaceEnded()),
    (0.410, AttachConfirmed()),
]
"""
A dial that was met directly.
"""


def told(told: TimedEvents, role: str = "dialer", began: float = 1.7e9) -> Trace:
    """
    The trace of some traceevents.
    """
    chronicle = MeetingRecorder(role, began)
    for at, event in told:
        chronicle.add(at, event)
    return chronicle.trace()


ANSWERED: TimedEvents = [
    (0.0, AddressObserved(PEER)),
    (0.0, IntroductionReceived("ab12", "198.51.100.1:4040", 0.0)),
    (0.0, CandidateAdded("198.51.100.1:4040", "server-reflexive")),
    (0.0, ConnectStarted("198.51.100.1:4040")),
    (
        0.08,
        ConnectionMade(
            "198.51.100.1:4040", "server-reflexive", "10.0.0.9:4040", "accepted"
        ),
    ),
    (0.081, ConnectEnded("198.51.100.1:4040", "taken")),
    (0.16, TLSEstablished("198.51.100.1:4040", "10.0.0.9:4040")),
    (0.17, DetailsReceived(2)),
    (0.17, PinVerified("198.51.100.1:4040", "10.0.0.9:4040")),
    (0.2, PathSelected("198.51.100.1:4040", "10.0.0.9:4040", "direct", "")),
    (0.2, RaceEnded()),
    (0.21, PeerWithdrew("done")),
]
"""
The same, as its listener saw it.
"""

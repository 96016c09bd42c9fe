"""
Traces to test with.
"""

from __future__ import annotations

from punch import traceevents
from punch.trace.model import Trace
from punch.trace.recorder import MeetingRecorder

PEER = "192.0.2.1:4040"
HOST = "[2001:db8::1]:4040"

Steps = list[tuple[float, traceevents.TraceEvent]]

RENDEZVOUS: Steps = [
    (0.0, traceevents.Sought()),
    (0.080, traceevents.Reached()),
    (0.160, traceevents.Seen("198.51.100.1:4040")),
    (0.160, traceevents.Met("ab12", PEER, 0.010)),
]
"""
The way to an introduction.
"""

DIRECT: Steps = [
    *RENDEZVOUS,
    (0.170, traceevents.Learned(PEER, "server-reflexive")),
    (0.170, traceevents.Trying(PEER)),
    (0.180, traceevents.Tried(PEER, "refused")),
    (0.185, traceevents.Trying(PEER)),
    (0.200, traceevents.Said()),
    (0.200, traceevents.Heard(1)),
    (0.200, traceevents.Learned(HOST, "host")),
    (0.200, traceevents.Trying(HOST)),
    (0.250, traceevents.Tried(PEER, "connected")),
    (0.250, traceevents.Joined(PEER, "server-reflexive", "10.0.0.2:4040", "connected")),
    (0.330, traceevents.Secured(PEER, "10.0.0.2:4040")),
    (0.330, traceevents.Recognized(PEER, "10.0.0.2:4040")),
    (0.330, traceevents.Won(PEER, "10.0.0.2:4040", "direct", "")),
    (0.330, traceevents.Over()),
    (0.410, traceevents.Confirmed()),
]
"""
A dial that was met directly.
"""


def told(told: Steps, role: str = "dialer", began: float = 1.7e9) -> Trace:
    """
    The trace of some traceevents.
    """
    chronicle = MeetingRecorder(role, began)
    for at, step in told:
        chronicle.add(at, step)
    return chronicle.trace()


ANSWERED: Steps = [
    (0.0, traceevents.Seen(PEER)),
    (0.0, traceevents.Met("ab12", "198.51.100.1:4040", 0.0)),
    (0.0, traceevents.Learned("198.51.100.1:4040", "server-reflexive")),
    (0.0, traceevents.Trying("198.51.100.1:4040")),
    (
        0.08,
        traceevents.Joined(
            "198.51.100.1:4040", "server-reflexive", "10.0.0.9:4040", "accepted"
        ),
    ),
    (0.081, traceevents.Tried("198.51.100.1:4040", "taken")),
    (0.16, traceevents.Secured("198.51.100.1:4040", "10.0.0.9:4040")),
    (0.17, traceevents.Heard(2)),
    (0.17, traceevents.Recognized("198.51.100.1:4040", "10.0.0.9:4040")),
    (0.2, traceevents.Won("198.51.100.1:4040", "10.0.0.9:4040", "direct", "")),
    (0.2, traceevents.Over()),
    (0.21, traceevents.PeerGone("done")),
]
"""
The same, as its listener saw it.
"""

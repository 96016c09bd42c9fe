"""
Traces to test with.
"""

from __future__ import annotations

from punch import steps
from punch.chronicle import Chronicle
from punch.trace import Trace

PEER = "192.0.2.1:4040"
HOST = "[2001:db8::1]:4040"

Steps = list[tuple[float, steps.Step]]

RENDEZVOUS: Steps = [
    (0.0, steps.Sought()),
    (0.080, steps.Reached()),
    (0.160, steps.Seen("198.51.100.1:4040")),
    (0.160, steps.Met("ab12", PEER, 0.010)),
]
"""
The way to an introduction.
"""

DIRECT: Steps = [
    *RENDEZVOUS,
    (0.170, steps.Learned(PEER, "server-reflexive")),
    (0.170, steps.Trying(PEER)),
    (0.180, steps.Tried(PEER, "refused")),
    (0.185, steps.Trying(PEER)),
    (0.200, steps.Said()),
    (0.200, steps.Heard(1)),
    (0.200, steps.Learned(HOST, "host")),
    (0.200, steps.Trying(HOST)),
    (0.250, steps.Tried(PEER, "connected")),
    (0.250, steps.Joined(PEER, "server-reflexive", "10.0.0.2:4040", "connected")),
    (0.330, steps.Secured(PEER, "10.0.0.2:4040")),
    (0.330, steps.Recognized(PEER, "10.0.0.2:4040")),
    (0.330, steps.Won(PEER, "10.0.0.2:4040", "direct", "")),
    (0.330, steps.Over()),
    (0.410, steps.Confirmed()),
]
"""
A dial that was met directly.
"""


def told(told: Steps, role: str = "dialer", began: float = 1.7e9) -> Trace:
    """
    The trace of some steps.
    """
    chronicle = Chronicle(role, began)
    for at, step in told:
        chronicle.add(at, step)
    return chronicle.trace()


ANSWERED: Steps = [
    (0.0, steps.Seen(PEER)),
    (0.0, steps.Met("ab12", "198.51.100.1:4040", 0.0)),
    (0.0, steps.Learned("198.51.100.1:4040", "server-reflexive")),
    (0.0, steps.Trying("198.51.100.1:4040")),
    (
        0.08,
        steps.Joined(
            "198.51.100.1:4040", "server-reflexive", "10.0.0.9:4040", "accepted"
        ),
    ),
    (0.081, steps.Tried("198.51.100.1:4040", "taken")),
    (0.16, steps.Secured("198.51.100.1:4040", "10.0.0.9:4040")),
    (0.17, steps.Heard(2)),
    (0.17, steps.Recognized("198.51.100.1:4040", "10.0.0.9:4040")),
    (0.2, steps.Won("198.51.100.1:4040", "10.0.0.9:4040", "direct", "")),
    (0.2, steps.Over()),
    (0.21, steps.PeerGone("done")),
]
"""
The same, as its listener saw it.
"""

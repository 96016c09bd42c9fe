"""
The trace events of one meeting: everything that a picture of it is made of.

A meeting is one try of two peers to get a path: it reaches from the connect to the
rendezvous, over the introduction and the race of connects, to the attached path.

Unlike L{punch.events}, trace events are not for the log: there are as many as there are
connects.  A peer reports them only to the tracer of L{punch.peer.settings.Settings}.
C{remote} and C{local} are a connection's two addresses, in text form
(L{punch.net.address}); L{RELAY} stands for the address of the relay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

RELAY = "relay"


@dataclass(frozen=True)
class TraceEvent:
    """
    Something that we did, or that came to us, in one meeting; the base of them all.
    """


Tracer = Callable[[TraceEvent], None]
"""
Called with each trace event of one meeting, at the instant that it happens.  It must
not raise.
"""

TracerFactory = Callable[[str, bool], Tracer]
"""
Called when a meeting begins, with our role in it (C{"dialer"}, C{"listener"}, or
C{"peer"} if there is neither) and whether the link exists already and wants another
path.  Returns the tracer of the meeting.
"""


def noTracer(event: TraceEvent) -> None:
    """
    Ignore a trace event.  (A L{Tracer}.)
    """


def noTracing(role: str, isRejoin: bool) -> Tracer:
    """
    Answer with L{noTracer} for every meeting.  (A L{TracerFactory}.)
    """
    return noTracer


# The rendezvous, and the peer by way of it.


@dataclass(frozen=True)
class RendezvousConnecting(TraceEvent):
    """
    We began to connect to the rendezvous, from the shared port.
    """


@dataclass(frozen=True)
class RendezvousConnected(TraceEvent):
    """
    The rendezvous is connected, and we have sent it what we ask for.
    """


@dataclass(frozen=True)
class AddressObserved(TraceEvent):
    """
    The rendezvous told us the address from which it sees us come.
    """

    address: str


@dataclass(frozen=True)
class IntroductionReceived(TraceEvent):
    """
    The rendezvous introduced us to the peer.

    @ivar introduction: the introduction's id in hex, the same for both sides.
    @ivar peer: the peer's address, as the rendezvous sees it.
    @ivar wait: seconds until both sides start.
    """

    introduction: str
    peer: str
    wait: float


@dataclass(frozen=True)
class DetailsSent(TraceEvent):
    """
    We sent our details (pin, candidates) to the peer.
    """


@dataclass(frozen=True)
class DetailsReceived(TraceEvent):
    """
    The peer's details came, and so the peer knows the secret.

    @ivar candidates: how many addresses the peer has named.
    """

    candidates: int


@dataclass(frozen=True)
class PeerWithdrew(TraceEvent):
    """
    The peer left the introduction.

    @ivar reason: the value of a L{punch.reasons.Reason}, as the peer says it.
    """

    reason: str


# The race.


@dataclass(frozen=True)
class CandidateAdded(TraceEvent):
    """
    There is one more remote address to connect to.

    @ivar kind: the value of a L{punch.ice.candidate.Kind}.
    """

    remote: str
    kind: str


@dataclass(frozen=True)
class ConnectStarted(TraceEvent):
    """
    A connect from the shared port to a candidate began.
    """

    remote: str


@dataclass(frozen=True)
class ConnectEnded(TraceEvent):
    """
    A connect from the shared port ended.

    @ivar outcome: the value of a L{punch.net.outcome.Outcome}.
    """

    remote: str
    outcome: str


@dataclass(frozen=True)
class TraversalStarted(TraceEvent):
    """
    A NAT does not keep ports, so we do something beside the race.

    @ivar part: what we do, the value of a L{punch.nat.prediction.Strategy}.
    """

    part: str


@dataclass(frozen=True)
class SearchConnectStarted(TraceEvent):
    """
    A port search began one more connect.

    @ivar among: what the search looks through.
    """

    among: str


@dataclass(frozen=True)
class SearchConnectFailed(TraceEvent):
    """
    A connect of a port search ended without a connection.

    @ivar outcome: the value of a L{punch.net.outcome.Outcome}.
    """

    outcome: str


@dataclass(frozen=True)
class ConnectionMade(TraceEvent):
    """
    There is a connection, and its TLS handshake begins.

    Only both addresses together tell which connection it is: a search makes many to one
    remote address.

    @ivar kind: the value of a L{punch.ice.candidate.Kind}.
    @ivar how: C{"connected"} or C{"accepted"}.
    @ivar took: if a search made the connection, the seconds that its connect took.
    """

    remote: str
    kind: str
    local: str
    how: str
    took: float | None = None


@dataclass(frozen=True)
class TLSEstablished(TraceEvent):
    """
    The TLS handshake is complete; the peer's pin is not compared yet.

    @ivar earlier: the handshake was complete before the connection joined the race,
        when we did not know yet whose connection it was.
    """

    remote: str
    local: str
    earlier: bool = False


@dataclass(frozen=True)
class PinVerified(TraceEvent):
    """
    The other end of the connection has the pin that we expect.
    """

    remote: str
    local: str


@dataclass(frozen=True)
class ConnectionRejected(TraceEvent):
    """
    A connection ended before it was a path.

    @ivar local: empty if there was no connection yet, but only a way to one.
    @ivar outcome: the value of a L{punch.net.outcome.Outcome}, or a relay's reason.
    """

    remote: str
    local: str
    outcome: str


# The end.


@dataclass(frozen=True)
class PathSelected(TraceEvent):
    """
    A path won the race; from here on it belongs to the link.

    @ivar path: C{"direct"} or C{"relayed"}.
    @ivar why: why a relayed path is not direct, as far as is known; else empty.
    """

    remote: str
    local: str
    path: str
    why: str


@dataclass(frozen=True)
class AttachConfirmed(TraceEvent):
    """
    The listener agreed to the path that we attached.
    """


@dataclass(frozen=True)
class RaceFailed(TraceEvent):
    """
    There is no path; or, after a relayed one, no direct path.

    @ivar reason: the value of a L{punch.reasons.Reason}.
    @ivar message: the reason in a sentence.
    @ivar detail: more of it, such as what was tried.
    """

    reason: str
    message: str
    detail: str = ""


@dataclass(frozen=True)
class RaceEnded(TraceEvent):
    """
    The race is over: we look for no further path.
    """

"""
The steps of one meeting: all that a picture of it is made of.

Unlike L{punch.events} they are for nobody's log: there are as many as there are
connects.  A peer tells them only to who draws (L{punch.trace.model}).  Addresses are in
text form (L{punch.net.address}); C{RELAY} stands for the way through the relay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

RELAY = "relay"


@dataclass(frozen=True)
class TraceEvent:
    """
    Something that was done, or came, in one meeting.
    """


Tracer = Callable[[TraceEvent], None]
"""
Who draws one meeting: called with each of its steps, at once; it must not raise.
"""

Draw = Callable[[str, bool], Tracer]
"""
Begins to draw a meeting: for which role of ours, and whether it is for a link that
lives already.
"""


def noTracer(step: TraceEvent) -> None:
    """
    For a meeting that nobody draws.
    """


def drawNothing(role: str, isReunion: bool) -> Tracer:
    """
    For those who want no picture.
    """
    return noTracer


# The rendezvous, and the other side through it.


@dataclass(frozen=True)
class Sought(TraceEvent):
    """
    We began to connect to the rendezvous.
    """


@dataclass(frozen=True)
class Reached(TraceEvent):
    """
    It is connected, and has been asked for what we want.
    """


@dataclass(frozen=True)
class Seen(TraceEvent):
    """
    It told which address it sees us come from.
    """

    address: str


@dataclass(frozen=True)
class Met(TraceEvent):
    """
    It introduced us.

    C{introduction}: the introduction's id in hex, the same for both sides.  C{peer}:
    the other side's address, as it sees it.  C{wait}: seconds until both start.
    """

    introduction: str
    peer: str
    wait: float


@dataclass(frozen=True)
class Said(TraceEvent):
    """
    We sent the other side our message.
    """


@dataclass(frozen=True)
class Heard(TraceEvent):
    """
    The other side's details came; it knows the secret.  C{candidates}: how many
    addresses it has named.
    """

    candidates: int


@dataclass(frozen=True)
class PeerGone(TraceEvent):
    """
    The other side left the introduction.  C{reason}: a L{punch.reasons.Reason}'s
    value, as it says.
    """

    reason: str


# The race.


@dataclass(frozen=True)
class Learned(TraceEvent):
    """
    There is one more address to try.
    """

    remote: str
    kind: str


@dataclass(frozen=True)
class Trying(TraceEvent):
    """
    A connect to C{remote} began.
    """

    remote: str


@dataclass(frozen=True)
class Tried(TraceEvent):
    """
    It came to its C{outcome}.
    """

    remote: str
    outcome: str


@dataclass(frozen=True)
class Approached(TraceEvent):
    """
    NATs do not keep ports, so we do something beside the race.  C{part}: what, as of
    L{punch.nat.prediction.Part}.
    """

    part: str


@dataclass(frozen=True)
class Searching(TraceEvent):
    """
    A search began one more connect.  C{among}: what it searches.
    """

    among: str


@dataclass(frozen=True)
class Searched(TraceEvent):
    """
    One came to its C{outcome}, which is no connection.
    """

    outcome: str


@dataclass(frozen=True)
class Joined(TraceEvent):
    """
    There is a connection; TLS begins.  It is known by both its addresses: a search
    has many that lead to one.  C{how}: as of L{punch.events.Connected}.

    C{took}: if a search has made it, the seconds that its connect took.
    """

    remote: str
    kind: str
    local: str
    how: str
    took: float | None = None


@dataclass(frozen=True)
class Secured(TraceEvent):
    """
    TLS with C{remote} is done; the pin is to be compared.  C{earlier}: it was before
    the connection joined the race, when we did not know whose it was.
    """

    remote: str
    local: str
    earlier: bool = False


@dataclass(frozen=True)
class Recognized(TraceEvent):
    """
    C{remote} has the pin that we mean.
    """

    remote: str
    local: str


@dataclass(frozen=True)
class Rejected(TraceEvent):
    """
    The connection with C{remote} came to nothing; or, if C{local} is empty, the way to
    one did.
    """

    remote: str
    local: str
    outcome: str


# The end.


@dataclass(frozen=True)
class Won(TraceEvent):
    """
    The path to C{remote} won; from here on it is the link's.  Fields: as of
    L{punch.events.Connected}.
    """

    remote: str
    local: str
    path: str
    why: str


@dataclass(frozen=True)
class Confirmed(TraceEvent):
    """
    The listener agreed to the path that we attached.
    """


@dataclass(frozen=True)
class Lost(TraceEvent):
    """
    Nobody wins any more.  C{reason}: a L{punch.reasons.Reason}'s value.  C{detail}:
    what exactly, such as what was tried.
    """

    reason: str
    message: str
    detail: str = ""


@dataclass(frozen=True)
class Over(TraceEvent):
    """
    No further path is looked for.
    """

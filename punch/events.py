"""
The events of a peer: what happened, for people and for scripts.

A peer reports an event when something has happened to its shared port, an introduction,
a link or a forward.  Events are frozen, and their fields are plain values, ready for
JSON: addresses are in text form (L{punch.net.address}), durations in seconds, and a
reason is the value of a L{punch.reasons.Reason}.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


class Event:
    """
    Something that happened; the base of all events.

    @cvar event: the event's name, for scripts.
    @cvar template: the event's sentence, as a format string of its fields.
    """

    event: ClassVar[str]
    template: ClassVar[str]

    def sentence(self) -> str:
        """
        What happened, in a sentence for a person.
        """
        return self.template.format(**vars(self))


def fieldsOf(event: Any) -> dict[str, Any]:
    """
    The fields of an event, by the names that scripts see.
    """
    return {name.rstrip("_"): value for name, value in asdict(event).items()}


Tell = Callable[[Event], None]
"""
Called with each event, at the instant that it happens.  It must not raise.
"""


def tellNobody(event: Event) -> None:
    """
    Ignore an event.  (A L{Tell}.)
    """


@dataclass(frozen=True)
class Listening(Event):
    """
    The shared port is open: we accept connections there.
    """

    event = "listening"
    template = "Listening on TCP port {port}, and connecting from it."
    port: int


@dataclass(frozen=True)
class Observed(Event):
    """
    The rendezvous told which address it sees us come from, or a STUN server did.

    @ivar by: C{"rendezvous"}, or the STUN server's C{HOST:PORT}.
    """

    event = "observed"
    address: str
    by: str = "rendezvous"

    def sentence(self) -> str:
        who = self.by if self.by == "rendezvous" else f"STUN server {self.by}"
        return f"The {who} sees us as {self.address}."


@dataclass(frozen=True)
class CodeAllotted(Event):
    """
    A code was made for this listener; whoever knows it is let in.
    """

    event = "code"
    template = "The code is {code}  (type it on the other side)"
    code: str


@dataclass(frozen=True)
class Waiting(Event):
    """
    The listener's name is published; nobody has dialed it yet.
    """

    event = "waiting"
    template = "Waiting for the other side."


@dataclass(frozen=True)
class Introduced(Event):
    """
    The rendezvous introduced a peer, whom it sees at C{peer}.
    """

    event = "introduced"
    template = "Introduced to a peer at {peer}."
    peer: str


@dataclass(frozen=True)
class Rehearsed(Event):
    """
    A peer that knows our secret tried how it would meet us (C{twist punch-check}), and
    left; nothing came of it, and nothing was meant to.

    @ivar peer: as of L{Introduced}.
    """

    event = "rehearsed"
    template = "The peer at {peer} only tried how it would meet us, and left."
    peer: str


@dataclass(frozen=True)
class Attempted(Event):
    """
    An attempt to reach C{remote} began (C{outcome} "started", once a candidate)
    or came to its outcome.

    @ivar kind: the value of a L{punch.ice.candidate.Kind}.
    @ivar outcome: C{"started"}, or the value of a L{punch.net.outcome.Outcome}.
    """

    event = "attempted"
    remote: str
    kind: str
    outcome: str

    def sentence(self) -> str:
        if self.outcome == "started":
            return f"Trying {self.remote} ({self.kind})."
        return f"Tried {self.remote} ({self.kind}): {self.outcome}."


@dataclass(frozen=True)
class Searched(Event):
    """
    A search for the other side's port is over; it began this many C{connects}.
    """

    event = "searched"
    connects: int

    def sentence(self) -> str:
        plural = "" if self.connects == 1 else "s"
        return f"Searched for a port with {self.connects} connect{plural}."


@dataclass(frozen=True)
class Connected(Event):
    """
    A path won and carries the link.

    @ivar path: C{"direct"} or C{"relayed"}.
    @ivar kind: the value of the candidate's L{punch.ice.candidate.Kind}.
    @ivar how: C{"connected"} or C{"accepted"}.
    @ivar elapsed: seconds since the start of the dial (dialer) or since the
        introduction (listener).
    @ivar why: if the path is relayed, the reason why it is not direct, as far as that
        is known; else empty.
    """

    event = "connected"
    path: str
    kind: str
    how: str
    local: str
    remote: str
    elapsed: float
    why: str = ""

    def sentence(self) -> str:
        why = f" ({self.why})" if self.why else ""
        return (
            f"Connected, {self.path}{why}: {self.how} {self.local} - {self.remote}"
            f" ({self.kind}) in {self.elapsed * 1000:.0f} ms."
        )


@dataclass(frozen=True)
class PathChanged(Event):
    """
    A link goes on over another path.

    @ivar from_: the path before, C{"direct"} or C{"relayed"}.
    @ivar to: the path now.
    @ivar why: C{"better"}, or the reason to leave the path before.
    """

    event = "path"
    template = "The link moved from a {from_} to a {to} path ({why})."
    from_: str
    to: str
    why: str


@dataclass(frozen=True)
class Suspended(Event):
    """
    A link has no path any more; the peers meet again.

    @ivar reason: why the path is gone.
    """

    event = "suspended"
    template = "The path is gone ({reason}). Looking for another."
    reason: str


@dataclass(frozen=True)
class Resumed(Event):
    """
    A link goes on that was suspended.

    @ivar path: as of L{Connected}.
    @ivar kind: as of L{Connected}.
    @ivar elapsed: seconds without a path.
    """

    event = "resumed"
    path: str
    kind: str
    elapsed: float

    def sentence(self) -> str:
        return (
            f"The link goes on, {self.path} ({self.kind}),"
            f" after {self.elapsed * 1000:.0f} ms."
        )


@dataclass(frozen=True)
class Forwarding(Event):
    """
    A forward's local end is open at C{address}; its connections go to the peer's
    C{service}.
    """

    event = "forwarding"
    template = "Forwarding {address} to the other side's {service!r}."
    service: str
    address: str


@dataclass(frozen=True)
class Judged(Event):
    """
    There is no direct path; both sides come to the same verdict.

    @ivar message: the reason in a sentence.
    @ivar advice: what may help, as the end of a sentence.
    """

    event = "verdict"
    template = "No direct path ({reason}). {message} To help: {advice}."
    reason: str
    message: str
    advice: str


@dataclass(frozen=True)
class Failed(Event):
    """
    No link came about.

    @ivar message: the reason in a sentence.
    """

    event = "failed"
    template = "Failed ({reason}). {message}"
    reason: str
    message: str


@dataclass(frozen=True)
class Closed(Event):
    """
    A link ended; C{sent} and C{received} count the application's bytes.
    """

    event = "closed"
    template = "Closed ({reason}): {sent} bytes sent, {received} received."
    reason: str
    sent: int
    received: int

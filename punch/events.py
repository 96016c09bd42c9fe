"""
What happened, for people and for scripts.

Events are frozen and in the past tense; their fields are plain values, ready
for JSON.  Each has its name as scripts see it (C{event}) and its sentence as a
person reads it (C{sentence}).  Addresses are in text form (L{punch.net.address}),
durations in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol


class Event(Protocol):
    """
    Anything that happened.
    """

    @property
    def event(self) -> str:
        """
        Its name, for scripts.
        """

    def sentence(self) -> str:
        """
        Its sentence, for a person.
        """


def fieldsOf(event: Any) -> dict[str, Any]:
    """
    The fields of an event, by the names that scripts see.
    """
    return {name.rstrip("_"): value for name, value in asdict(event).items()}


Tell = Callable[[Event], None]
"""
Who wants to hear of events: called with each, at once; it must not raise.
"""


def tellNobody(event: Event) -> None:
    """
    For those who do not want to hear of events.
    """


@dataclass(frozen=True)
class Listening:
    """
    The shared port is open.
    """

    event: ClassVar[str] = "listening"
    port: int

    def sentence(self) -> str:
        return f"Listening on TCP port {self.port}, and connecting from it."


@dataclass(frozen=True)
class Observed:
    """
    The rendezvous told which address it sees us come from, or a STUN server did.

    C{by}: C{"rendezvous"}, or where the STUN server is.
    """

    event: ClassVar[str] = "observed"
    address: str
    by: str = "rendezvous"

    def sentence(self) -> str:
        who = self.by if self.by == "rendezvous" else f"STUN server {self.by}"
        return f"The {who} sees us as {self.address}."


@dataclass(frozen=True)
class CodeAllotted:
    """
    A code was made for this listener; to know it is to be let in.
    """

    event: ClassVar[str] = "code"
    code: str

    def sentence(self) -> str:
        return f"The code is {self.code}  (type it on the other side)"


@dataclass(frozen=True)
class Waiting:
    """
    The listener's name is published; nobody has dialed it yet.
    """

    event: ClassVar[str] = "waiting"

    def sentence(self) -> str:
        return "Waiting for the other side."


@dataclass(frozen=True)
class Introduced:
    """
    The rendezvous introduced a peer, whom it sees at C{peer}.
    """

    event: ClassVar[str] = "introduced"
    peer: str

    def sentence(self) -> str:
        return f"Introduced to a peer at {self.peer}."


@dataclass(frozen=True)
class Rehearsed:
    """
    A peer that knows our secret tried how it would meet us (C{twist punch-check}), and
    left; nothing came of it, and nothing was meant to.  C{peer}: as L{Introduced}'s.
    """

    event: ClassVar[str] = "rehearsed"
    peer: str

    def sentence(self) -> str:
        return f"The peer at {self.peer} only tried how it would meet us, and left."


@dataclass(frozen=True)
class Attempted:
    """
    An attempt to reach C{remote} began (C{outcome} "started", once a candidate)
    or came to its outcome.
    """

    event: ClassVar[str] = "attempted"
    remote: str
    kind: str
    outcome: str

    def sentence(self) -> str:
        if self.outcome == "started":
            return f"Trying {self.remote} ({self.kind})."
        return f"Tried {self.remote} ({self.kind}): {self.outcome}."


@dataclass(frozen=True)
class Searched:
    """
    A search for the other side's port is over: so many C{connects} it began.
    """

    event: ClassVar[str] = "searched"
    connects: int

    def sentence(self) -> str:
        plural = "" if self.connects == 1 else "s"
        return f"Searched for a port with {self.connects} connect{plural}."


@dataclass(frozen=True)
class Connected:
    """
    A path won and carries the link.

    C{path}: C{"direct"} or C{"relayed"}.  C{why}: if it is relayed, the reason why
    it is not direct, as far as is known (a L{punch.reasons.Reason}'s value), else
    empty.  C{kind}: the candidate's.  C{how}: C{"connected"} or
    C{"accepted"}.  C{elapsed}: seconds from the start of the dial (dialer) or
    from the introduction (listener).
    """

    event: ClassVar[str] = "connected"
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
class PathChanged:
    """
    A link goes on over another path.  C{from}, C{to}: C{"direct"} or C{"relayed"}.
    C{why}: C{"better"}, or the reason to leave the one before.
    """

    event: ClassVar[str] = "path"
    from_: str
    to: str
    why: str

    def sentence(self) -> str:
        return f"The link moved from a {self.from_} to a {self.to} path ({self.why})."


@dataclass(frozen=True)
class Suspended:
    """
    A link has no path any more; the peers meet again.  C{reason}: why.
    """

    event: ClassVar[str] = "suspended"
    reason: str

    def sentence(self) -> str:
        return f"The path is gone ({self.reason}). Looking for another."


@dataclass(frozen=True)
class Resumed:
    """
    A link goes on that was suspended.  C{path}, C{kind}: as of L{Connected}.
    C{elapsed}: seconds without a path.
    """

    event: ClassVar[str] = "resumed"
    path: str
    kind: str
    elapsed: float

    def sentence(self) -> str:
        return (
            f"The link goes on, {self.path} ({self.kind}),"
            f" after {self.elapsed * 1000:.0f} ms."
        )


@dataclass(frozen=True)
class Forwarding:
    """
    A forward's local end is open at C{address}; its connections are to the peer's
    C{service}.
    """

    event: ClassVar[str] = "forwarding"
    service: str
    address: str

    def sentence(self) -> str:
        return f"Forwarding {self.address} to the other side's {self.service!r}."


@dataclass(frozen=True)
class Judged:
    """
    There is no direct path; both sides come to the same verdict.  C{reason} is a
    L{punch.errors.Reason}'s value, C{advice} the end of a sentence.
    """

    event: ClassVar[str] = "verdict"
    reason: str
    message: str
    advice: str

    def sentence(self) -> str:
        return f"No direct path ({self.reason}). {self.message} To help: {self.advice}."


@dataclass(frozen=True)
class Failed:
    """
    No link came about.  C{reason} is a L{punch.errors.Reason}'s value.
    """

    event: ClassVar[str] = "failed"
    reason: str
    message: str

    def sentence(self) -> str:
        return f"Failed ({self.reason}). {self.message}"


@dataclass(frozen=True)
class Closed:
    """
    A link ended; C{sent} and C{received} count the application's bytes.
    """

    event: ClassVar[str] = "closed"
    reason: str
    sent: int
    received: int

    def sentence(self) -> str:
        return (
            f"Closed ({self.reason}): {self.sent} bytes sent, {self.received} received."
        )

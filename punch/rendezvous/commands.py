"""
The AMP commands that pass between a peer and the rendezvous.

A client says L{Hello} first; commands may follow it in the same flight.  A listener
then holds names (L{Allocate}, L{Publish}); a dialer names one (L{Dial}).  The
rendezvous introduces the two (by the answer to L{Dial}, and by L{Introduce}).  Each is
told the other's observed address and how long to wait, so that both start at one
instant.  Until one of them sends L{Leave}, the rendezvous passes their messages on
(L{Relay}) without reading them.

A command without an answer cannot be refused; if it exceeds a limit, the rendezvous
ends the introduction with a L{Leave}.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.protocols import amp

from punch import errors
from punch.net.address import Address as TCPAddress
from punch.net.address import formatAddress, parseAddress
from punch.net.outcome import Outcome

VERSION = 1

MAXIMUM_NAME = 64
MAXIMUM_MESSAGE = 8192
"""
Bytes in one relayed message, the PAKE message of a L{Dial} included.
"""

_REFUSALS: dict[type[Exception], bytes] = {
    errors.UnsupportedVersion: b"UNSUPPORTED-VERSION",
    errors.RendezvousViolation: b"VIOLATION",
    errors.NoSuchName: b"NO-SUCH-NAME",
    errors.NameTaken: b"NAME-TAKEN",
    errors.BadName: b"BAD-NAME",
    errors.TooMany: b"TOO-MANY",
    errors.TooFast: b"TOO-FAST",
    errors.TooLarge: b"TOO-LARGE",
}


PROBE_ANSWERS = {
    Outcome.CONNECTED: "accepted",
    Outcome.REFUSED: "refused",
    Outcome.TIMED_OUT: "dropped",
    Outcome.UNREACHABLE: "unreachable",
    Outcome.FAILED: "failed",
}
"""
The words for what came of a SYN that the client did not ask for.
"""


class Address(amp.Argument):
    """
    An IP address and TCP port in its text form (see L{punch.net.address}).
    """

    def toString(self, inObject: TCPAddress) -> bytes:
        return formatAddress(inObject).encode("ascii")

    def fromString(self, inString: bytes) -> TCPAddress:
        return parseAddress(inString.decode("ascii"))


class Seconds(amp.Argument):
    """
    A duration in seconds, carried as a decimal number of whole microseconds.
    """

    def toString(self, inObject: float) -> bytes:
        return str(round(inObject * 1e6)).encode("ascii")

    def fromString(self, inString: bytes) -> float:
        microseconds = int(inString)
        if not 0 <= microseconds <= 3_600_000_000:
            raise ValueError("a duration out of range")
        return microseconds / 1e6


class ProbeAnswer(amp.Argument):
    """
    What came of a connect of the rendezvous, as one of the L{PROBE_ANSWERS}.
    """

    def toString(self, inObject: Outcome) -> bytes:
        return PROBE_ANSWERS[inObject].encode("ascii")

    def fromString(self, inString: bytes) -> Outcome:
        for outcome, word in PROBE_ANSWERS.items():
            if word.encode("ascii") == inString:
                return outcome
        raise ValueError(f"{inString!r} is no answer of a probe")


class Hello(amp.Command):
    """
    The first command of a client.

    C{features} are words; unknown ones are ignored.  C{roundTrip} is what the client
    measured while it connected, in case the server's kernel does not say.  The answer
    tells the address that the server observes the client at, and C{vantages}: other
    addresses that answer STUN over TCP.  C{":4041"} is that port of the address that
    the client knows the server by.
    """

    arguments = [
        (b"version", amp.Integer()),
        (b"features", amp.ListOf(amp.Unicode())),
        (b"roundTrip", Seconds(optional=True)),
    ]
    response = [
        (b"observed", Address()),
        (b"features", amp.ListOf(amp.Unicode())),
        (b"vantages", amp.ListOf(amp.Unicode(), optional=True)),
    ]
    errors = _REFUSALS


class Allocate(amp.Command):
    """
    Publish a free number for this connection.

    C{owner} is a secret of the client's process.  A newer connection that shows it may
    take the name over, if this one died unnoticed.
    """

    arguments = [(b"owner", amp.String())]
    response = [(b"name", amp.Unicode())]
    errors = _REFUSALS


class Publish(amp.Command):
    """
    Wait under a chosen name, or, after a loss, under the number allocated before.
    """

    arguments = [(b"name", amp.Unicode()), (b"owner", amp.String())]
    response: ClassVar[list[tuple[bytes, amp.Argument]]] = []
    errors = _REFUSALS


class Withdraw(amp.Command):
    """
    Stop waiting under a name; its introductions go on.
    """

    arguments = [(b"name", amp.Unicode())]
    response: ClassVar[list[tuple[bytes, amp.Argument]]] = []
    errors = _REFUSALS


class Dial(amp.Command):
    """
    Ask for an introduction to the listener that waits under C{name}.

    C{message} is the dialer's PAKE message, which the listener gets with its
    L{Introduce}.  The answer is the dialer's side of the introduction, and its
    C{ticket} for the relay (see L{punch.rendezvous.relaypreamble}), if there is a
    relay.
    """

    arguments = [(b"name", amp.Unicode()), (b"message", amp.String())]
    response = [
        (b"introduction", amp.String()),
        (b"peer", Address()),
        (b"wait", Seconds()),
        (b"ticket", amp.String(optional=True)),
    ]
    errors = _REFUSALS


class Introduce(amp.Command):
    """
    Tell a listener that somebody dialed C{name}; it starts after C{wait}.  C{ticket} is
    the listener's own for the relay.
    """

    arguments = [
        (b"introduction", amp.String()),
        (b"name", amp.Unicode()),
        (b"peer", Address()),
        (b"wait", Seconds()),
        (b"message", amp.String()),
        (b"ticket", amp.String(optional=True)),
    ]
    requiresAnswer = False


class Relay(amp.Command):
    """
    Pass a message to the other side of an introduction, in either direction.
    """

    arguments = [(b"introduction", amp.String()), (b"message", amp.String())]
    requiresAnswer = False


class Leave(amp.Command):
    """
    End an introduction; the other side is told C{reason}, the value of a
    L{punch.errors.Reason}.
    """

    arguments = [(b"introduction", amp.String()), (b"reason", amp.Unicode())]
    requiresAnswer = False


class Probe(amp.Command):
    """
    Ask the rendezvous to connect to the address that this connection comes from, and to
    no other, from a port that the client has not contacted.  The rendezvous closes the
    connection at once.

    C{elsewhere}: connect from another address than the client has contacted, too.
    C{answer}: what came of it.  A rendezvous that obeys has C{"knock"} in its feature
    list, and C{"knock-elsewhere"} if it has another address.
    """

    commandName = b"Knock"
    arguments = [(b"elsewhere", amp.Boolean(optional=True))]
    response = [(b"answer", ProbeAnswer())]
    errors = _REFUSALS


class Ping(amp.Command):
    """
    Ask whether the other side is alive, in either direction; this also keeps the NATs'
    mappings.
    """

    arguments: ClassVar[list[tuple[bytes, amp.Argument]]] = []
    response: ClassVar[list[tuple[bytes, amp.Argument]]] = []

"""
What can go wrong, and what to say about it.

Each error's docstring is the text that a person reads: whose fault it is and
what to do next.  Its C{reason} is the code that a program reads.  Six branches say
where the fault lies: L{Misuse}, L{RendezvousError}, L{ConnectError}, L{LinkError},
L{punch.streams.errors.StreamError} and L{punch.nat.errors.STUNError};
L{AuthenticationError} cuts across, for a peer that is not the one we meant.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import ClassVar

from punch.reasons import Reason


class PunchError(Exception):
    """
    Something went wrong.
    """

    reason: ClassVar[Reason]

    def __init__(self, detail: str = "") -> None:
        """
        @param detail: what exactly: a name, an address; no secret but one mistyped.
        """
        Exception.__init__(self, detail)
        self.detail = detail

    @property
    def text(self) -> str:
        """
        The docstring, as a person reads it.
        """
        return " ".join(cleandoc(self.__doc__ or "").split())

    def __str__(self) -> str:
        """
        What a person reads: the docstring, and the detail.
        """
        return f"{self.text} ({self.detail})" if self.detail else self.text


class Bug(PunchError):
    """
    This is a mistake in punch itself; please report it, with the log.
    """

    reason = Reason.BUG


# Ours, or our user's.


class Misuse(PunchError):
    """
    The request itself is wrong; nothing was sent.
    """


class BadOption(Misuse):
    """
    The options do not do; see --help.
    """

    reason = Reason.BAD_OPTION


class BadEndpoint(Misuse):
    """
    This is not an endpoint; write tcp:HOST:PORT or tls:HOST:PORT.
    """

    reason = Reason.BAD_ENDPOINT


class MalformedCode(Misuse):
    """
    This is not a code; a code is a number and two words, like 7-orbit-lemon.
    """

    reason = Reason.MALFORMED_CODE


class UnknownWord(Misuse):
    """
    This word is in no code; look at the code again (no guess was spent).
    """

    reason = Reason.UNKNOWN_WORD


class BadSecretFile(Misuse):
    """
    The secret cannot be used; put one, long and the same on both sides, in a file
    that only you can read.
    """

    reason = Reason.BAD_SECRET_FILE


class BadIdentity(Misuse):
    """
    This file holds no usable key and certificate; name a new file, and one will
    be made.
    """

    reason = Reason.BAD_IDENTITY


class PortInUse(Misuse):
    """
    Another program uses this port here; stop it or choose another --port.
    """

    reason = Reason.PORT_IN_USE


# The rendezvous: reaching it, and what it refuses.


class RendezvousError(PunchError):
    """
    The rendezvous server did not help.
    """


class RendezvousRefused(RendezvousError):
    """
    The rendezvous refuses connections: the machine is there but no server
    listens on that port; is it running, is the port right?
    """

    reason = Reason.RENDEZVOUS_REFUSED


class RendezvousTimedOut(RendezvousError):
    """
    The rendezvous does not answer in time: the machine is down, or a firewall
    drops what we send.
    """

    reason = Reason.RENDEZVOUS_TIMED_OUT


class RendezvousNotFound(RendezvousError):
    """
    The rendezvous' host name is not known; check its spelling and your DNS.
    """

    reason = Reason.RENDEZVOUS_NOT_FOUND


class RendezvousCertificate(RendezvousError):
    """
    The rendezvous' certificate is not valid for that host name, so this may be
    somebody else; nothing was sent to it.
    """

    reason = Reason.RENDEZVOUS_CERTIFICATE


class PortHeld(RendezvousError):
    """
    The system still holds this port for an earlier connection to the rendezvous;
    wait a minute or choose another --port.
    """

    reason = Reason.PORT_HELD


class RendezvousLost(RendezvousError):
    """
    The connection to the rendezvous ended.
    """

    reason = Reason.RENDEZVOUS_LOST


class RendezvousViolation(RendezvousError):
    """
    What answers there does not speak as a punch rendezvous does; is the address
    right?
    """

    reason = Reason.RENDEZVOUS_VIOLATION


class Refusal(RendezvousError):
    """
    The rendezvous understood the request and refused it.
    """


class UnsupportedVersion(Refusal):
    """
    The rendezvous speaks another version of the protocol; update the older side.
    """

    reason = Reason.UNSUPPORTED_VERSION


class NoSuchName(Refusal):
    """
    Nobody waits under this name: the code was mistyped, has been used up, or its
    listener has gone.
    """

    reason = Reason.NO_SUCH_NAME


class NameTaken(Refusal):
    """
    Somebody else waits under this name; choose another, or stop the other
    listener.
    """

    reason = Reason.NAME_TAKEN


class BadName(Refusal):
    """
    This name cannot be published: use 1 to 64 letters, digits, dots, dashes and
    underscores, not only digits.
    """

    reason = Reason.BAD_NAME


class TooMany(Refusal):
    """
    The rendezvous' limit on this is reached; try again later.
    """

    reason = Reason.TOO_MANY


class TooFast(Refusal):
    """
    The rendezvous asks for patience; wait a minute and try again.
    """

    reason = Reason.TOO_FAST


class TooLarge(Refusal):
    """
    The message is larger than the rendezvous carries.
    """

    reason = Reason.TOO_LARGE


# The other peer is not who we meant.


class AuthenticationError(PunchError):
    """
    The other side is not who we meant to reach.
    """


class WrongCode(AuthenticationError):
    """
    The two sides do not have the same words.  A code allows one guess, so it is
    dead now: use a new one.  (With a standing name: compare the secret files.)
    """

    reason = Reason.WRONG_CODE


class Unproven(AuthenticationError):
    """
    The other side left, or fell silent, before it proved that it knows the words.
    It may have been a guess.
    """

    reason = Reason.UNPROVEN


class WrongPin(AuthenticationError):
    """
    Who answered does not hold the key that we trust; the connection was closed
    before any data passed.
    """

    reason = Reason.WRONG_PIN


# Reaching the peer.


class ConnectError(PunchError):
    """
    No link to the peer came about.
    """


class PeerNotFound(ConnectError):
    """
    The peer's host name is not known; check its spelling and your DNS.
    """

    reason = Reason.PEER_NOT_FOUND


class PeerLeft(ConnectError):
    """
    The other side gave up before a path was found.
    """

    reason = Reason.PEER_LEFT


class PeerSilent(ConnectError):
    """
    The other side was introduced but never sent its details; it may have stopped.
    """

    reason = Reason.PEER_SILENT


class NoAnswer(ConnectError):
    """
    No attempt was answered in time: a NAT or firewall between you drops them,
    or changes the port for each destination.  No direct path was found.
    """

    reason = Reason.NO_ANSWER


class Refused(ConnectError):
    """
    Attempts were refused until time ran out: a NAT or firewall answers in the
    peer's place, or the peer is not there.  No direct path was found.
    """

    reason = Reason.REFUSED


class Unreachable(ConnectError):
    """
    There is no route to any of the peer's addresses: you are offline, or one of you has
    IPv6 alone and the other IPv4 alone.
    """

    reason = Reason.UNREACHABLE


class NotAttached(ConnectError):
    """
    Connections were made, but the two sides agreed on none of them in time.
    Where there is no rendezvous: does the other side trust our pin?
    """

    reason = Reason.NOT_ATTACHED


# A link that was, and ended early.


class LinkError(PunchError):
    """
    The link ended early: bytes may not have arrived.
    """


class Aborted(LinkError):
    """
    The link was aborted here before it was done.
    """

    reason = Reason.ABORTED


class PathLost(LinkError):
    """
    The connection under the link broke before both sides were done.
    """

    reason = Reason.PATH_LOST


class PathSilent(LinkError):
    """
    The peer has not been heard for too long; the link was given up.
    """

    reason = Reason.PATH_SILENT


class ProtocolViolation(LinkError):
    """
    The peer sent something that the protocol does not allow.
    """

    reason = Reason.PROTOCOL_VIOLATION

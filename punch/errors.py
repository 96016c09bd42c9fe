"""
The errors that people and programs see: the branches, and the errors of peers, links
and the rendezvous.  Errors of NATs, relays, streams, resumption and forwarding stand in
those packages.

An error's docstring is the text that people read: whose fault it is, and what to do
next.  Its C{reason} is the code that programs read.  Six branches say where the fault
lies: L{Misuse}, L{RendezvousError}, L{ConnectError}, L{LinkError},
L{punch.streams.errors.StreamError} and L{punch.nat.errors.STUNError}.  A seventh,
L{AuthenticationError}, is for a peer that is not the one that was meant.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import ClassVar

from punch.reasons import Reason


class PunchError(Exception):
    """
    Something went wrong, and it is not known what.
    """

    reason: ClassVar[Reason]

    def __init__(self, detail: str = "") -> None:
        """
        @param detail: what exactly is wrong: a name or an address, for example.  It
            holds no secret, except for a word that was mistyped.
        """
        Exception.__init__(self, detail)
        self.detail = detail

    @property
    def text(self) -> str:
        """
        The docstring, on one line.
        """
        return " ".join(cleandoc(self.__doc__ or "").split())

    def __str__(self) -> str:
        """
        The text that people read: the docstring, and the detail.
        """
        return f"{self.text} ({self.detail})" if self.detail else self.text


class Bug(PunchError):
    """
    This is a mistake in punch itself; please report it, with the log.
    """

    reason = Reason.BUG


# The fault of our own user or program.


class Misuse(PunchError):
    """
    The request itself is wrong; nothing was sent.
    """


class BadOption(Misuse):
    """
    The options are wrong, or do not go together; see --help.
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
    The rendezvous server did not do what it was asked to.
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
    The connection to the rendezvous ended; the network, or the server, closed it.
    """

    reason = Reason.RENDEZVOUS_LOST


class RendezvousViolation(RendezvousError):
    """
    What answers at this address is not a punch rendezvous, or does not keep to its
    protocol; check the address and the port.
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
    The rendezvous had too many requests from here in a short time; wait a minute and
    try again.
    """

    reason = Reason.TOO_FAST


class TooLarge(Refusal):
    """
    The message is larger than the rendezvous carries.
    """

    reason = Reason.TOO_LARGE


# The peer is not the one that was meant.


class AuthenticationError(PunchError):
    """
    The other side is not the peer that was meant.
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
    It may have been somebody who guessed.
    """

    reason = Reason.UNPROVEN


class WrongPin(AuthenticationError):
    """
    The peer that answered does not hold the key that we trust; the connection was
    closed before any data passed.
    """

    reason = Reason.WRONG_PIN


# Reaching the peer.


class ConnectError(PunchError):
    """
    No link to the peer could be made.
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


# A link that existed has ended early.


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
    Nothing was heard from the peer for too long, so the link was given up.
    """

    reason = Reason.PATH_SILENT


class ProtocolViolation(LinkError):
    """
    The peer sent something that the protocol does not allow.
    """

    reason = Reason.PROTOCOL_VIOLATION

"""
The first words on a connection to the relay: the ticket, and the answer.

A client sends C{RELAY1}, its ticket (32 bytes), and at once whatever it likes.  When
the other side is there too, each of them is sent one byte, L{Status.SPLICED}, and
then the other's bytes; or, at any time before that, the code of a refusal, and the
end.  AMP, which the same port speaks, begins with a byte that is 0.
"""

from __future__ import annotations

from enum import IntEnum

from punch.errors import RendezvousViolation
from punch.rendezvous.relayerrors import (
    PeerAbsent,
    RelayAddressBusy,
    RelayBusy,
    RelayError,
    RelayRefused,
    TicketUnknown,
    TicketUsed,
)

TICKET_BYTES = 32

_MARK = b"RELAY1"
_SIZE = len(_MARK) + TICKET_BYTES


class Status(IntEnum):
    """
    The byte that the relay answers.  What a later version adds is a refusal too.
    """

    SPLICED = 0
    BUSY = 1
    ADDRESS_BUSY = 2
    TICKET_UNKNOWN = 3
    TICKET_USED = 4
    PEER_ABSENT = 5
    REFUSED = 255

    def encode(self) -> bytes:
        """
        The answer as it is sent.
        """
        return bytes([self])


_REFUSALS: dict[int, type[RelayError]] = {
    Status.BUSY: RelayBusy,
    Status.ADDRESS_BUSY: RelayAddressBusy,
    Status.TICKET_UNKNOWN: TicketUnknown,
    Status.TICKET_USED: TicketUsed,
    Status.PEER_ABSENT: PeerAbsent,
}


def statusOf(error: RelayError) -> Status:
    """
    How to tell a client of this refusal.
    """
    for status, kind in _REFUSALS.items():
        if isinstance(error, kind):
            return Status(status)
    return Status.REFUSED


def refusal(status: int) -> RelayError | None:
    """
    What an answer's byte means; L{None}: the other side is there.
    """
    if status == Status.SPLICED:
        return None
    return _REFUSALS.get(status, RelayRefused)()


def encodePreamble(ticket: bytes) -> bytes:
    """
    What a client sends first.

    @raise RendezvousViolation: this is no ticket.
    """
    if len(ticket) != TICKET_BYTES:
        raise RendezvousViolation(f"a ticket of {len(ticket)} bytes")
    return _MARK + ticket


class NotRelay(ValueError):
    """
    Whoever sent this does not want to be relayed.
    """


def takePreamble(data: bytes) -> tuple[bytes, bytes] | None:
    """
    Read what a client sends first.

    @return: the ticket and the bytes behind it; L{None} if it is not complete.
    @raise NotRelay: it will never be a ticket.
    """
    if data[: len(_MARK)] != _MARK[: len(data)]:
        raise NotRelay()
    if len(data) < _SIZE:
        return None
    return data[len(_MARK) : _SIZE], data[_SIZE:]

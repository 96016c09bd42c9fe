"""
The preamble of a connection to the relay: the client's ticket, and the relay's status.

A client sends C{RELAY1} and its ticket (32 bytes), and may send the peer's bytes right
after it.  When the peer is there too, each of them is sent the status 0, and then the
other's bytes.  At any time before that the relay may send the status of a refusal
instead, and end the connection.  AMP, which the same port speaks, begins with a byte
that is 0, so the first byte tells the two apart.
"""

from __future__ import annotations

from punch.errors import RendezvousViolation
from punch.rendezvous import relayerrors
from punch.util.statusbyte import StatusByte

TICKET_BYTES = 32

_MARK = b"RELAY1"
_SIZE = len(_MARK) + TICKET_BYTES

STATUSES: StatusByte[relayerrors.RelayError] = StatusByte(
    {
        1: relayerrors.RelayBusy,
        2: relayerrors.RelayAddressBusy,
        3: relayerrors.TicketUnknown,
        4: relayerrors.TicketUsed,
        5: relayerrors.PeerAbsent,
    },
    relayerrors.RelayRefused,
)
"""
The byte that the relay sends first; 0 means that the peer is there.
"""


def encodePreamble(ticket: bytes) -> bytes:
    """
    The bytes that a client sends first.

    @raise RendezvousViolation: this is no ticket.
    """
    if len(ticket) != TICKET_BYTES:
        raise RendezvousViolation(f"a ticket of {len(ticket)} bytes")
    return _MARK + ticket


class NotRelay(ValueError):
    """
    The bytes are not a preamble: their sender does not want to be relayed.
    """


def readPreamble(data: bytes) -> tuple[bytes, bytes] | None:
    """
    Read what a client sends first.

    @return: the ticket and the bytes after it; L{None} if it is not complete.
    @raise NotRelay: this will never be a preamble.
    """
    if data[: len(_MARK)] != _MARK[: len(data)]:
        raise NotRelay()
    if len(data) < _SIZE:
        return None
    return data[len(_MARK) : _SIZE], data[_SIZE:]

"""
The errors of the relay.  As in L{punch.errors}, users read the docstrings.
"""

from __future__ import annotations

from punch.errors import RendezvousError
from punch.reasons import Reason


class RelayError(RendezvousError):
    """
    The rendezvous did not carry the link as a relay.
    """


class RelayBusy(RelayError):
    """
    The relay carries as many links as it can; try again later.
    """

    reason = Reason.RELAY_BUSY


class RelayAddressBusy(RelayError):
    """
    The relay carries as many links as it allows to our address; try again when some
    have ended.
    """

    reason = Reason.RELAY_ADDRESS_BUSY


class TicketUnknown(RelayError):
    """
    The relay does not know our ticket: it came too late, or the introduction had ended.
    """

    reason = Reason.TICKET_UNKNOWN


class TicketUsed(RelayError):
    """
    Somebody has used our ticket for the relay already; each is good once.
    """

    reason = Reason.TICKET_USED


class PeerAbsent(RelayError):
    """
    The other side did not come to the relay, or went away again.
    """

    reason = Reason.PEER_ABSENT


class RelayRefused(RelayError):
    """
    The relay refused, for a reason that we do not know; update the older side.
    """

    reason = Reason.RELAY_REFUSED


class RelayBytesSpent(RelayError):
    """
    The relay has carried as many bytes as it allows to one link.
    """

    reason = Reason.RELAY_BYTES_SPENT


class RelayTimeSpent(RelayError):
    """
    The relay has carried this link for as long as it allows.
    """

    reason = Reason.RELAY_TIME_SPENT

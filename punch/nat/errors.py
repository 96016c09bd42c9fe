"""
Errors of NATs: why two peers find no direct path, and why a STUN server did not tell
our address.

As in L{punch.errors}, people read the docstring.  Both peers come to the same
L{NoDirectPath}, which is the verdict on the pair.  A L{STUNError} ends nothing: the
dial goes on without the server's answer.
"""

from __future__ import annotations

from typing import ClassVar

from punch.errors import PunchError
from punch.reasons import Reason

_FORWARD = (
    "forward a TCP port to one of the two (--port N there), use another network on"
    " one side, or let the relay carry the link"
)


class NoDirectPath(PunchError):
    """
    There is no direct path between the two peers.

    @cvar advice: what may help, as the end of a sentence.
    """

    advice: ClassVar[str] = _FORWARD


class BothRandomMapping(NoDirectPath):
    """
    Both sides are behind NATs that give each connection another port, at random, so
    neither can know where to reach the other.
    """

    reason = Reason.BOTH_RANDOM_MAPPING


class RandomAgainstSequential(NoDirectPath):
    """
    One side's NAT gives each connection another port, at random, and the other's
    gives it the next one, so there is no port to agree on.
    """

    reason = Reason.RANDOM_AGAINST_SEQUENTIAL


class SearchFailed(NoDirectPath):
    """
    One side's NAT gives each connection another port, at random, and the search did
    not meet one in time.
    """

    reason = Reason.SEARCH_FAILED
    advice = (
        "try again, or with more sockets (--search) and time (--timeout) on both sides"
    )


class NoSearch(NoDirectPath):
    """
    One side's NAT gives each connection another port, at random, and a search for it
    was not allowed.
    """

    reason = Reason.NO_SEARCH
    advice = "allow it on both sides (--search), or let the relay carry the link"


class PredictionFailed(NoDirectPath):
    """
    A NAT gives each connection the next port, and others took those that were
    expected.
    """

    reason = Reason.PREDICTION_FAILED
    advice = f"try again; else {_FORWARD}"


class NoSimultaneousOpen(NoDirectPath):
    """
    Nothing came through where it should have: both sides' NATs let no connection in,
    not even one that meets another on its way out.
    """

    reason = Reason.NO_SIMULTANEOUS_OPEN
    advice = (
        f"{_FORWARD}; that a NAT has another port for each address looks the same from"
        " one rendezvous (twist punch-check with --stun elsewhere tells)"
    )


class NoHairpin(NoDirectPath):
    """
    Both sides are behind one NAT, and what one of them sends to its outside address
    does not come to the other.
    """

    reason = Reason.NO_HAIRPIN
    advice = (
        "put both on one network, if they are near, and see that its devices may talk"
        " to each other; use another network on one side, or let the relay carry the"
        " link"
    )


class NoCommonWay(NoDirectPath):
    """
    One side takes relayed links only (--relay only), and the other takes none (--relay
    never).
    """

    reason = Reason.NO_COMMON_WAY
    advice = "say --relay fallback on one side at least"


class ListenerBlocksOutbound(NoDirectPath):
    """
    The network of the side that waits lets connections out to few ports only, and to
    no peer.
    """

    reason = Reason.LISTENER_BLOCKS_OUTBOUND
    advice = (
        "use another network there, or let the relay carry the link"
        " (a rendezvous on port 443 is reached from most networks)"
    )


class DialerBlocksOutbound(NoDirectPath):
    """
    The network of the side that dials lets connections out to few ports only, and to
    no peer.
    """

    reason = Reason.DIALER_BLOCKS_OUTBOUND
    advice = ListenerBlocksOutbound.advice


VERDICTS = {each.reason.value: each for each in NoDirectPath.__subclasses__()}
"""
All verdicts, by the reason that peers send each other.
"""


class STUNError(PunchError):
    """
    The STUN server did not tell our address.
    """


class STUNUnreachable(STUNError):
    """
    The STUN server cannot be reached over TCP; many answer over UDP only.
    """

    reason = Reason.STUN_UNREACHABLE


class STUNTaken(STUNUnreachable):
    """
    The STUN server is connected to our port already.
    """


class STUNSilent(STUNError):
    """
    The STUN server does not answer in time.
    """

    reason = Reason.STUN_SILENT


class STUNRefused(STUNError):
    """
    The STUN server refuses to tell our address.
    """

    reason = Reason.STUN_REFUSED


class STUNViolation(STUNError):
    """
    What answers at this address does not speak STUN over TCP; check the port.
    """

    reason = Reason.STUN_VIOLATION

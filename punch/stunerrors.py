"""
Why a STUN server did not tell our address.  (As in L{punch.errors}, what a person
reads is the docstring.)  None of them ends anything: the dial goes on without it.
"""

from __future__ import annotations

from punch.errors import PunchError
from punch.reasons import Reason


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
    What answers there does not speak STUN over TCP; is the port right?
    """

    reason = Reason.STUN_VIOLATION

"""
The errors of a link that could not go on after its path had died.  (As in
L{punch.errors}, the docstring is what a user reads.)
"""

from __future__ import annotations

from punch.errors import LinkError
from punch.reasons import Reason


class ResumeExpired(LinkError):
    """
    The connection broke, and the other side was not to be met again in time
    (--resume-for).
    """

    reason = Reason.RESUME_EXPIRED


class PeerRestarted(LinkError):
    """
    The other side's program has been started anew: the link of its old one is over.
    """

    reason = Reason.PEER_RESTARTED


class UnknownLink(LinkError):
    """
    The other side does not know this link: its program has been restarted, or has
    given the link up.
    """

    reason = Reason.UNKNOWN_LINK

"""
punch: two programs behind NATs, one direct, authenticated, encrypted TCP link.

L{punch.api} is the door for programs, L{punch.endpoints} for those that know Twisted's
endpoints, L{punch.service} for applications; C{twist punch} for everybody else.
"""

from punch.api import dial, dialName, listen, listenName
from punch.endpoints import PunchClientEndpoint, PunchServerEndpoint
from punch.errors import PunchError
from punch.link import Link
from punch.peer import Settings
from punch.punchaddress import PunchAddress
from punch.reasons import Reason

__all__ = [
    "Link",
    "PunchAddress",
    "PunchClientEndpoint",
    "PunchError",
    "PunchServerEndpoint",
    "Reason",
    "Settings",
    "dial",
    "dialName",
    "listen",
    "listenName",
]

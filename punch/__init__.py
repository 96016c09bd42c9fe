"""
punch: two programs behind NATs, one direct, authenticated, encrypted TCP link.

Programs start with L{punch.api}; those that use Twisted's endpoints, with
L{punch.endpoints}; applications, with L{punch.service}.  Everybody else starts with the
command C{twist punch}.

The names here are imported when they are first asked for, since C{twist} imports our
plugin file for whatever it runs.
"""

from typing import TYPE_CHECKING

from punch.util.lazy import lazyNames

if TYPE_CHECKING:
    from punch.api import dial, dialName, listen, listenName
    from punch.endpoints.endpoints import PunchClientEndpoint, PunchServerEndpoint
    from punch.errors import PunchError
    from punch.link.transport import Link
    from punch.net.address import PunchAddress
    from punch.peer.settings import Settings
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

if not TYPE_CHECKING:  # A type checker has them from above.
    __getattr__, __dir__ = lazyNames(
        __name__,
        {
            "api": "dial dialName listen listenName",
            "endpoints": "PunchClientEndpoint PunchServerEndpoint",
            "errors": "PunchError",
            "link.transport": "Link",
            "net.address": "PunchAddress",
            "peer.settings": "Settings",
            "reasons": "Reason",
        },
    )

"""
Twisted endpoints across NATs, and the C{punch:} strings that make them.

The public names are here, and imported when they are first asked for, since C{twist}
imports our plugin file for whatever it runs.  The modules import C{eventlog}, C{peer},
C{streams} and what is below them.
"""

from typing import TYPE_CHECKING

from punch.util.lazy import lazyNames

if TYPE_CHECKING:
    from punch.endpoints.endpoints import PunchClientEndpoint, PunchServerEndpoint
    from punch.endpoints.server import ServiceAddress, ServicePort
    from punch.endpoints.strings import BadEndpointString

__all__ = [
    "BadEndpointString",
    "PunchClientEndpoint",
    "PunchServerEndpoint",
    "ServiceAddress",
    "ServicePort",
]

if not TYPE_CHECKING:  # A type checker has them from above.
    __getattr__, __dir__ = lazyNames(
        __name__,
        {
            "endpoints": "PunchClientEndpoint PunchServerEndpoint",
            "server": "ServiceAddress ServicePort",
            "strings": "BadEndpointString",
        },
    )

"""
punch: two programs behind NATs, one direct, authenticated, encrypted TCP link.

Programs begin with L{punch.api}, those that know Twisted's endpoints with
L{punch.endpoints}, applications with L{punch.service}, everybody else with C{twist
punch}.

The names here are imported when they are asked for: C{twist} imports our plugins for
whatever it runs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

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

_HOMES = {
    "Link": "link.transport",
    "PunchAddress": "net.address",
    "PunchClientEndpoint": "endpoints.endpoints",
    "PunchError": "errors",
    "PunchServerEndpoint": "endpoints.endpoints",
    "Reason": "reasons",
    "Settings": "peer.settings",
    "dial": "api",
    "dialName": "api",
    "listen": "api",
    "listenName": "api",
}


if not TYPE_CHECKING:  # Which knows them from above, and what is not there.

    def __getattr__(name: str) -> object:
        """
        A public name, from its home (PEP 562).
        """
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""
The parser of C{punch:} endpoint strings, as Twisted's plugin system finds it.

Every C{twist} command imports this module and few need it, so it imports
L{punch.endpoints.strings}, which does the work, only when it meets a C{punch:} string.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import (
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(
    IPlugin,
    IStreamServerEndpointStringParser,
    IStreamClientEndpointStringParserWithReactor,
)
class PunchParser:
    """
    The plugin that makes endpoints from C{punch:} strings.  Twisted finds it, and calls
    it with the parts of a string.
    """

    prefix = "punch"

    # The reactor is positional only, so "reactor=" in a string is one more unknown key.

    def parseStreamServer(  # type: ignore[override]
        self, reactor: Any, /, *args: object, **kwargs: object
    ) -> IStreamServerEndpoint:
        """
        Make the endpoint of C{punch:[name=NAME:secretfile=FILE:]rendezvous=...}.

        @raise punch.endpoints.strings.BadEndpointString: the string is something else.
        """
        from punch.endpoints.strings import serverEndpoint

        return serverEndpoint(reactor, args, kwargs)

    def parseStreamClient(  # type: ignore[override]
        self, reactor: Any, /, *args: object, **kwargs: object
    ) -> IStreamClientEndpoint:
        """
        Make the endpoint of C{punch:code=CODE:rendezvous=...} or
        C{punch:name=NAME:secretfile=FILE:rendezvous=...}.

        @raise punch.endpoints.strings.BadEndpointString: the string is something else.
        """
        from punch.endpoints.strings import clientEndpoint

        return clientEndpoint(reactor, args, kwargs)

"""
The endpoint parser: what Twisted's plugins find of C{punch:} strings.

It brings nothing with it: every C{twist} command imports it, and few meet such a
string.  What one means, L{punch.endpoints.strings} knows.
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
    Turns strings into the calls that make endpoints.
    """

    prefix = "punch"

    # The reactor by its place only: a string's "reactor=" is a key as any other.

    def parseStreamServer(  # type: ignore[override]
        self, reactor: Any, /, *args: object, **kwargs: object
    ) -> IStreamServerEndpoint:
        """
        The endpoint C{punch:[name=NAME:secretfile=FILE:]rendezvous=...}

        @raise punch.endpoints.strings.BadEndpointString: of anything else.
        """
        from punch.endpoints.strings import serverEndpoint

        return serverEndpoint(reactor, args, kwargs)

    def parseStreamClient(  # type: ignore[override]
        self, reactor: Any, /, *args: object, **kwargs: object
    ) -> IStreamClientEndpoint:
        """
        The endpoint C{punch:code=CODE:rendezvous=...} or
        C{punch:name=NAME:secretfile=FILE:rendezvous=...}

        @raise punch.endpoints.strings.BadEndpointString: of anything else.
        """
        from punch.endpoints.strings import clientEndpoint

        return clientEndpoint(reactor, args, kwargs)

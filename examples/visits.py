"""
A web site that counts its visits, and a feed of the count: two services of one
process, wherever they listen.
"""

from __future__ import annotations

from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import MultiService
from twisted.internet.interfaces import IAddress, IStreamServerEndpoint, ITransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Request, Site


class Subscriber(LineOnlyReceiver):
    """
    Is told the count.
    """

    transport: ITransport

    def __init__(self, visits: Visits) -> None:
        self._visits = visits

    def connectionMade(self) -> None:
        self._visits.subscribers.add(self)
        self.tell()

    def tell(self) -> None:
        """
        Send the count as it is now.
        """
        self.transport.write(b"%d\r\n" % self._visits.count)

    def lineReceived(self, line: bytes) -> None:
        """
        We are not here to listen.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._visits.subscribers.discard(self)


class Visits(Factory[Subscriber]):
    """
    What all connections to the feed have in common.
    """

    def __init__(self) -> None:
        self.count = 0
        self.subscribers: set[Subscriber] = set()

    def buildProtocol(self, addr: IAddress | None) -> Subscriber:
        return Subscriber(self)

    def visit(self) -> None:
        """
        One more.
        """
        self.count += 1
        for subscriber in self.subscribers:
            subscriber.tell()


class Page(Resource):
    """
    The page.
    """

    isLeaf = True

    def __init__(self, visits: Visits) -> None:
        Resource.__init__(self)
        self._visits = visits

    def render_GET(self, request: Request) -> bytes:
        self._visits.visit()
        return b"You are visitor %d.\n" % self._visits.count


def siteService(
    reactor: Any, web: IStreamServerEndpoint, feed: IStreamServerEndpoint
) -> MultiService:
    """
    The site at one endpoint, the feed at another.
    """
    visits = Visits()
    both = MultiService()
    site = Site(Page(visits), reactor=reactor)
    StreamServerEndpointService(web, site).setServiceParent(both)
    StreamServerEndpointService(feed, visits).setServiceParent(both)
    return both

"""
The site and its watcher across two NATs, in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import URI, Agent, readBody
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from visits import siteService
from watch import watching
from zope.interface import implementer

from punch import PunchClientEndpoint, PunchServerEndpoint, Settings
from punch.events import Connected, Event
from punch.rendezvous.server.factory import RendezvousFactory
from punch.testing import NAT_KINDS, MemoryHost, MemoryNetwork, spin

RENDEZVOUS = "tcp:192.0.2.1:4040"
SECRET = b"correct horse battery staple"


@implementer(IAgentEndpointFactory)
class Always:
    """
    Whatever the URL says, here it is.
    """

    def __init__(self, endpoint: PunchClientEndpoint) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: URI) -> PunchClientEndpoint:
        """
        The endpoint to connect to.
        """
        return self._endpoint


class VisitsTests(SynchronousTestCase):
    """
    A rendezvous, and two hosts behind a NAT each.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork(Clock(), seed=1)
        server = self.network.host("192.0.2.1")
        server.listenTCP(4040, RendezvousFactory(server))
        self.home = self.behind("reset", "198.51.100.1", "192.168.1.2")
        self.away = self.behind("drop", "203.0.113.1", "10.0.0.2")
        self.links: list[Event] = []
        self.site = siteService(self.home, self.server("web"), self.server("feed"))
        self.site.startService()
        self.network.run(5)

    def behind(self, kind: str, outside: str, inside: str) -> MemoryHost:
        """
        A host behind a NAT of some kind.
        """
        behavior = NAT_KINDS[kind]
        assert behavior is not None
        return self.network.host(inside, behind=self.network.nat(outside, behavior))

    def meeting(self, host: MemoryHost, service: str) -> dict[str, Any]:
        """
        What both sides' endpoints are made with.
        """
        settings = Settings(tell=self.tell, hostAddresses=lambda: host.addresses)
        return {
            "name": "attic",
            "secret": SECRET,
            "service": service,
            "settings": settings,
        }

    def tell(self, event: Event) -> None:
        """
        Note the links.
        """
        if isinstance(event, Connected):
            self.links.append(event)

    def server(self, service: str) -> PunchServerEndpoint:
        """
        Where a service listens.
        """
        return PunchServerEndpoint(
            self.home, RENDEZVOUS, **self.meeting(self.home, service)
        )

    def client(self, service: str) -> PunchClientEndpoint:
        """
        Where it is connected to.
        """
        return PunchClientEndpoint(
            self.away, RENDEZVOUS, **self.meeting(self.away, service)
        )

    def get(self) -> bytes:
        """
        Visit the page.
        """
        agent = Agent.usingEndpointFactory(self.away, Always(self.client("web")))

        async def get() -> bytes:
            response: IResponse = await agent.request(b"GET", b"http://attic/")
            body: bytes = await readBody(response)
            return body

        return spin(get(), self.network)

    def test_visits(self) -> None:
        """
        Who watches sees each visit; the page and the feed came over one link, and all
        ends.
        """
        counts: list[int] = []
        watcher = watching(self.away, self.client("feed"), counts.append)
        watcher.startService()
        self.network.run(5)
        assert self.get() == b"You are visitor 1.\n"
        assert self.get() == b"You are visitor 2.\n"
        self.network.run(1)
        assert counts == [0, 1, 2]
        assert len(self.links) == 2  # One link, two ends.
        spin(watcher.stopService(), self.network)
        spin(self.client("feed").whenReleased(), self.network)
        assert self.away.sockets() == []
        spin(self.site.stopService(), self.network)
        assert self.home.sockets() == []

    def test_reset(self) -> None:
        """
        Who watches does not notice that the path was lost, and that there is another.
        """
        counts: list[int] = []
        watcher = watching(self.away, self.client("feed"), counts.append)
        watcher.startService()
        self.network.run(5)
        self.away.reset()
        self.network.run(5)
        assert self.get() == b"You are visitor 1.\n"
        self.network.run(1)
        assert counts == [0, 1]
        assert len(self.links) == 2

"""
The factory of a rendezvous server's connections.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress, IReactorTime

from punch.interfaces import IDirectory
from punch.rendezvous.server.connections import ServerFactory
from punch.rendezvous.server.handlers import RendezvousProtocol
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.state import ServerState


class RendezvousFactory(ServerFactory):
    """
    A rendezvous server, to listen on any stream server endpoint.

    @ivar state: what all connections share.
    """

    def __init__(
        self,
        clock: IReactorTime,
        limits: Limits | None = None,
        directory: IDirectory | None = None,
        relays: bool = True,
    ) -> None:
        """
        @param clock: the reactor.
        @param limits: the most that clients may ask for.
        @param directory: who waits under which name; one in memory, if not given.
        @param relays: whether introduced peers may use this server as a relay.
        """
        self.state = ServerState(clock, limits or Limits(), directory, relays)
        self.connections = self.state.connections

    def stopFactory(self) -> None:
        """
        Close all connections, and cancel all probes.
        """
        if self.state.prober is not None:
            self.state.prober.cancelAll()
        ServerFactory.stopFactory(self)

    def buildProtocol(self, addr: IAddress | None) -> RendezvousProtocol:
        """
        The server's side of a new connection.
        """
        return RendezvousProtocol(self.state)

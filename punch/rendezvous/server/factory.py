"""
The factory of a rendezvous server's connections.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from punch.interfaces import IDirectory
from punch.rendezvous.server.handlers import RendezvousProtocol
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.state import ServerState


class RendezvousFactory(Factory):
    """
    A rendezvous server, to listen on any stream server endpoint.

    Whoever listens owns it; when the last port stops listening, all connections are
    closed.

    @ivar state: what all connections share.
    """

    noisy = False

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

    def startFactory(self) -> None:
        """
        Start the clock of the connections.
        """
        self.state.start()

    def stopFactory(self) -> None:
        """
        Close all connections.
        """
        self.state.stop()

    def buildProtocol(self, addr: IAddress | None) -> RendezvousProtocol:
        """
        The server's side of a new connection.
        """
        return RendezvousProtocol(self.state)

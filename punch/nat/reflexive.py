"""
Server-reflexive addresses: those at which others see our shared port, and what they
tell of our NATs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from punch.events import Tell
from punch.nat.discovery import BehaviorDiscovery
from punch.nat.errors import STUNTaken
from punch.nat.stunclient import requestMappedPort
from punch.nat.stunmonitor import STUNMonitor
from punch.net.address import Address, HostPort
from punch.net.sharedport import SharedPort


class ReflexiveAddresses:
    """
    Finds out at which addresses one peer's shared port is seen, and how its NATs
    behave.

    A L{punch.peer.peer.Peer} makes one, tells it when the shared port or the network
    changes, and stops it.  It joins two sources: a behavior discovery, which asks the
    rendezvous' observers, and a monitor of the STUN servers in the settings.

    @ivar discovery: the discovery for the shared port and network of now.
    @ivar monitor: asks the STUN servers in the settings.
    """

    def __init__(
        self,
        reactor: Any,
        servers: Sequence[HostPort],
        tell: Tell,
        shared: Callable[[], SharedPort],
    ) -> None:
        """
        @param servers: the STUN servers to monitor.
        @param tell: called with an event for each new address that they see us at.
        @param shared: answers with the shared port.
        """
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._shared = shared
        self.monitor = STUNMonitor(reactor, servers, tell)
        self.discovery = self._newDiscovery()

    def _newDiscovery(self) -> BehaviorDiscovery:
        return BehaviorDiscovery(self._clock, self._requestMappedAddress)

    def resetDiscovery(self) -> None:
        """
        Forget what was found, since the network or the shared port may have changed.
        """
        self.discovery.stop()
        self.discovery = self._newDiscovery()

    def startDiscovery(
        self, rendezvous: Address, observed: Address, observers: Sequence[Address]
    ) -> None:
        """
        Start a new discovery; see L{BehaviorDiscovery.start}.
        """
        self.resetDiscovery()
        seen = self.monitor.observations
        self.discovery.start(rendezvous, observed, observers, seen)

    def _requestMappedAddress(
        self, observer: Address, isShared: bool
    ) -> Deferred[Address]:
        """
        See L{punch.nat.discovery.RequestMappedAddress}.
        """
        shared = self._shared()
        binding = shared.binding if isShared else shared.otherBinding
        asked = requestMappedPort(self._clock, self._reactor, observer, binding)
        seen = asked.addCallback(lambda mapping: mapping.externalAddress)
        return seen.addErrback(self._askMonitor, observer) if isShared else seen

    def _askMonitor(self, failure: Failure, observer: Address) -> Deferred[Address]:
        """
        If the monitor holds the connection from our port to C{observer}, take what it
        is told there.
        """
        failure.trap(STUNTaken)
        return self.monitor.mappedAddress(observer)

    def startMonitor(self) -> None:
        """
        Ask the STUN servers from the shared port; if that has been done, ask again.
        """
        self.monitor.start(self._shared().binding)

    def stop(self) -> Deferred[Any]:
        """
        Stop all questions.

        @return: fires when all connections to STUN servers are closed.
        """
        self.discovery.stop()
        return self.monitor.stop()

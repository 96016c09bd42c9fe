"""
The outlook: how our shared port looks from outside, as far as others tell: the survey
that begins with the rendezvous, and the STUN servers that were asked for.
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
from punch.nat.stunclient import requestMappedAddress
from punch.nat.stunmonitor import STUNMonitor
from punch.net.address import Address, HostPort
from punch.net.sharedport import SharedPort


class ReflexiveAddresses:
    """
    One peer's.

    C{discovery}: of the shared port, as it is now.
    """

    def __init__(
        self,
        reactor: Any,
        servers: Sequence[HostPort],
        tell: Tell,
        shared: Callable[[], SharedPort],
    ) -> None:
        """
        @param servers: the STUN servers to ask.
        @param tell: hears where they see us.
        @param shared: tells which the shared port is.
        """
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._shared = shared
        self._monitor = STUNMonitor(reactor, servers, tell)
        self.discovery = self._newDiscovery()

    def _newDiscovery(self) -> BehaviorDiscovery:
        return BehaviorDiscovery(self._clock, self._requestMapped)

    # The survey.

    def resetDiscovery(self) -> None:
        """
        What was found may be another network's, or another port's.
        """
        self.discovery.stop()
        self.discovery = self._newDiscovery()

    def startDiscovery(
        self, rendezvous: Address, observed: Address, observers: Sequence[Address]
    ) -> None:
        """
        Survey our NATs; see L{BehaviorDiscovery.start}.
        """
        self.resetDiscovery()
        seen = self._monitor.observations
        self.discovery.start(rendezvous, observed, observers, seen)

    def _requestMapped(self, observer: Address, isShared: bool) -> Deferred[Address]:
        """
        See L{punch.nat.discovery.RequestMapped}.
        """
        shared = self._shared()
        binding = shared.binding if isShared else shared.otherBinding
        seen = requestMappedAddress(self._clock, self._reactor, observer, binding)
        return seen.addErrback(self._askMonitor, observer) if isShared else seen

    def _askMonitor(self, failure: Failure, observer: Address) -> Deferred[Address]:
        """
        Our port is connected there already: somebody else looks, who tells us.
        """
        failure.trap(STUNTaken)
        return self._monitor.mappedAddress(observer)

    # The STUN servers.

    @property
    def addresses(self) -> list[Address]:
        """
        Where STUN servers see us, as far as they have told.
        """
        return self._monitor.addresses

    def startMonitor(self) -> None:
        """
        Ask the STUN servers from the shared port, again if they have been asked.
        """
        self._monitor.start(self._shared().binding)

    def askNow(self) -> None:
        """
        STUN servers may see us elsewhere now.
        """
        self._monitor.askNow()

    def stopMonitor(self) -> Deferred[Any]:
        """
        Ask them no more.

        @return: fires when no connection is left.
        """
        return self._monitor.stop()

    def stop(self) -> Deferred[Any]:
        """
        Nobody wants to know any more.
        """
        self.discovery.stop()
        return self.stopMonitor()

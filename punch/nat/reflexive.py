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
from punch.nat.stunclient import look
from punch.nat.stunmonitor import STUNMonitor
from punch.net.address import Address, HostPort
from punch.net.sharedport import SharedPort


class ReflexiveAddresses:
    """
    One peer's.

    C{survey}: of the shared port, as it is now.
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
        self._observers = STUNMonitor(reactor, servers, tell)
        self.survey = self._blank()

    def _blank(self) -> BehaviorDiscovery:
        return BehaviorDiscovery(self._clock, self._look)

    # The survey.

    def forget(self) -> None:
        """
        What was found may be another network's, or another port's.
        """
        self.survey.end()
        self.survey = self._blank()

    def begin(
        self, rendezvous: Address, observed: Address, vantages: Sequence[Address]
    ) -> None:
        """
        Survey our NATs; see L{BehaviorDiscovery.begin}.
        """
        self.forget()
        seen = self._observers.sightings
        self.survey.begin(rendezvous, observed, vantages, seen)

    def _look(self, vantage: Address, isShared: bool) -> Deferred[Address]:
        """
        See L{punch.nat.discovery.Look}.
        """
        shared = self._shared()
        binding = shared.binding if isShared else shared.otherBinding
        seen = look(self._clock, self._reactor, vantage, binding)
        return seen.addErrback(self._askThere, vantage) if isShared else seen

    def _askThere(self, failure: Failure, vantage: Address) -> Deferred[Address]:
        """
        Our port is connected there already: somebody else looks, who tells us.
        """
        failure.trap(STUNTaken)
        return self._observers.see(vantage)

    # The STUN servers.

    @property
    def elsewhere(self) -> list[Address]:
        """
        Where STUN servers see us, as far as they have told.
        """
        return self._observers.addresses

    def observe(self) -> None:
        """
        Ask the STUN servers from the shared port, again if they have been asked.
        """
        self._observers.begin(self._shared().binding)

    def hurry(self) -> None:
        """
        STUN servers may see us elsewhere now.
        """
        self._observers.hurry()

    def rest(self) -> Deferred[Any]:
        """
        Ask them no more.

        @return: fires when no connection is left.
        """
        return self._observers.end()

    def end(self) -> Deferred[Any]:
        """
        Nobody wants to know any more.
        """
        self.survey.end()
        return self.rest()

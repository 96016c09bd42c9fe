"""
One of the programs that meet, on a host of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from punch.errors import PunchError
from punch.events import CodeAllotted, Event
from punch.link.transport import Link
from punch.peer.relaypolicy import RelayPolicy
from punch.peer.settings import Settings
from punch.testing import MemoryHost
from punch.testing.medium import Medium
from tests.support.programs import HalfCloser, Recorder

E = TypeVar("E", bound=Event)


class Talker(Recorder):
    """
    Speaks when it is connected, and remembers what it hears and when.
    """

    def __init__(self, network: Medium, greeting: bytes = b"") -> None:
        Recorder.__init__(self)
        self._network = network
        self.greeting = greeting
        self.heardAt: float | None = None

    def connectionMade(self) -> None:
        """
        Speak.
        """
        if self.greeting:
            self.transport.write(self.greeting)

    def dataReceived(self, data: bytes) -> None:
        """
        Remember it, and when.
        """
        if self.heardAt is None:
            self.heardAt = self._network.clock.seconds()
        Recorder.dataReceived(self, data)


class HalfClosingTalker(Talker, HalfCloser):
    """
    Remembers how each direction ends, too.
    """

    def __init__(self, network: Medium, greeting: bytes = b"") -> None:
        HalfCloser.__init__(self)
        Talker.__init__(self, network, greeting)


class Program:
    """
    A program that wants one link, and remembers all that it is told.

    @ivar links: those that it got.
    @ivar error: what its wait ended with, if that was an error.
    @ivar endedAt: when its wait ended, either way.
    @ivar talker: runs on its link.
    @ivar where: where the rendezvous is, as it is told.
    @ivar services: those that it runs, which end with its world.
    """

    def __init__(self, host: MemoryHost, where: str, greeting: bytes) -> None:
        self.host = host
        self.network = host.network
        self.talker = Talker(host.network, greeting)
        self.events: list[tuple[float, Event]] = []
        self.links: list[Link] = []
        self.where = where
        self.services: list[Service] = []
        self.error: BaseException | None = None
        self.endedAt: float | None = None
        self._waiting: Deferred[None] | None = None

    def settings(self, **chosen: Any) -> Settings:
        """
        Settings that depend on the network and its seed alone.
        """
        chosen.setdefault("hostAddresses", lambda: list(self.host.addresses))
        chosen.setdefault("probe", lambda interface, port: None)
        lone: dict[str, Any] = {"relay": RelayPolicy.NEVER, "resumeFor": 0.0}
        return Settings(
            tell=self.tell, random=self.network.random, **{**lone, **chosen}
        )

    def tell(self, event: Event) -> None:
        """
        Remember an event, and that its sentence can be said.
        """
        assert event.sentence()
        self.events.append((self.network.clock.seconds(), event))

    def told(self, kind: type[E]) -> list[E]:
        """
        The events of one kind.
        """
        return [event for _, event in self.events if isinstance(event, kind)]

    @property
    def code(self) -> str:
        """
        The newest code that was made for it; time passes until there is one.
        """
        if not self.network.runUntil(lambda: self.told(CodeAllotted), 10.0):
            raise AssertionError(f"no code: {self.events} {self.error}")
        return self.told(CodeAllotted)[-1].code

    def wants(self, wait: Callable[[], Deferred[Link]]) -> Program:
        """
        Begin to wait for a link.
        """
        assert self._waiting is None
        self._waiting = wait().addCallbacks(self._got, self._failed)
        return self

    def cancel(self) -> None:
        """
        Wait no longer.
        """
        if self._waiting is not None:
            self._waiting.cancel()

    def end(self) -> None:
        """
        Be done with all.
        """
        self.cancel()
        for link in self.links:
            link.abortConnection()

    @property
    def ended(self) -> bool:
        """
        Whether the wait is over.
        """
        return self.endedAt is not None

    @property
    def link(self) -> Link:
        """
        The link that it got.
        """
        [link] = self.links
        return link

    @property
    def reason(self) -> str:
        """
        The reason code of the error, C{"linked"} or C{"waiting"}.
        """
        if isinstance(self.error, PunchError):
            return self.error.reason.value
        if isinstance(self.error, CancelledError):
            return "cancelled"
        if self.error is not None:
            return repr(self.error)
        return "linked" if self.links else "waiting"

    def _got(self, link: Link) -> None:
        self.endedAt = self.network.clock.seconds()
        self.links.append(link)
        link.start(self.talker)

    def _failed(self, failure: Failure) -> None:
        self.endedAt = self.network.clock.seconds()
        self.error = failure.value

    def __repr__(self) -> str:
        """
        For the people who read why a test failed.
        """
        told = "\n".join(f"  {when:.6f} {event}" for when, event in self.events)
        return f"{self.reason} at {self.endedAt}\n{told}"

"""
Sharing: all endpoints of one process with the same meeting parameters share one link,
or one listener.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime

from punch.link.transport import Link
from punch.peer.description import rendezvousEndpoint

T = TypeVar("T")


@dataclass(frozen=True)
class MeetingParameters:
    """
    Where and whom to meet, and from which address: what endpoints that share a link or
    a listener have in common.

    @ivar rendezvous: C{tcp:HOST:PORT} or C{tls:HOST:PORT}.
    @ivar name: the name at the rendezvous; empty for a listener that waits under a
        code.
    @ivar secret: what both sides know.
    @ivar port: the shared port; 0 for any.
    @ivar interface: the local IP address; empty for all.
    """

    rendezvous: str
    name: str = ""
    secret: bytes = field(default=b"", repr=False)
    port: int = 0
    interface: str = ""


CLOSE_TIMEOUT = 2.0
"""
Seconds to wait for links to close.
"""


class SharedInstance(Generic[T]):
    """
    The base of what endpoints share: it knows where to meet, and its links, each with
    what runs on it.  L{SharedInstances} makes and finds it.
    """

    def __init__(self, reactor: Any, parameters: MeetingParameters) -> None:
        """
        @raise punch.errors.BadEndpoint: the rendezvous is not an endpoint.
        """
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._parameters = parameters
        self._rendezvous = rendezvousEndpoint(reactor, parameters.rendezvous)
        self._links: dict[Link, T] = {}

    def _whenClosed(self) -> Deferred[Any]:
        """
        Wait for the links that are closing, but no longer than L{CLOSE_TIMEOUT}
        seconds.  A slow one that still has bytes to deliver goes on by itself
        (L{punch.link.transport.LINGER}).
        """
        closing = [each.whenReleased() for each in self._links if each.disconnecting]
        ended = DeferredList(closing, consumeErrors=True)
        return ended.addTimeout(CLOSE_TIMEOUT, self._clock, lambda *ignored: None)


class SharedInstances(Generic[T]):
    """
    Finds the instance that the endpoints of one reactor share, by their parameters.

    It holds only weak references, to reactors and to instances.  An instance lives as
    long as an endpoint, or something in progress, refers to it.  So tests have nothing
    to reset, and two reactors have nothing in common.
    """

    def __init__(self, make: Callable[[Any, MeetingParameters], T]) -> None:
        """
        @param make: makes an instance, for a reactor and parameters.
        """
        self._make = make
        self._found: WeakKeyDictionary[Any, WeakValueDictionary[MeetingParameters, T]]
        self._found = WeakKeyDictionary()

    def find(self, reactor: Any, parameters: MeetingParameters) -> T:
        """
        Find the instance for these parameters, or make it.
        """
        mine = self._found.setdefault(reactor, WeakValueDictionary())
        found = mine.get(parameters)
        if found is None:
            found = mine[parameters] = self._make(reactor, parameters)
        return found

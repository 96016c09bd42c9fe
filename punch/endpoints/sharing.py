"""
Sharing: all endpoints of one process with the same meeting parameters share one link,
or one listener.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

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

"""
Sharing: the endpoints of one process that mean the same meeting have one link, or
one listener, among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

T = TypeVar("T")


@dataclass(frozen=True)
class Appointment:
    """
    Who is met, and how: what endpoints that share have in common.

    C{rendezvous}: C{tcp:HOST:PORT} or C{tls:HOST:PORT}.  C{name}: the published
    one; a listener that waits under a code has none.
    """

    rendezvous: str
    name: str = ""
    secret: bytes = field(default=b"", repr=False)
    port: int = 0
    interface: str = ""


class Shared(Generic[T]):
    """
    Finds what a reactor's endpoints share, by their appointment.

    It keeps nothing alive, neither a reactor nor what is shared: that lives while
    an endpoint, or something under way, has it.  So there is nothing to reset
    between tests, and two reactors have nothing in common.
    """

    def __init__(self, make: Callable[[Any, Appointment], T]) -> None:
        """
        @param make: makes one, for a reactor.
        """
        self._make = make
        self._found: WeakKeyDictionary[Any, WeakValueDictionary[Appointment, T]]
        self._found = WeakKeyDictionary()

    def find(self, reactor: Any, appointment: Appointment) -> T:
        """
        The one for this appointment; it is made if there is none.
        """
        mine = self._found.setdefault(reactor, WeakValueDictionary())
        found = mine.get(appointment)
        if found is None:
            found = mine[appointment] = self._make(reactor, appointment)
        return found

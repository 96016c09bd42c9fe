"""
The service port: what listens for one service, as far as Twisted is concerned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort
from zope.interface import implementer

from punch.arrival import Arrival


@implementer(IAddress)
@dataclass(frozen=True)
class ServiceAddress:
    """
    Where a service is waited for.

    C{name}: the standing name, or a code's number, which is the part of it that
    the rendezvous knows; never a secret.  C{service}: the service's name.
    """

    name: str
    service: str

    def __str__(self) -> str:
        return f"{self.service} at {self.name}"


@implementer(IListeningPort)
class ServicePort:
    """
    One service that is being offered.
    """

    def __init__(
        self, where: Callable[[], ServiceAddress], stop: Callable[[], Deferred[None]]
    ) -> None:
        """
        @param stop: ends the offer.
        """
        self._where = where
        self._stop = stop
        self._stopped: Arrival[None] | None = None

    def startListening(self) -> None:
        """
        It has been listening since it was made; there is nothing to start.

        @raise CannotListenError: it was stopped; the endpoint makes another.
        """
        if self._stopped is not None:
            where = self._where()
            raise CannotListenError(where.name, where.service, "it was stopped")

    def stopListening(self) -> Deferred[None]:
        """
        Offer the service no more.  Its connections go on.

        @return: fires when all that only this service needed is released; to
            cancel it is to wait no longer.
        """
        if self._stopped is None:
            self._stopped = Arrival()
            self._stop().addBoth(self._stopped._settle)
        return self._stopped.wait()

    def getHost(self) -> ServiceAddress:
        return self._where()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._where()}>"

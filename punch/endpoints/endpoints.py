"""
Endpoints: connect to, and listen as, a service behind a NAT.

They are Twisted's stream endpoints: what takes one of those takes these.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from punch.endpoints.client import sharedLinks
from punch.endpoints.server import sharedListeners
from punch.endpoints.sharing import Appointment
from punch.eventlog import EventLog
from punch.peer.instancelock import fileInstanceLocks
from punch.peer.settings import Settings
from punch.signaling.code import parseCode
from punch.streams.servicename import DEFAULT, LONGEST_NAME, isServiceName


@implementer(IStreamClientEndpoint)
class PunchClientEndpoint:
    """
    Connects to a service of the peer that waits under a code or a standing name.

    All endpoints of one reactor that mean the same peer (rendezvous, code or name
    and secret, port and interface) share one link.  It is dialed when the first of
    them connects, and ends, cleanly, with the last connection.
    """

    def __init__(
        self,
        reactor: Any,
        rendezvous: str,
        *,
        code: str = "",
        name: str = "",
        secret: bytes = b"",
        service: str = DEFAULT,
        settings: Settings | None = None,
    ) -> None:
        """
        @param rendezvous: C{"tcp:HOST:PORT"} or C{"tls:HOST:PORT"}.
        @param code: as people type it; or else
        @param name: the standing name, and
        @param secret: what the other side knows too.
        @param settings: by default what happens is logged.
        @raise punch.errors.Misuse: the rendezvous or the code is wrong in itself.
        @raise ValueError: there is no code, and no name and secret; or both are; or
            the service cannot have this name.
        """
        if code and (name or secret):
            raise ValueError("give a code, or a name and secret: not both")
        if code:
            parsed = parseCode(code)
            name, secret = parsed.name, parsed.secret
        elif not (name and secret):
            raise ValueError("give a code, or a name and its secret")
        self._service = _checked(service)
        self._settings = settings = settings or _logging()
        appointment = _appointment(rendezvous, name, secret, settings)
        self._link = sharedLinks.find(reactor, appointment)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.  It can be cancelled at any instant; it fires when a dial that was
        for it alone is given up, or at once.

        @return: fires with the protocol, once the other side has accepted.
        @raise punch.errors.PunchError: why it could not be, through the Deferred:
            no link, or a L{punch.streams.errors.StreamError}.
        @raise twisted.internet.error.NoProtocol: the factory made none.
        """
        return Deferred.fromCoroutine(
            self._link.connect(self._service, protocolFactory, self._settings)
        )

    def whenReleased(self) -> Deferred[None]:
        """
        Fires as soon as nothing is left of the link, and no dial goes on: some
        round trips after the last connection was lost.  Tests that look for a clean
        reactor wait for it.
        """
        return self._link.whenReleased()


@implementer(IStreamServerEndpoint)
class PunchServerEndpoint:
    """
    Listens as a service, under a standing name or under a code that is made then.

    All endpoints of one reactor that wait in the same place (rendezvous, name and
    secret, port and interface) share one listener, so that the peer reaches all
    their services over one link; those without a name share a code.
    """

    def __init__(
        self,
        reactor: Any,
        rendezvous: str,
        *,
        name: str = "",
        secret: bytes = b"",
        service: str = DEFAULT,
        settings: Settings | None = None,
    ) -> None:
        """
        @param rendezvous: C{"tcp:HOST:PORT"} or C{"tls:HOST:PORT"}.
        @param name: a standing name, and
        @param secret: what the other side knows too.  Without them: a code, which
            C{settings.tell} hears of (L{punch.events.CodeAllotted}).
        @param settings: by default what happens is logged, the code too.
        @raise punch.errors.PunchError: the rendezvous or the name is wrong in itself.
        @raise ValueError: the name and the secret are not both there, or both not;
            or the service cannot have this name.
        """
        if bool(name) != bool(secret):
            raise ValueError("give a name and its secret, or neither")
        self._service = _checked(service)
        self._settings = settings = settings or _logging()
        appointment = _appointment(rendezvous, name, secret, settings)
        self._listener = sharedListeners.find(reactor, appointment)

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Listen.  From then on it comes back by itself when the rendezvous was away.

        @return: fires when the name is published, or the code is made; with a
            L{punch.endpoints.server.ServicePort}.
        @raise punch.errors.PunchError: why it could not be, through the Deferred.
        @raise twisted.internet.error.CannotListenError: this process listens as that
            service there already.
        """
        return Deferred.fromCoroutine(
            self._listener.listen(self._service, protocolFactory, self._settings)
        )


def _checked(service: str) -> str:
    if not isServiceName(service):
        raise ValueError(f"a service's name has 1 to {LONGEST_NAME} bytes")
    return service


def _logging() -> Settings:
    return Settings(instanceLocks=fileInstanceLocks, tell=EventLog(time.time))


def _appointment(
    rendezvous: str, name: str, secret: bytes, settings: Settings
) -> Appointment:
    return Appointment(rendezvous, name, secret, settings.port, settings.interface)

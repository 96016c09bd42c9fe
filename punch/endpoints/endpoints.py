"""
Endpoints: connect to a service behind a NAT, or listen as one.

They are Twisted's stream endpoints: use them wherever such an endpoint is taken.
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
from punch.endpoints.sharing import MeetingParameters
from punch.eventlog import EventLog
from punch.peer.instancelock import fileInstanceLocks
from punch.peer.settings import Settings
from punch.signaling.code import parseCode
from punch.streams.servicename import DEFAULT, LONGEST_NAME, isServiceName


class _Endpoint:
    """
    The base of the two endpoints: checks and keeps what they have in common.
    """

    def __init__(
        self,
        rendezvous: str,
        name: str,
        secret: bytes,
        service: str,
        settings: Settings | None,
    ) -> None:
        if not isServiceName(service):
            raise ValueError(f"a service's name has 1 to {LONGEST_NAME} bytes")
        if settings is None:
            locks, log = fileInstanceLocks, EventLog(time.time)
            settings = Settings(instanceLocks=locks, tell=log)
        self._service = service
        self._settings = settings
        self._parameters = MeetingParameters(
            rendezvous, name, secret, settings.port, settings.interface
        )


@implementer(IStreamClientEndpoint)
class PunchClientEndpoint(_Endpoint):
    """
    Connects to a service of the peer that waits under a code or a standing name.

    All endpoints of one reactor with the same rendezvous, code or name and secret, port
    and interface share one link.  It is dialed when the first of them connects, and
    closed when the last connection has ended.
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
        @param code: the code, as people type it; or give a name and its secret.
        @param name: the standing name.
        @param secret: the secret that the other side knows, too.
        @param service: the name of the service to connect to.
        @param settings: by default events are logged.
        @raise punch.errors.Misuse: the rendezvous or the code is malformed.
        @raise ValueError: there is neither a code nor a name with its secret, or both;
            or a service cannot have this name.
        """
        if code and (name or secret):
            raise ValueError("give a code, or a name and secret: not both")
        if code:
            parsed = parseCode(code)
            name, secret = parsed.name, parsed.secret
        elif not (name and secret):
            raise ValueError("give a code, or a name and its secret")
        _Endpoint.__init__(self, rendezvous, name, secret, service, settings)
        self._link = sharedLinks.find(reactor, self._parameters)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.  The Deferred can be cancelled at any time.  If the dial was for this
        connection alone, the Deferred fires when that dial has been given up.

        @return: fires with the protocol, once the other side has accepted.
        @raise punch.errors.PunchError: through the Deferred: there is no link, or no
            such service (L{punch.streams.errors.StreamError}).
        @raise twisted.internet.error.NoProtocol: the factory made no protocol.
        """
        return Deferred.fromCoroutine(
            self._link.connect(self._service, protocolFactory, self._settings)
        )

    def whenReleased(self) -> Deferred[None]:
        """
        Wait until nothing is left of the link, and no dial is in progress.  That is
        some round trips after the last connection was lost.  A test that checks for a
        clean reactor waits for this.
        """
        return self._link.whenReleased()


@implementer(IStreamServerEndpoint)
class PunchServerEndpoint(_Endpoint):
    """
    Listens as a service, under a standing name or under a new code.

    All endpoints of one reactor with the same rendezvous, name and secret, port and
    interface share one listener, so that a peer reaches all their services over one
    link.  Those without a name share one code.
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
        @param name: the standing name.  Without one a code is made, and
            C{settings.tell} is called with it (L{punch.events.CodeAllotted}).
        @param secret: the secret that the other side knows, too.
        @param service: the name of the service that listens.
        @param settings: by default events are logged, the code included.
        @raise punch.errors.PunchError: the rendezvous or the name is malformed.
        @raise ValueError: there is a name without a secret, or a secret without a name;
            or a service cannot have this name.
        """
        if bool(name) != bool(secret):
            raise ValueError("give a name and its secret, or neither")
        _Endpoint.__init__(self, rendezvous, name, secret, service, settings)
        self._listener = sharedListeners.find(reactor, self._parameters)

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Listen.  When the connection to the rendezvous is lost later, the listener comes
        back by itself.

        @return: fires with a L{punch.endpoints.server.ServicePort} when the name is
            published, or the code is made.
        @raise punch.errors.PunchError: through the Deferred: the listener cannot start.
        @raise twisted.internet.error.CannotListenError: through the Deferred: this
            process listens as that service there already.
        """
        return Deferred.fromCoroutine(
            self._listener.listen(self._service, protocolFactory, self._settings)
        )

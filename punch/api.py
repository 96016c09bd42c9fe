"""
Functions for programs: dial and listen.

Each returns a Deferred of a L{punch.Link}, which can be cancelled at any time.  Give
the link a protocol with C{link.start(protocol)}; it waits for that.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from punch.link.transport import Link
from punch.peer.description import rendezvousEndpoint
from punch.peer.dialer import Dialer
from punch.peer.instancelock import fileInstanceLocks
from punch.peer.listener import listenOnce
from punch.peer.peer import Peer
from punch.peer.settings import Settings
from punch.signaling.code import parseCode
from punch.signaling.meetingpoint import MeetingPoint


def dial(
    reactor: Any, rendezvous: str, code: str, settings: Settings | None = None
) -> Deferred[Link]:
    """
    Dial the peer that waits under a code.

    @param rendezvous: C{"tcp:HOST:PORT"} or C{"tls:HOST:PORT"}.
    @param code: the code, as people type it.
    @param settings: by default as in L{punch.Settings}.
    @raise punch.errors.Misuse: at once: C{rendezvous} or C{code} is malformed.  All
        other L{punch.errors} come through the Deferred.
    """
    parsed = parseCode(code)
    return _dial(reactor, rendezvous, parsed.name, parsed.secret, settings)


def dialName(
    reactor: Any,
    rendezvous: str,
    name: str,
    secret: bytes,
    settings: Settings | None = None,
) -> Deferred[Link]:
    """
    Dial the peer that waits under a standing name; for the rest as L{dial}.

    @param name: the standing name.
    @param secret: the secret that both sides know.
    """
    return _dial(reactor, rendezvous, name, secret, settings)


def _dial(
    reactor: Any, rendezvous: str, name: str, secret: bytes, settings: Settings | None
) -> Deferred[Link]:
    settings = settings or Settings(instanceLocks=fileInstanceLocks)
    endpoint = rendezvousEndpoint(reactor, rendezvous, settings.hostAddresses)
    peer = Peer(reactor, settings)
    return Deferred.fromCoroutine(Dialer(peer, endpoint, name, secret).run())


def listen(
    reactor: Any, rendezvous: str, settings: Settings | None = None
) -> Deferred[Link]:
    """
    Wait for one peer under a new code.  C{settings.tell} is called with the code
    (L{punch.events.CodeAllotted}); for the rest as L{dial}.
    """
    return _listen(reactor, rendezvous, None, settings)


def listenName(
    reactor: Any,
    rendezvous: str,
    name: str,
    secret: bytes,
    settings: Settings | None = None,
) -> Deferred[Link]:
    """
    Wait for one peer under a standing name; for the rest as L{dialName}.
    """
    return _listen(reactor, rendezvous, MeetingPoint.standing(name, secret), settings)


def _listen(
    reactor: Any,
    rendezvous: str,
    meetingPoint: MeetingPoint | None,
    settings: Settings | None,
) -> Deferred[Link]:
    settings = settings or Settings()
    endpoint = rendezvousEndpoint(reactor, rendezvous, settings.hostAddresses)
    peer = Peer(reactor, settings)
    return Deferred.fromCoroutine(listenOnce(peer, endpoint, meetingPoint))

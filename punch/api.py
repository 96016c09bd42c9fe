"""
For programs: to dial and to listen.

Each takes the reactor, is told where the rendezvous is, and gives a Deferred of a
L{punch.Link} that can be cancelled at any instant.  The link waits until it is given a
protocol: C{link.start(protocol)}.
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
    Dial C{code}.

    @param rendezvous: C{"tcp:HOST:PORT"} or C{"tls:HOST:PORT"}.
    @raise punch.errors.Misuse: at once, where C{rendezvous} or C{code} is wrong
        in itself; other L{punch.errors} through the Deferred.
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
    Dial a standing C{name}, as L{dial} does a code.
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
    Wait for one peer, under a code that C{settings.tell} hears of
    (L{punch.events.CodeAllotted}).
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
    Wait for one peer, under a standing C{name}.
    """
    return _listen(reactor, rendezvous, MeetingPoint.standing(name, secret), settings)


def _listen(
    reactor: Any, rendezvous: str, place: MeetingPoint | None, settings: Settings | None
) -> Deferred[Link]:
    settings = settings or Settings()
    endpoint = rendezvousEndpoint(reactor, rendezvous, settings.hostAddresses)
    peer = Peer(reactor, settings)
    return Deferred.fromCoroutine(listenOnce(peer, endpoint, place))

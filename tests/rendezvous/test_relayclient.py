"""
Tests for L{punch.rendezvous.relayclient}: clients of the relay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from punch.errors import (
    PunchError,
    RendezvousCertificate,
    RendezvousLost,
    RendezvousRefused,
    RendezvousTimedOut,
    RendezvousViolation,
)
from punch.net.connection import Connection, Origin
from punch.net.tls import PeerAuthenticator
from punch.rendezvous.client import ANSWER_TIMEOUT
from punch.rendezvous.relayclient import RelayedConnection, connectRelay
from punch.rendezvous.relayerrors import PeerAbsent, RelayRefused, TicketUnknown
from punch.rendezvous.relaypreamble import TICKET_BYTES
from punch.role import Role
from punch.testing import MemoryHost, spin
from tests.support.doubles import DIALER_ID, LISTENER_ID
from tests.support.programs import HalfCloser, Recorder, Service
from tests.support.relays import PORT, RELAY, TLS_PORT, Site
from tests.support.whole.tls import NAME, TLSEndpoint

MUCH = bytes(range(256)) * 4000

Way = Callable[[MemoryHost], IStreamClientEndpoint]


def byTCP(host: MemoryHost) -> IStreamClientEndpoint:
    """
    The plain way to the relay.
    """
    return TCP4ClientEndpoint(host, RELAY, PORT)


def byTLS(host: MemoryHost) -> IStreamClientEndpoint:
    """
    The way inside TLS.
    """
    return TLSEndpoint(host, NAME, None, TLS_PORT)


everyWay = pytest.mark.parametrize("way", [byTCP, byTLS], ids=["tcp", "tls"])


def show(
    site: Site, ticket: bytes, way: Way = byTCP, which: int = 0
) -> RelayedConnection:
    """
    Have a host connect.
    """
    host = site.hosts[which]
    made: RelayedConnection = spin(connectRelay(host, way(host), ticket), site.network)
    return made


def both(site: Site, way: Way) -> list[RelayedConnection]:
    """
    Have both.
    """
    tickets = site.tickets()
    return [show(site, ticket, way, n) for n, ticket in enumerate(tickets)]


def failed(site: Site, connecting: Deferred[Any], seconds: float = 1.0) -> Any:
    """
    What a connect fails with.
    """
    failures: list[Failure] = []
    connecting.addErrback(failures.append)
    site.run(seconds)
    [failure] = failures
    return failure.value


def taken(connection: Connection, kind: type[Recorder] = HalfCloser) -> Any:
    """
    Have a recorder take it.
    """
    recorder = kind()
    connection.handOver(recorder)
    return recorder


@everyWay
def test_stands(way: Way) -> None:
    """
    It is a connection as soon as the relay is reached, whether or not the peer is
    there.
    """
    site = Site()
    relayed = show(site, site.tickets()[0], way)
    assert relayed.how is Origin.CONNECTED
    assert relayed.remote.host == RELAY
    assert relayed.local.host == "192.0.2.1"
    assert relayed.failure is None
    site.run(10)
    relayed.abort()
    site.end()


@pytest.mark.parametrize("ways", [(byTCP, byTCP), (byTLS, byTLS), (byTCP, byTLS)])
def test_carries(ways: tuple[Way, Way]) -> None:
    """
    Its taker may write at once, and gets the peer's bytes and nothing else; one side
    may use TLS and the other not.
    """
    site = Site()
    mine, theirs = site.tickets()
    first = taken(show(site, mine, ways[0]))
    first.transport.write(b"at once" + MUCH)
    site.run(1)
    second = taken(show(site, theirs, ways[1], 1))
    second.transport.write(b"likewise")
    site.run(60)
    assert second.received == b"at once" + MUCH
    assert first.received == b"likewise"
    for each in (first, second):
        assert each.transport.getTcpNoDelay()
        each.transport.loseConnection()
    site.run(1)
    assert site.open() == []
    site.end()


@everyWay
def test_held(way: Way) -> None:
    """
    Nothing is read before it is taken, and then it all is.
    """
    site = Site()
    relayed = both(site, way)
    first = taken(relayed[0])
    first.transport.write(b"early")
    site.run(1)
    second = taken(relayed[1])
    site.run(1)
    assert second.received == b"early"


def test_ends() -> None:
    """
    Each direction ends alone.
    """
    site = Site()
    first, second = map(taken, both(site, byTCP))
    first.transport.write(b"all")
    first.transport.loseWriteConnection()
    site.run(1)
    assert second.received == b"all"
    assert second.ended == ["read"]
    second.transport.write(b"answer")
    second.transport.loseConnection()
    site.run(1)
    assert first.received == b"answer"
    first.transport.loseConnection()
    site.run(1)
    assert first.reason.check(ConnectionDone)
    assert second.reason.check(ConnectionDone)
    site.end()


def test_endsTLS() -> None:
    """
    A side that uses TLS to the relay ends both directions: the other one is ended,
    whether or not it wants to be.
    """
    site = Site()
    mine, theirs = site.tickets()
    first = taken(show(site, mine, byTLS))
    second = taken(show(site, theirs, byTCP, 1))
    site.run(1)
    first.transport.write(b"all")
    first.transport.loseConnection()
    site.run(1)
    assert second.received == b"all"
    assert second.ended == ["read"]
    assert second.isOpen
    assert site.open() == []
    assert len(site.relay) == 0
    site.end()


def test_restsTLS() -> None:
    """
    TLS brings several pieces at once; a relay that rests does so once for all of them,
    and nothing of that is left when they break off.
    """
    site = Site(spliceBytesPerSecond=10_000)
    mine, theirs = site.tickets()
    first = taken(show(site, mine, byTLS))
    second = taken(show(site, theirs, byTCP, 1))
    first.transport.write(MUCH)
    site.run(30)
    assert len(second.received) == pytest.approx(300_000, abs=150_000)
    first.transport.abortConnection()
    site.run(10)
    assert not second.isOpen
    site.end()


@everyWay
def test_aborts(way: Way) -> None:
    """
    When one side aborts, the other side's connection is aborted too.
    """
    site = Site()
    relayed = both(site, way)
    first, second = map(taken, relayed)
    site.run(1)
    relayed[0].abort()
    site.run(1)
    assert not first.reason.check(ConnectionDone, PunchError)
    assert not second.reason.check(ConnectionDone, PunchError)
    assert relayed[1].failure is None
    site.end()


@pytest.mark.parametrize("ways", [(byTCP, byTCP), (byTLS, byTLS), (byTCP, byTLS)])
def test_secured(ways: tuple[Way, Way]) -> None:
    """
    The peers' own TLS passes through, its client's first words right behind the
    ticket, and its end arrives as one.
    """
    site = Site()
    pairs = list(zip(site.tickets(), ways, (0, 1), strict=True))
    clock = site.network.clock
    dialing = PeerAuthenticator(clock, DIALER_ID).handshake(
        show(site, *pairs[0]), Role.DIALER
    )
    site.run(3)
    waiting = show(site, *pairs[1])
    listening = PeerAuthenticator(clock, LISTENER_ID).handshake(waiting, Role.LISTENER)
    dialer, listener = spin(dialing, site.network), spin(listening, site.network)
    assert (dialer.pin, listener.pin) == (LISTENER_ID.pin, DIALER_ID.pin)
    first, second = taken(dialer, Recorder), taken(listener, Recorder)
    first.transport.write(MUCH)
    site.run(60)
    assert second.received == MUCH
    first.transport.loseConnection()
    site.run(1)
    assert first.reason.check(ConnectionDone)
    assert second.reason.check(ConnectionDone)
    site.run(1)
    assert site.open() == []
    site.end()


# What goes wrong.


@everyWay
def test_refused(way: Way) -> None:
    """
    A refusal is the end, and says why, to its taker and to whoever has it.
    """
    site = Site()
    relayed = show(site, bytes(TICKET_BYTES), way)
    recorder = taken(relayed)
    site.run(1)
    assert recorder.received == b""
    assert recorder.ended == []
    assert recorder.reason.check(TicketUnknown)
    assert relayed.failure is recorder.reason
    assert site.hosts[0].sockets() == []
    site.end()


@everyWay
def test_refusedBefore(way: Way) -> None:
    """
    A protocol that takes the connection later is told as well.
    """
    site = Site()
    relayed = show(site, bytes(TICKET_BYTES), way)
    site.run(1)
    recorder = taken(relayed)
    site.run(1)
    assert recorder.reason.check(TicketUnknown)
    site.end()


@everyWay
def test_refusedSecured(way: Way) -> None:
    """
    When TLS runs on it, at least the connection's C{failure} tells the refusal.
    """
    site = Site(ticketSeconds=3)
    relayed = show(site, site.tickets()[0], way)
    authenticator = PeerAuthenticator(site.network.clock, DIALER_ID)
    failed(site, authenticator.handshake(relayed, Role.DIALER), 6.0)
    assert relayed.failure is not None
    assert relayed.failure.check(PeerAbsent)
    assert site.hosts[0].sockets() == []
    site.end()


@everyWay
def test_lost(way: Way) -> None:
    """
    A relay that is gone before the peer is there is a rendezvous that is lost.
    """
    site = Site()
    relayed = show(site, site.tickets()[0], way)
    recorder = taken(relayed)
    site.rendezvous.reset()
    site.run(1)
    assert recorder.reason.check(RendezvousLost)
    assert "before the other side" in str(recorder.reason.value)


def answering(answer: bytes) -> Any:
    """
    What becomes of a client whose relay gives an odd answer, and hangs up.
    """

    class Odd(Recorder):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(answer)
            self.transport.loseConnection()

    site = Site()
    Service(site.rendezvous, 5050, kind=Odd)
    endpoint = TCP4ClientEndpoint(site.hosts[0], RELAY, 5050)
    connecting = connectRelay(site.hosts[0], endpoint, bytes(TICKET_BYTES))
    recorder = taken(spin(connecting, site.network))
    site.run(1)
    return recorder


def test_hangsUp() -> None:
    """
    A relay that sends nothing is a rendezvous that is lost.
    """
    recorder = answering(b"")
    assert recorder.reason.check(RendezvousLost)
    assert recorder.ended == []


@pytest.mark.parametrize("answer", [b"\x06", b"\xff", b"HTTP/1.1 400 Bad Request"])
def test_later(answer: bytes) -> None:
    """
    Refusals of later versions, and whatever else, are refusals; nothing of them
    reaches a taker.
    """
    recorder = answering(answer)
    assert recorder.reason.check(RelayRefused)
    assert recorder.received == b""


def test_badTicket() -> None:
    """
    A malformed ticket is not sent.
    """
    site = Site()
    connecting = connectRelay(site.hosts[0], byTCP(site.hosts[0]), b"short")
    assert isinstance(failed(site, connecting), RendezvousViolation)
    assert site.hosts[0].sockets() == []


def test_noServer() -> None:
    """
    A relay that can't be reached is a rendezvous that can't be.
    """
    site = Site()
    endpoint = TCP4ClientEndpoint(site.hosts[0], RELAY, 9)
    connecting = connectRelay(site.hosts[0], endpoint, bytes(TICKET_BYTES))
    assert isinstance(failed(site, connecting), RendezvousRefused)


def test_certificate() -> None:
    """
    A certificate of somebody else ends it before the ticket is sent.
    """
    site = Site()
    host = site.hosts[0]
    endpoint = TLSEndpoint(host, "elsewhere.example", None, TLS_PORT)
    mine, theirs = site.tickets()
    assert isinstance(
        failed(site, connectRelay(host, endpoint, mine)), RendezvousCertificate
    )
    show(site, mine)
    assert taken(show(site, theirs, which=1)).isOpen
    assert host.sockets() != []


@everyWay
def test_silent(way: Way) -> None:
    """
    A relay that does not answer is given up in time, and leaves nothing.
    """
    site = Site()
    site.rendezvous.cut()
    host = site.hosts[0]
    connecting = connectRelay(host, way(host), bytes(TICKET_BYTES))
    why = failed(site, connecting, ANSWER_TIMEOUT + 1)
    assert isinstance(why, RendezvousTimedOut)
    assert host.sockets() == []


@pytest.mark.parametrize(
    ("way", "instant"),
    [
        *((byTCP, each) for each in (0.0, 0.01, 0.03, 0.05, 0.07)),
        *((byTLS, each) for each in (0.0, 0.01, 0.03, 0.05, 0.07, 0.09, 0.11, 0.15)),
    ],
)
def test_cancelled(way: Way, instant: float) -> None:
    """
    Cancelling leaves nothing behind, at any stage.
    """
    site = Site()
    host = site.hosts[0]
    connecting = connectRelay(host, way(host), site.tickets()[0])
    site.run(instant)
    assert not connecting.called
    connecting.cancel()
    assert isinstance(failed(site, connecting), CancelledError)
    assert host.sockets() == []
    site.end()


def test_interface() -> None:
    """
    Inside TLS it hears of the handshake.
    """
    site = Site()
    verifyObject(IHandshakeListener, show(site, site.tickets()[0], byTLS))

"""
Tests for L{punch.peer.incoming}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from punch.errors import WrongPin
from punch.net.address import tcpAddress
from punch.net.connection import Connection, Origin
from punch.peer.incoming import MOST_WAITING, Strangers
from punch.peer.introduction import PROOF_TIMEOUT
from punch.role import Role
from tests.support.doubles import MemoryTransport, PunchTestCase, connectionWith

STRANGER = tcpAddress("203.0.113.7", 4040)


class _Secured(Connection):
    """
    A connection whose other side has shown a pin.
    """

    def __init__(self, pin: bytes) -> None:
        Connection.__init__(self, Origin.ACCEPTED)
        self.pin = pin
        _, self.wire = connectionWith(STRANGER)
        wire: Any = self.wire
        Protocol.makeConnection(self, wire)


class _Introduction:
    """
    An introduction, with or without details, that takes what it is given.
    """

    def __init__(self, pin: bytes | None) -> None:
        self.pin = pin
        self.given: list[Any] = []

    def acceptSecured(self, connection: Any) -> None:
        """
        A connection enters the race.
        """
        self.given.append(connection)


class StrangersTests(PunchTestCase):
    """
    Strangers whose handshakes succeed at once.
    """

    def setUp(self) -> None:
        """
        Two introductions; the first one's details are here.
        """
        self.clock = Clock()
        self.introductions = [_Introduction(b"one"), _Introduction(None)]
        self.next: Deferred[Any] = Deferred()
        strangers: Any = Strangers
        self.strangers: Strangers = strangers(
            self.clock, self, lambda: self.introductions
        )

    def handshake(self, connection: Connection, role: Role) -> Deferred[Any]:
        """
        As L{punch.net.tls.PeerAuthenticator} does it.
        """
        assert role is Role.LISTENER
        return self.next

    def come(self, pin: bytes) -> _Secured:
        """
        A stranger with this pin comes in.
        """
        secured = _Secured(pin)
        self.next = Deferred()
        self.next.callback(secured)
        self.successResultOf(self.strangers.receive(secured))
        return secured

    def test_known(self) -> None:
        """
        A connection whose pin is known goes to its introduction at once, and leaves no
        timer.
        """
        secured = self.come(b"one")
        assert self.introductions[0].given == [secured]
        assert self.clock.getDelayedCalls() == []

    def test_later(self) -> None:
        """
        A connection whose details are still on their way waits for them.
        """
        secured = self.come(b"two")
        self.clock.advance(PROOF_TIMEOUT / 2)
        self.introductions[1].pin = b"two"
        self.strangers.matchPins()
        assert self.introductions[1].given == [secured]
        assert self.introductions[0].given == []
        assert self.clock.getDelayedCalls() == []

    def test_nobodys(self) -> None:
        """
        A connection that belongs to no introduction is closed in time.
        """
        wire: MemoryTransport = self.come(b"three").wire
        self.clock.advance(PROOF_TIMEOUT - 0.1)
        assert not wire.aborted
        self.clock.advance(0.2)
        assert wire.aborted

    def test_full(self) -> None:
        """
        Only a few connections may wait; the next ones are closed.
        """
        came = [self.come(b"three").wire for _ in range(MOST_WAITING + 1)]
        assert [each.aborted for each in came] == [False] * MOST_WAITING + [True]

    def test_closed(self) -> None:
        """
        When no introduction is in progress any more, those that wait are closed.
        """
        wire = self.come(b"three").wire
        self.strangers.close()
        assert wire.aborted
        assert self.clock.getDelayedCalls() == []

    def test_noHandshake(self) -> None:
        """
        A stranger whose handshake fails does not wait.
        """
        self.next = fail(WrongPin())
        self.successResultOf(self.strangers.receive(_Secured(b"")))
        assert self.clock.getDelayedCalls() == []

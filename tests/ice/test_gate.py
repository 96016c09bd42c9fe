"""
Tests for L{punch.ice.gate}.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from punch.errors import WrongPin
from punch.ice.candidate import Candidate, Kind
from punch.ice.checklist import Checklist
from punch.ice.gate import MOST_STRANGERS, STRANGERS_PATIENCE, Gate
from punch.ice.race import Race
from punch.net.address import Address, tcpAddress
from punch.net.connection import Connection
from tests.support.doubles import MemoryTransport, PunchTestCase, connectionWith

PEER = tcpAddress("192.0.2.1", 4040)
OTHER = tcpAddress("192.0.2.2", 4040)


def stranger(number: int, port: int = 1) -> Address:
    """
    Somebody's address.
    """
    return tcpAddress(f"203.0.113.{number}", port)


class _Meeting:
    """
    A race that expects one peer; what it is given, it verifies for ever.
    """

    def __init__(self, *peers: Address) -> None:
        self.verifications: list[tuple[Address, Deferred[Any]]] = []
        self.race: Race[Any] = Race(
            Clock(), Checklist(Random(1)), self._connect, self._verify, lambda _: None
        )
        for each in peers:
            self.race.add(Candidate(Kind.SERVER_REFLEXIVE, each))

    def _connect(self, address: Address) -> Deferred[Connection]:
        return Deferred()

    def _verify(self, connection: Connection) -> Deferred[Any]:
        verification: Deferred[Any] = Deferred(lambda _: connection.abort())
        verification.addErrback(self._invalid, connection)
        self.verifications.append((connection.remote, verification))
        return verification

    @staticmethod
    def _invalid(failure: Any, connection: Connection) -> Any:
        connection.abort()
        return failure

    @property
    def given(self) -> list[Address]:
        """
        Whose connections it was given.
        """
        return [remote for remote, _ in self.verifications]

    def reject(self) -> None:
        """
        The oldest is not the peer.
        """
        self.verifications.pop(0)[1].errback(WrongPin())


class GateTests(PunchTestCase):
    """
    The gate before some races.
    """

    def setUp(self) -> None:
        """
        Two meetings.
        """
        self.first, self.second = _Meeting(PEER), _Meeting(OTHER)
        self.races = [self.second.race, self.first.race]
        self.clock = Clock()
        self.gate = Gate(self.clock, lambda: self.races)

    def come(self, remote: Address) -> MemoryTransport:
        """
        A connection comes in.
        """
        connection, transport = connectionWith(remote)
        self.gate.admit(connection)
        return transport

    def test_expected(self) -> None:
        """
        A peer that is expected gets to its own race.
        """
        assert not self.come(PEER).aborted
        assert not self.come(OTHER).aborted
        assert (self.first.given, self.second.given) == ([PEER], [OTHER])

    def test_nobodyExpected(self) -> None:
        """
        When we expect nobody, all are closed without a word.
        """
        self.races = []
        assert self.come(PEER).aborted
        assert self.come(stranger(1)).aborted

    def test_stranger(self) -> None:
        """
        A stranger, be it on a peer's IP address, enters the one race there is.
        """
        self.races = [self.second.race]
        assert not self.come(stranger(1)).aborted
        assert not self.come(tcpAddress(PEER.host, 999)).aborted
        assert self.second.given == [stranger(1), tcpAddress(PEER.host, 999)]

    def test_received(self) -> None:
        """
        Where somebody sorts strangers out, he gets them, and the next when he has.
        """
        came: list[tuple[Connection, Deferred[None]]] = []

        def receive(connection: Connection) -> Deferred[None]:
            sorted: Deferred[None] = Deferred()
            came.append((connection, sorted))
            return sorted

        self.gate = Gate(self.clock, lambda: self.races, receive)
        assert not self.come(stranger(1)).aborted
        assert self.come(stranger(1)).aborted
        came[0][1].errback(WrongPin())
        assert not self.come(stranger(1)).aborted
        assert [each.remote for each, _ in came] == [stranger(1), stranger(1)]
        assert self.first.given == self.second.given == []

    def test_oneAtATime(self) -> None:
        """
        From an IP address one stranger at a time is heard, at whatever port.
        """
        assert not self.come(stranger(1, 1)).aborted
        assert self.come(stranger(1, 2)).aborted
        assert not self.come(stranger(2, 1)).aborted
        self.second.reject()
        assert not self.come(stranger(1, 3)).aborted
        assert self.come(stranger(2, 2)).aborted

    def test_oneOfANetwork(self) -> None:
        """
        Who has IPv6 has a network of addresses, which counts as one.
        """
        assert not self.come(tcpAddress("2001:db8::1", 1)).aborted
        assert self.come(tcpAddress("2001:db8::2", 1)).aborted
        assert not self.come(tcpAddress("2001:db8:0:1::1", 1)).aborted
        self.second.reject()
        assert not self.come(tcpAddress("2001:db8::2", 1)).aborted

    def test_slow(self) -> None:
        """
        Who takes his time makes room when another comes, and not before.
        """
        slow = self.come(stranger(1, 1))
        self.clock.advance(STRANGERS_PATIENCE)
        assert not slow.aborted
        assert not self.come(stranger(1, 2)).aborted
        assert slow.aborted
        assert self.come(stranger(1, 3)).aborted
        others = [self.come(stranger(n)) for n in range(2, MOST_STRANGERS + 1)]
        self.clock.advance(STRANGERS_PATIENCE)
        assert not self.come(stranger(99)).aborted
        assert not any(each.aborted for each in others)

    def test_aFewInAll(self) -> None:
        """
        In all a few are.
        """
        came = [self.come(stranger(n)) for n in range(1, 201)]
        heard = [each for each in came if not each.aborted]
        assert len(heard) == MOST_STRANGERS == len(self.second.given)
        self.second.reject()
        assert not self.come(stranger(201)).aborted
        assert self.come(stranger(202)).aborted

    def test_expectedAnyway(self) -> None:
        """
        Strangers never keep out who is expected.
        """
        for n in range(1, 201):
            self.come(stranger(n))
        assert not self.come(PEER).aborted
        assert self.first.given == [PEER]

    def test_forgotten(self) -> None:
        """
        A race that ends lets go of its strangers.
        """
        for n in range(1, 201):
            self.come(stranger(n))
        self.second.race.selected.cancel()
        self.failed(self.second.race.selected)
        third = _Meeting(OTHER)
        self.races[0] = third.race
        came = [self.come(stranger(n)) for n in range(1, 201)]
        assert len([each for each in came if not each.aborted]) == MOST_STRANGERS

    def test_over(self) -> None:
        """
        A race that is over closes what it is given.
        """
        self.first.race.selected.cancel()
        self.failed(self.first.race.selected)
        assert self.come(PEER).aborted

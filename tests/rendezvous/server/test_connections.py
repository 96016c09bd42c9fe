"""
Tests for L{punch.rendezvous.server.connections}.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from punch.errors import TooMany
from punch.rendezvous.server.connections import SWEEP, Connections


@dataclass(eq=False)
class Client:
    """
    A connection from somewhere.
    """

    origin: str
    due: float = 0.0
    isAborted: bool = False

    def abort(self) -> None:
        """
        Remember it.
        """
        self.isAborted = True


class ConnectionsTests(SynchronousTestCase):
    """
    Three connections at most, two from one origin.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.sweeps = 0
        self.connections: Connections[Client] = Connections(
            self.clock, 3, 2, self.sweep
        )

    def sweep(self) -> None:
        """
        Count the looks at the clock.
        """
        self.sweeps += 1

    def test_perOrigin(self) -> None:
        """
        An origin with too many gets no more until one is removed; others do.
        """
        first, second, third = (Client("a") for _ in range(3))
        assert [self.connections.add(each) for each in (first, second)] == [1, 2]
        with pytest.raises(TooMany):
            self.connections.add(third)
        assert self.connections.add(Client("b")) == 1
        self.connections.remove(first)
        assert self.connections.add(third) == 2

    def test_inAll(self) -> None:
        """
        There is no room for more than there is room for.
        """
        for origin in "abc":
            self.connections.add(Client(origin))
        with pytest.raises(TooMany):
            self.connections.add(Client("d"))
        assert len(self.connections) == 3

    def test_leaveUncounted(self) -> None:
        """
        Removing one that was never counted changes nothing.
        """
        counted = Client("a")
        self.connections.add(counted)
        self.connections.remove(Client("a"))
        assert list(self.connections) == [counted]

    def test_due(self) -> None:
        """
        Those whose time has come are looked at.
        """
        early, late = Client("a", 1.0), Client("a", 3.0)
        for each in (early, late):
            self.connections.add(each)
        assert self.connections.due(0.9) == []
        assert self.connections.due(1.0) == [early]
        assert self.connections.due(3.0), [early == late]

    def test_openAndClose(self) -> None:
        """
        While it is open somebody looks once a second; at the end all are cut.
        """
        client = Client("a")
        self.connections.add(client)
        self.connections.start()
        self.clock.pump([SWEEP] * 3)
        assert self.sweeps == 3
        self.connections.stop()
        assert client.isAborted
        assert self.clock.getDelayedCalls() == []

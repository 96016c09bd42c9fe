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
class Visitor:
    """
    A connection from somewhere.
    """

    origin: str
    due: float = 0.0
    isCut: bool = False

    def cut(self) -> None:
        """
        Remember it.
        """
        self.isCut = True


class ClienteleTests(SynchronousTestCase):
    """
    Three connections at most, two from one origin.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.looks = 0
        self.clientele: Connections[Visitor] = Connections(self.clock, 3, 2, self.look)

    def look(self) -> None:
        """
        Count the looks at the clock.
        """
        self.looks += 1

    def test_perOrigin(self) -> None:
        """
        Who has too many gets no more until one has left; others do.
        """
        first, second, third = (Visitor("a") for _ in range(3))
        assert [self.clientele.join(each) for each in (first, second)] == [1, 2]
        with pytest.raises(TooMany):
            self.clientele.join(third)
        assert self.clientele.join(Visitor("b")) == 1
        self.clientele.leave(first)
        assert self.clientele.join(third) == 2

    def test_inAll(self) -> None:
        """
        There is no room for more than there is room for.
        """
        for origin in "abc":
            self.clientele.join(Visitor(origin))
        with pytest.raises(TooMany):
            self.clientele.join(Visitor("d"))
        assert len(self.clientele) == 3

    def test_leaveUncounted(self) -> None:
        """
        To forget one that was never counted changes nothing.
        """
        counted = Visitor("a")
        self.clientele.join(counted)
        self.clientele.leave(Visitor("a"))
        assert list(self.clientele) == [counted]

    def test_due(self) -> None:
        """
        Those whose time has come are looked at.
        """
        early, late = Visitor("a", 1.0), Visitor("a", 3.0)
        for each in (early, late):
            self.clientele.join(each)
        assert self.clientele.due(0.9) == []
        assert self.clientele.due(1.0) == [early]
        assert self.clientele.due(3.0), [early == late]

    def test_openAndClose(self) -> None:
        """
        While it is open somebody looks once a second; at the end all are cut.
        """
        visitor = Visitor("a")
        self.clientele.join(visitor)
        self.clientele.open()
        self.clock.pump([SWEEP] * 3)
        assert self.looks == 3
        self.clientele.close()
        assert visitor.isCut
        assert self.clock.getDelayedCalls() == []

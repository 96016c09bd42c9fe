"""
Tests for L{punch.service}: when dialing again makes sense.  (The rest is in
C{tests/whole/test_service.py}.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock

from punch import errors
from punch.service import ABSENCE_TIMEOUT, DialingService
from punch.util.deferreds import SharedResult
from tests.support.doubles import watching


class _Peer:
    """
    As much of a peer as a service needs.
    """

    def __init__(self) -> None:
        self.clock = Clock()

    def tell(self, event: object) -> None:
        """
        Nobody hears.
        """


class _Link:
    """
    A link that ends when the test says so.
    """

    def __init__(self) -> None:
        self.ended: Deferred[errors.LinkError | None] = Deferred()
        end: SharedResult[errors.LinkError | None] = SharedResult()
        self.ended.addCallback(end.succeed)
        self.whenEnded = end.wait
        self.whenReleased = lambda: end.wait().addCallback(lambda error: None)

    def getPeer(self) -> None:
        """
        Somebody.
        """

    def start(self, protocol: Protocol) -> None:
        """
        Nothing is said.
        """


class Dials:
    """
    A dialing service, and what comes of its dials.

    @ivar at: when it dialed.
    @ivar done: what it ended with.
    """

    def __init__(self, lasting: bool = False, once: bool = False) -> None:
        self.at: list[float] = []
        self.done: list[errors.PunchError | None] = []
        self._outcome: Callable[[], Any] = lambda: Deferred()
        peer: Any = _Peer()
        self.clock = peer.clock
        factory: Any = Factory.forProtocol(Protocol)
        self.service = DialingService(peer, self._meet, factory, once, lasting)
        self.service.whenDone().addCallback(self.done.append)

    async def _meet(self) -> Any:
        self.at.append(self.clock.seconds())
        outcome = self._outcome()
        return outcome if isinstance(outcome, _Link) else await outcome

    def failing(self, error: errors.PunchError) -> Dials:
        """
        Each dial fails, from now on.
        """
        self._outcome = lambda: fail(error)
        return self.start()

    def linked(self, end: errors.LinkError | None = None) -> Dials:
        """
        The next dial gives a link that ends at once.
        """

        def outcome() -> _Link:
            self._outcome = lambda: Deferred()
            link = _Link()
            link.ended.callback(end)
            return link

        self._outcome = outcome
        return self.start()

    def start(self) -> Dials:
        """
        Start the service, if that is not done.
        """
        if not self.service.running:
            self.service.startService()
        return self

    def run(self, seconds: float) -> Dials:
        """
        Let time pass.
        """
        self.clock.pump([0.25] * int(seconds * 4))
        return self


NEVER = [errors.WrongCode(), errors.WrongPin()]
AT_FIRST = [
    errors.BadOption(),
    errors.PortInUse(),
    errors.RendezvousRefused(),
    errors.TooFast(),
]
PASSING = [errors.NoAnswer(), errors.PeerNotFound()]
LASTING = [errors.Unproven(), errors.NoSuchName()]


@pytest.mark.parametrize("lasting", [True, False])
@pytest.mark.parametrize("error", [*NEVER, *AT_FIRST, *PASSING, *LASTING], ids=repr)
def test_firstDial(error: errors.PunchError, lasting: bool) -> None:
    """
    What can't be helped ends the service at its first dial.  Whoever has a lasting
    name may still come.
    """
    dials = Dials(lasting).failing(error).run(10.0)
    isFinal = error in NEVER + AT_FIRST or (error in LASTING and not lasting)
    assert dials.done == ([error] if isFinal else [])
    assert len(dials.at) == (1 if isFinal else 4)


@pytest.mark.parametrize("lasting", [True, False])
@pytest.mark.parametrize("error", [*NEVER, *AT_FIRST, *PASSING, *LASTING], ids=repr)
def test_laterDial(error: errors.PunchError, lasting: bool) -> None:
    """
    Once there was a link, only a wrong peer ends it, or a code that is used up.
    """
    dials = Dials(lasting).linked().failing(error).run(60.0)
    isGuess = isinstance(error, errors.Unproven) and not lasting
    assert dials.done == ([error] if error in NEVER or isGuess else [])


def test_codeIsGone() -> None:
    """
    Nobody waits under the code for a while: perhaps the rendezvous was restarted.
    For long: nobody will.
    """
    dials = Dials().linked().failing(errors.NoSuchName()).run(ABSENCE_TIMEOUT - 1)
    assert dials.done == []
    dials.failing(errors.NoAnswer()).run(65)
    dials.failing(errors.NoSuchName()).run(ABSENCE_TIMEOUT - 1)
    assert dials.done == []
    dials.run(65)
    assert len(dials.done) == 1
    assert isinstance(dials.done[0], errors.NoSuchName)


def test_nameComesBack() -> None:
    """
    For a lasting name it goes on for ever, once a minute.
    """
    dials = Dials(lasting=True).failing(errors.NoSuchName()).run(3600)
    assert dials.done == []
    assert 60 <= len(dials.at) <= 70


def test_soonAgain() -> None:
    """
    After a link the next dial is soon, unless the other side did not speak our
    language.
    """
    dials = Dials(lasting=True).failing(errors.NoSuchName()).run(300)
    dials.linked(errors.PathLost())
    dials.run(64)
    assert dials.at[-1] - dials.at[-2] == 1.0
    dials = Dials(lasting=True).failing(errors.NoSuchName()).run(300)
    dials.linked(errors.ProtocolViolation()).run(60)
    assert dials.at[-1] - dials.at[-2] == 60.0


@pytest.mark.parametrize("once", [True, False])
def test_earlyEnd(once: bool) -> None:
    """
    Why a link ended early is told: in the log if the service goes on, else as its
    end.
    """
    with watching() as log:
        dials = Dials(once=once).linked(
            error := errors.ProtocolViolation("such and such")
        )
    assert dials.done == ([error] if once else [])
    assert any("such and such" in each for each in log.sentences) is not once

"""
Rehearsals: what two peers are told who try how they would meet, and what is left of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from punch.check.report import Likelihood
from punch.check.trialdial import TIMEOUT, TrialDial
from punch.check.trialresult import TrialResult
from punch.events import CodeAllotted, Failed, Rehearsed
from punch.peer import introduction
from punch.peer.description import rendezvousEndpoint
from punch.rendezvous.client import CLOSE_TIMEOUT
from punch.signaling.code import parseCode
from punch.testing import NATBehavior
from tests.support.whole.guesser import wrong
from tests.support.whole.nats import ANSWERS, BLOCK, DEAF, KEEPS, NEXT, RANDOM, behind
from tests.support.whole.services import NAME, SECRET, listening, standing
from tests.support.whole.world import WHERE, T, World

DEAF_RANDOM = replace(RANDOM, simultaneousOpen=False)


def waiting(listener: NATBehavior, dialer: NATBehavior, **settings: Any) -> World:
    """
    Two behind NATs, of whom one has been waiting for a while, for one link.
    """
    world = World()
    world.rendezvous.look()
    world.cast(behind(world, listener), behind(world, dialer))
    world.listen(**settings)
    assert world.listener.code
    world.run(2.0)
    return world


def rehearsal(world: World, code: str = "", **settings: Any) -> Deferred[TrialResult]:
    """
    One of the dialer's, by default with the listener's code.
    """
    known = parseCode(code or world.listener.code)
    return rehearsalOf(world, known.name, known.secret, **settings)


def rehearsalOf(
    world: World, name: str, secret: bytes, **settings: Any
) -> Deferred[TrialResult]:
    """
    One of the dialer's.
    """
    host = world.dialer.host
    chosen = world.dialer.settings(**{"timeout": TIMEOUT, **settings})
    endpoint = rendezvousEndpoint(host, WHERE)
    made = TrialDial(host, endpoint, name, secret, chosen)
    return Deferred.fromCoroutine(made.run())


def assertUnharmed(world: World, timeout: float = 12.0) -> None:
    """
    The listener waits as before, was given nothing, and is met under the same code, or
    not, as if nothing had been.
    """
    world.run(CLOSE_TIMEOUT)
    assert world.listener.reason == "waiting", world
    assert not world.listener.told(Failed)
    assert len(world.listener.told(Rehearsed)) == 1
    assert len(world.listener.told(CodeAllotted)) == 1
    world.dial(timeout=timeout)
    assert world.until(lambda: world.dialer.ended)
    world.run(1.0)


@pytest.mark.parametrize("dialer", [KEEPS, ANSWERS], ids=["drop", "reset"])
@pytest.mark.parametrize(
    "listener", [KEEPS, NEXT, BLOCK, RANDOM], ids=["keeps", "next", "block", "random"]
)
def test_likely(listener: NATBehavior, dialer: NATBehavior) -> None:
    """
    Where the two meet, that is what is told, and of what kind the other side's NAT is;
    and then they meet in earnest, under the same code.
    """
    world = waiting(listener, dialer)
    prospect = world.spin(rehearsal(world))
    assert prospect.verdict is Likelihood.LIKELY, prospect
    assert prospect.path.startswith("direct after ")
    assert prospect.peer.startswith("203.0.113.1:")
    assert prospect.behavior.isEndpointIndependent is (listener is KEEPS)
    assert any("whoever waits under" in each.asked for each in prospect.evidence)
    assertUnharmed(world)
    assert world.dialer.links
    assert world.listener.talker.received == b"I dial."
    world.end()


@pytest.mark.parametrize(
    ("listener", "dialer", "reason"),
    [
        (RANDOM, RANDOM, "both-random-mapping"),
        (NEXT, RANDOM, "random-against-sequential"),
        (DEAF, DEAF, "no-simultaneous-open"),
        (DEAF, DEAF_RANDOM, "no-simultaneous-open"),
    ],
    ids=["random", "next", "deaf", "deaf-random"],
)
def test_unlikely(listener: NATBehavior, dialer: NATBehavior, reason: str) -> None:
    """
    Where they do not, the true reason is told, though the other side was prepared to
    try for longer.
    """
    world = waiting(listener, dialer, timeout=30.0)
    prospect = world.spin(rehearsal(world))
    assert (prospect.verdict, prospect.why.reason.value) == (
        Likelihood.UNLIKELY,
        reason,
    )
    assert prospect.advice
    assertUnharmed(world)
    assert not world.dialer.links
    world.end()


def test_possible() -> None:
    """
    A port that was not found may be found the next time.
    """
    world = waiting(RANDOM, KEEPS)
    prospect = world.spin(rehearsal(world, search=0))
    assert prospect.why.reason.value == "no-search"
    assert prospect.verdict is Likelihood.POSSIBLE
    assertUnharmed(world)
    assert world.dialer.links
    world.end()


def test_listenersTime() -> None:
    """
    A listener whose own time is up before the other side's has not failed either.
    """
    world = waiting(RANDOM, RANDOM, timeout=3.0)
    running = rehearsal(world)
    world.run(4.0)
    assert len(world.listener.told(Rehearsed)) == 1
    prospect = world.spin(running)
    assert prospect.verdict is None
    assert prospect.why.reason.value == "peer-left"
    assertUnharmed(world)
    world.end()


def test_gone() -> None:
    """
    Neither has one whose other side vanishes without a word.
    """
    world = waiting(RANDOM, RANDOM, timeout=5.0)
    running = rehearsal(world)
    world.run(2.0)
    world.dialer.host.cut()
    world.run(5.0)
    assert len(world.listener.told(Rehearsed)) == 1
    world.dialer.host.mend()
    assert world.spin(running).verdict is None
    assertUnharmed(world)
    world.end()


def test_wrongCode() -> None:
    """
    A wrong code is a guess, as in a dial.
    """
    world = waiting(KEEPS, KEEPS)
    prospect = world.spin(rehearsal(world, wrong(world.listener.code)))
    assert prospect.verdict is None
    assert prospect.why.reason.value == "wrong-code"
    world.run(CLOSE_TIMEOUT)
    assert world.listener.reason == "wrong-code"
    assert not world.listener.told(Rehearsed)
    world.end()


def test_nobody() -> None:
    """
    That nobody waits is no verdict on anybody.
    """
    world = waiting(KEEPS, KEEPS)
    prospect = world.spin(rehearsal(world, "999999-zebra-zoo"))
    assert (prospect.verdict, prospect.peer) == (None, "")
    assert prospect.why.reason.value == "no-such-name"
    world.end()


def test_name() -> None:
    """
    Under a standing name it is the same, as often as one likes.
    """
    world = World()
    world.rendezvous.look()
    world.cast(behind(world, KEEPS), behind(world, KEEPS))
    running = standing(world.listener)
    world.run(2.0)
    for _ in range(12):
        prospect = world.spin(rehearsalOf(world, NAME, SECRET))
        assert prospect.verdict is Likelihood.LIKELY, prospect
    world.run(CLOSE_TIMEOUT)
    assert len(world.listener.told(Rehearsed)) == 12
    assert not running.factory.made
    world.spin(running.stop())
    world.end()


def test_olderListener(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A listener that has not heard of rehearsals sees a dialer leave, and goes on under
    the same code.
    """
    monkeypatch.setattr(introduction, "TRIAL_DIAL", "not known yet")
    world = World()
    world.rendezvous.look()
    world.cast(behind(world, KEEPS), behind(world, KEEPS))
    running = listening(world.listener)
    code = world.listener.code
    world.run(2.0)
    prospect = world.spin(rehearsal(world))
    assert prospect.verdict is Likelihood.LIKELY
    world.run(CLOSE_TIMEOUT)
    [failed] = world.listener.told(Failed)
    assert failed.reason == "peer-left"
    assert not running.factory.made
    world.dial(code)
    assert world.until(lambda: world.dialer.ended)
    assert world.dialer.links
    world.spin(running.stop())
    world.end()


@pytest.mark.parametrize("after", [0.05, 0.1, 0.2, 0.3, 0.4, 1.0, 5.0])
def test_cancelled(after: float) -> None:
    """
    Cancelled at whatever instant, nothing is left; and once the proof is given, the
    listener is none the worse for it.
    """
    world = waiting(RANDOM, KEEPS)
    running = rehearsal(world)
    running.addErrback(lambda why: why.trap(CancelledError) and None)
    world.run(after)
    running.cancel()
    world.run(CLOSE_TIMEOUT + 0.1)
    assert running.called
    if after > 3.5 * T:
        assert world.listener.reason == "waiting"
        assert not world.listener.told(Failed)
    world.end()

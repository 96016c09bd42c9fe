"""
Trial dials: what two peers are told that try how they would meet, and what is left of
it.
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
from tests.support.whole.nats import ANSWERS, BLOCK, DEAF, KEEPS, NEXT, RANDOM, apart
from tests.support.whole.services import NAME, SECRET, listening, standing
from tests.support.whole.world import WHERE, T, World

DEAF_RANDOM = replace(RANDOM, simultaneousOpen=False)


def waiting(listener: NATBehavior, dialer: NATBehavior, **settings: Any) -> World:
    """
    Two programs behind NATs, of which one has been waiting for a link for a while.
    """
    world = apart(listener, dialer)
    world.waits(**settings)
    return world


def trial(world: World, code: str = "", **settings: Any) -> Deferred[TrialResult]:
    """
    A trial dial of the dialer's, by default with the listener's code.
    """
    known = parseCode(code or world.listener.code)
    return trialOf(world, known.name, known.secret, **settings)


def trialOf(
    world: World, name: str, secret: bytes, **settings: Any
) -> Deferred[TrialResult]:
    """
    A trial dial of the dialer's to a name.
    """
    host = world.dialer.host
    chosen = world.dialer.settings(**{"timeout": TIMEOUT, **settings})
    endpoint = rendezvousEndpoint(host, WHERE)
    made = TrialDial(host, endpoint, name, secret, chosen)
    return Deferred.fromCoroutine(made.run())


def assertUnharmed(world: World, timeout: float = 12.0) -> None:
    """
    The listener still waits and was given no link; and now that the dialer dials in
    earnest, under the same code, the outcome is as if there had been no trial.
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
    If the two can meet, the result says so, and of what kind the other side's NAT is;
    and then they meet in earnest, under the same code.
    """
    world = waiting(listener, dialer)
    result = world.spin(trial(world))
    assert result.verdict is Likelihood.LIKELY, result
    assert result.path.startswith("direct after ")
    assert result.peer.startswith("203.0.113.1:")
    assert result.behavior.isEndpointIndependent is (listener is KEEPS)
    assert any("whoever waits under" in each.asked for each in result.evidence)
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
    If they cannot meet, the result has the true reason, although the other side was
    prepared to try for longer.
    """
    world = waiting(listener, dialer, timeout=30.0)
    result = world.spin(trial(world))
    assert (result.verdict, result.why.reason.value) == (
        Likelihood.UNLIKELY,
        reason,
    )
    assert result.advice
    assertUnharmed(world)
    assert not world.dialer.links
    world.end()


def test_possible() -> None:
    """
    If a port was not found, the result says that it may be found the next time.
    """
    world = waiting(RANDOM, KEEPS)
    result = world.spin(trial(world, search=0))
    assert result.why.reason.value == "no-search"
    assert result.verdict is Likelihood.POSSIBLE
    assertUnharmed(world)
    assert world.dialer.links
    world.end()


def test_listenersTime() -> None:
    """
    A listener whose own time is up before the dialer's goes on waiting, too.
    """
    world = waiting(RANDOM, RANDOM, timeout=3.0)
    running = trial(world)
    world.run(4.0)
    assert len(world.listener.told(Rehearsed)) == 1
    result = world.spin(running)
    assert result.verdict is None
    assert result.why.reason.value == "peer-left"
    assertUnharmed(world)
    world.end()


def test_gone() -> None:
    """
    So does a listener whose dialer vanishes without a word.
    """
    world = waiting(RANDOM, RANDOM, timeout=5.0)
    running = trial(world)
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
    A wrong code counts as a guess, as in a dial.
    """
    world = waiting(KEEPS, KEEPS)
    result = world.spin(trial(world, wrong(world.listener.code)))
    assert result.verdict is None
    assert result.why.reason.value == "wrong-code"
    world.run(CLOSE_TIMEOUT)
    assert world.listener.reason == "wrong-code"
    assert not world.listener.told(Rehearsed)
    world.end()


def test_nobody() -> None:
    """
    If nobody waits under the code, there is no verdict.
    """
    world = waiting(KEEPS, KEEPS)
    result = world.spin(trial(world, "999999-zebra-zoo"))
    assert (result.verdict, result.peer) == (None, "")
    assert result.why.reason.value == "no-such-name"
    world.end()


def test_name() -> None:
    """
    A standing name can be tried as often as one likes.
    """
    world = apart(KEEPS, KEEPS)
    running = standing(world.listener)
    world.run(2.0)
    for _ in range(12):
        result = world.spin(trialOf(world, NAME, SECRET))
        assert result.verdict is Likelihood.LIKELY, result
    world.run(CLOSE_TIMEOUT)
    assert len(world.listener.told(Rehearsed)) == 12
    assert not running.factory.made
    world.end()


def test_olderListener(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A listener of an older version, which does not know of trial dials, sees a dialer
    leave, and goes on under the same code.
    """
    monkeypatch.setattr(introduction, "TRIAL_DIAL", "not known yet")
    world = apart(KEEPS, KEEPS)
    running = listening(world.listener)
    code = world.listener.code
    world.run(2.0)
    result = world.spin(trial(world))
    assert result.verdict is Likelihood.LIKELY
    world.run(CLOSE_TIMEOUT)
    [failed] = world.listener.told(Failed)
    assert failed.reason == "peer-left"
    assert not running.factory.made
    world.dial(code)
    assert world.until(lambda: world.dialer.ended)
    assert world.dialer.links
    world.end()


@pytest.mark.parametrize("after", [0.05, 0.1, 0.2, 0.3, 0.4, 1.0, 5.0])
def test_cancelled(after: float) -> None:
    """
    A trial dial that is cancelled at any instant leaves nothing; and once the dialer
    has proven that it knows the code, the listener waits on.
    """
    world = waiting(RANDOM, KEEPS)
    running = trial(world)
    running.addErrback(lambda why: why.trap(CancelledError) and None)
    world.run(after)
    running.cancel()
    world.run(CLOSE_TIMEOUT + 0.1)
    assert running.called
    if after > 3.5 * T:
        assert world.listener.reason == "waiting"
        assert not world.listener.told(Failed)
    world.end()

"""
Peers that run as services.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from punch.errors import PunchError
from punch.events import CodeAllotted, Failed, Listening, Waiting
from punch.link.path import FAREWELL
from punch.peer.relaypolicy import RelayPolicy
from tests.support.whole.meetings import isDown
from tests.support.whole.program import Program
from tests.support.whole.services import TalkingService, dialing, listening
from tests.support.whole.world import World, pair

MANY = 8


def dialers(world: World, running: TalkingService, count: int = MANY) -> list[Program]:
    """
    Many dial at once.
    """
    code = running.program.code
    kinds = ["none", "drop", "reset", "full-cone"]
    return [
        world.dial(
            code, world.program(world.host(kinds[number % 4]), b"Dialer %d." % number)
        )
        for number in range(count)
    ]


def test_manyDialers() -> None:
    """
    If many dial at once, each gets a link of its own, and what is said on one is heard
    on no other.
    """
    world = pair()
    running = listening(world.listener)
    programs = dialers(world, running)
    assert world.until(lambda: all(each.ended for each in programs))
    assert all(each.links for each in programs)
    world.run(1.0)
    heard = sorted(talker.received for talker in running.talkers)
    assert heard == sorted(each.talker.greeting for each in programs)
    for each in programs:
        assert each.talker.received == b"Served."
        each.link.write(each.talker.greeting)
    world.run(1.0)
    heard = sorted(talker.received for talker in running.talkers)
    assert heard == sorted(2 * each.talker.greeting for each in programs)
    assert len(world.listener.told(CodeAllotted)) == 1
    world.spin(running.stop())
    assert isDown(world, world.listener)
    world.end()


def test_noCommonWayIsNoGuess() -> None:
    """
    A dialer that knows the code, but whose relay policy does not go with ours, has not
    used up the code: the next one gets a link.
    """
    world = pair()
    running = listening(world.listener, relay=RelayPolicy.NEVER)
    code = running.program.code
    world.dial(code, relay=RelayPolicy.ONLY)
    assert world.until(lambda: world.dialer.ended)
    assert world.dialer.reason == "no-common-way"
    [program] = dialers(world, running, 1)
    assert world.until(lambda: program.ended)
    assert program.links
    assert len(world.listener.told(CodeAllotted)) == 1
    world.end()


def test_oneAfterTheOther() -> None:
    """
    A code is good for any number of dials until there is a wrong guess.
    """
    world = pair()
    running = listening(world.listener)
    for _ in range(3):
        [program] = dialers(world, running, 1)
        assert world.until(lambda: program.talker.heardAt)  # noqa: B023
        program.link.loseConnection()
        world.run(1.0)
    assert len(running.talkers) == 3
    assert len(world.listener.told(CodeAllotted)) == 1
    world.end()


def test_listenOnce() -> None:
    """
    A service that is to make one link waits for no more, and is done when that ends.
    """
    world = pair()
    running = listening(world.listener, once=True)
    code = world.listener.code
    world.dial(code)
    assert world.until(lambda: world.dialer.ended)
    late = world.dial(code, world.program(world.host()))
    assert world.until(lambda: late.ended)
    assert late.reason == "no-such-name"
    assert running.done == []
    world.dialer.link.loseConnection()
    world.run(1.0)
    assert running.done == [None]
    assert isDown(world, world.listener)
    world.spin(running.stop())
    assert running.factory.starts == 0
    world.end()


@pytest.mark.parametrize("step", range(12))
def test_stop(step: int) -> None:
    """
    Whenever a listening service is stopped, nothing is left when it says so, and
    nothing passes for a mistake.
    """
    world = pair()
    running = listening(world.listener)
    for _ in range(step):
        world.step()
    stopped = running.stop()
    world.run(0.001)
    assert stopped.called
    assert isDown(world, world.listener)
    assert running.done == []
    assert world.listener.told(Failed) == []
    assert running.factory.starts == 0
    world.end()


@pytest.mark.parametrize("step", range(0, 60, 3))
def test_stopDialing(step: int) -> None:
    """
    A dialing service likewise.
    """
    world = pair()
    world.listen()
    running = dialing(world.dialer, world.listener.code)
    for _ in range(step):
        world.step()
    isLinked = bool(running.talkers)
    stopped = running.stop()
    world.run(3.0 if isLinked else 0.001)
    assert stopped.called
    assert isDown(world, world.dialer)
    assert running.done == []
    assert world.dialer.told(Failed) == []
    assert running.factory.starts == 0
    world.end()


def test_stopIsClean() -> None:
    """
    When a service stops its links end cleanly.
    """
    world = pair()
    running = listening(world.listener)
    programs = dialers(world, running, 2)
    assert world.until(lambda: all(each.ended for each in programs))
    world.run(1.0)
    world.spin(running.stop())
    world.run(1.0)
    for talker in (*running.talkers, *(each.talker for each in programs)):
        assert talker.isClean
    world.end()


def test_stopImpatiently() -> None:
    """
    If the other side does not answer soon, the links end anyway.
    """
    world = pair()
    running = listening(world.listener)
    world.dial()
    assert world.until(lambda: world.dialer.ended)
    world.dialer.host.cut()
    stopped = running.stop()
    world.run(3.0)
    assert stopped.called
    world.run(FAREWELL)
    assert isDown(world, world.listener)
    world.end()


@pytest.mark.parametrize("pause", [0.0, 1.0])
@pytest.mark.parametrize("once", [True, False])
def test_restart(once: bool, pause: float) -> None:
    """
    A service that was stopped starts again on the port that was chosen, at once or a
    little later.
    """
    world = pair()
    running = listening(world.listener, port=4000, once=once)
    world.run(1.0)
    stopped = running.stop()
    stopped.addCallback(
        lambda _: world.clock.callLater(pause, running.service.startService)
    )
    world.run(10.0)
    assert [each.port for each in world.listener.told(Listening)] == [4000, 4000]
    assert len(world.listener.told(Waiting)) == 2
    assert running.done == []
    world.dial(world.listener.told(CodeAllotted)[-1].code)
    assert world.until(lambda: world.dialer.ended)
    assert world.dialer.links
    world.end()


def test_redial() -> None:
    """
    A dialing service dials again when its link has ended, however that came about.
    """
    world = pair()
    serving = listening(world.listener)
    running = dialing(world.dialer, world.listener.code)
    assert world.until(lambda: len(serving.talkers) == 1)
    serving.talkers[0].transport.loseConnection()
    assert world.until(lambda: len(running.talkers) == 2, 5.0)
    world.dialer.host.reset()
    assert world.until(lambda: len(running.talkers) == 3, 5.0)
    world.run(1.0)
    assert serving.talkers[-1].received == b"Served."
    assert running.done == []
    world.end()


def test_backoff() -> None:
    """
    While nothing answers, a dialing service tries ever more rarely; it is linked again
    when the rendezvous is back.
    """
    world = pair()
    listening(world.listener)
    running = dialing(world.dialer, world.listener.code)
    assert world.until(lambda: len(running.talkers) == 1)
    world.rendezvous.stop()
    world.listener.host.reset()
    world.run(600.0)
    tries = [
        when for when, event in world.dialer.events if isinstance(event, Listening)
    ]
    pauses = [after - before for before, after in pairwise(tries)]
    assert 8 <= len(tries) <= 20
    assert pauses[-1] > 20.0 > pauses[1]
    world.rendezvous.start()
    assert world.until(lambda: len(running.talkers) == 2, 150.0)
    world.end()


def test_dialOnce() -> None:
    """
    A dialing service that is to make one link is done when that ends.
    """
    world = pair()
    world.listen()
    running = dialing(world.dialer, world.listener.code, once=True)
    assert world.until(lambda: world.listener.links)
    world.listener.link.loseConnection()
    world.run(1.0)
    assert running.done == [None]
    assert isDown(world, world.dialer)
    world.end()


def test_noSense() -> None:
    """
    If it makes no sense to go on, a dialing service ends, and says why.
    """
    world = pair()
    running = dialing(world.dialer, "7-zebra-zoo")
    world.run(5.0)
    [error] = running.done
    assert isinstance(error, PunchError)
    assert [each.reason for each in world.dialer.told(Failed)] == ["no-such-name"]
    world.end()


def test_refusedProtocol() -> None:
    """
    A factory that builds no protocol ends that link, and the service goes on.
    """
    world = pair()
    running = listening(world.listener)
    running.factory.isWilling = False
    world.dial()
    assert world.until(lambda: world.dialer.talker.reason)
    running.factory.isWilling = True
    [second] = dialers(world, running, 1)
    assert world.until(lambda: second.talker.heardAt)
    world.end()

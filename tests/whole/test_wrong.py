"""
Dialers that do not know a code's words, and those that behave as if they did not.
"""

from __future__ import annotations

import pytest

from punch.events import CodeAllotted
from punch.reasons import Reason
from punch.rendezvous.server.limits import Limits
from punch.signaling.code import parseCode
from punch.signaling.meetingpoint import NAME_GUESSES, NAME_REFILL
from tests.support.whole.guesser import WRONG_WORDS, Guesser, wrong
from tests.support.whole.services import NAME, dialName, listening, standing
from tests.support.whole.world import World, pair


def newest(world: World) -> str:
    """
    The code that the listener was given last.
    """
    return world.listener.told(CodeAllotted)[-1].code


def guess(world: World, name: str, secret: bytes = WRONG_WORDS.encode()) -> Guesser:
    """
    Have a guesser dial.
    """
    return Guesser(world.host(), name, secret).begin()


def checkUnknown(guesser: Guesser) -> None:
    """
    The rendezvous did not know the name.
    """
    assert guesser.error is not None
    assert guesser.error.reason is Reason.NO_SUCH_NAME
    guesser.leave()


def test_bothAreTold() -> None:
    """
    A wrong code ends both waits, with the reason, before anybody connects.
    """
    world = pair()
    world.listen()
    code = world.listener.code
    world.dial(wrong(code))
    assert world.until(lambda: world.listener.ended and world.dialer.ended, 1.0)
    assert (world.listener.reason, world.dialer.reason) == ("wrong-code", "wrong-code")
    assert not world.listener.links
    assert not world.dialer.links
    late = guess(world, parseCode(code).name)
    world.run(1.0)
    checkUnknown(late)
    world.end()


def test_newCode() -> None:
    """
    A service's code dies of a wrong guess; it gets another, by which a right dialer
    connects, and the old number is unknown.
    """
    world = pair()
    listening(world.listener)
    code = world.listener.code
    world.dial(wrong(code))
    world.run(1.0)
    assert newest(world) != code
    late = guess(world, parseCode(code).name, parseCode(code).secret)
    right = world.dial(newest(world), world.program(world.host("drop"), b"Right."))
    assert world.until(lambda: right.ended)
    assert right.links
    checkUnknown(late)
    world.end()


@pytest.mark.parametrize("reason", [None, Reason.CANCELLED, Reason.DONE])
def test_leaving(reason: Reason | None) -> None:
    """
    A dialer that leaves after the listener's answer has used up the guess, whatever
    reason it gives.
    """
    world = pair()
    listening(world.listener)
    code = world.listener.code
    guesser = guess(world, parseCode(code).name)
    assert world.until(lambda: guesser.answers, 2.0)
    guesser.leave(reason)
    assert world.until(lambda: newest(world) != code, 15.0)
    late = guess(world, parseCode(code).name)
    world.run(1.0)
    checkUnknown(late)
    world.end()


def test_silence() -> None:
    """
    A dialer that says nothing after the answer has used up the guess, too.
    """
    world = pair()
    world.listen()
    guesser = guess(world, parseCode(world.listener.code).name)
    assert world.until(lambda: world.listener.ended, 15.0)
    assert world.listener.reason == "unproven"
    assert len(guesser.answers) == 1
    guesser.leave()
    world.end()


def test_parallel() -> None:
    """
    However many dial at once, one gets a guess, and none of them a second when the
    next code is tried; that code lives.
    """
    world = pair()
    listening(world.listener)
    code = world.listener.code
    guessers = [guess(world, parseCode(code).name) for _ in range(5)]
    world.run(1.0)
    assert [len(each.answers) for each in guessers] == [1, 0, 0, 0, 0]
    guessers[0].leave(Reason.WRONG_CODE)
    assert world.until(lambda: newest(world) != code, 1.0)
    right = world.dial(newest(world))
    assert world.until(lambda: right.ended)
    assert right.links, world
    assert [len(each.answers) for each in guessers] == [1, 0, 0, 0, 0]
    for each in guessers:
        each.leave()
    world.end()


def test_rightBehindWrong() -> None:
    """
    A dialer with the right code that comes while another has the guess hears soon that
    the code is used up.
    """
    world = pair()
    listening(world.listener)
    code = world.listener.code
    guesser = guess(world, parseCode(code).name)
    world.run(0.1)
    right = world.dial(code)
    world.run(1.0)
    guesser.leave(Reason.WRONG_CODE)
    assert world.until(lambda: right.ended, 1.0), world
    world.end()


def test_standing() -> None:
    """
    A standing name survives wrong guesses, at first as many at once as it may, then
    one at a time; and then a right dialer connects.
    """
    world = pair()
    standing(world.listener)
    world.run(1.0)
    guessers = [guess(world, NAME) for _ in range(NAME_GUESSES + 2)]
    world.run(1.0)
    answered = [len(each.answers) for each in guessers]
    assert answered == [1] * NAME_GUESSES + [0, 0]
    for each in guessers:
        each.leave(Reason.WRONG_CODE)
    world.run(2 * NAME_REFILL)
    dialer = dialName(world.dialer)
    assert world.until(lambda: dialer.ended)
    assert dialer.links
    world.end()


@pytest.mark.timeout(20)
def test_slowly() -> None:
    """
    A dialer that tries a standing name again and again gets one guess in each
    L{NAME_REFILL} seconds.
    """
    world = pair()
    standing(world.listener)
    world.run(1.0)
    tried = []
    began = world.clock.seconds()
    while world.clock.seconds() < began + 120.0:
        tried.append(guess(world, NAME))
        world.run(1.5)
        tried[-1].leave(Reason.WRONG_CODE)
    answers = sum(len(each.answers) for each in tried)
    assert answers <= NAME_GUESSES + 120.0 / NAME_REFILL + 1
    assert answers > 120.0 / NAME_REFILL - 1
    world.end()


def test_refusedRenewal() -> None:
    """
    If the rendezvous refuses the next code for a while, the listener has one again
    soon after that.
    """
    world = pair(limits=Limits(publicationsPerMinute=1))
    listening(world.listener)
    code = world.listener.code
    guesser = guess(world, parseCode(code).name)
    assert world.until(lambda: guesser.answers, 2.0)
    guesser.leave(Reason.WRONG_CODE)
    world.run(75.0)
    right = world.dial(newest(world))
    assert world.until(lambda: right.ended)
    assert right.links
    world.end()

"""
What tests ask of a meeting that is over.
"""

from __future__ import annotations

from punch.events import Connected, Judged
from punch.link.path import FAREWELL

from .program import Program
from .world import T, World


def judged(world: World) -> str:
    """
    Why they have not met, of which both say the same.
    """
    [[ours], [theirs]] = [each.told(Judged) for each in world.programs]
    assert ours == theirs
    assert ours.reason == world.dialer.reason == world.listener.reason
    return ours.reason


def finish(world: World) -> None:
    """
    A clean end on both sides, after which nothing is left.
    """
    for each in world.programs:
        each.link.loseConnection()
    world.run(2 * T + FAREWELL)
    for each in world.programs:
        assert each.talker.isClean, world
    world.end()


def elapsed(world: World) -> float:
    """
    How long the dial took, when both have met.
    """
    world.settle()
    assert world.listener.told(Connected), world
    [connected] = world.dialer.told(Connected)
    return connected.elapsed


def bothLinked(world: World) -> bool:
    """
    Each side has a link, and they are two ends of one.
    """
    listener, dialer = world.listener, world.dialer
    assert listener.links, world
    assert dialer.links, world
    world.run(1.0)
    return (
        listener.talker.received == dialer.talker.greeting
        and dialer.talker.received == listener.talker.greeting
        and listener.link.getHost().pin == dialer.link.getPeer().pin
        and dialer.link.getHost().pin == listener.link.getPeer().pin
    )


def isDown(world: World, program: Program) -> bool:
    """
    Whether nothing of a program is left.
    """
    world.run(0.001)
    return program.host.sockets() == []

"""
The strategy: what two peers do about NATs that do not keep their shared ports.

Each knows how its own NATs translate, and hears it of the other's; so both come to
the same conclusion without asking.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from random import Random

from punch.nat.behavior import ObservedBehavior

WINDOW = 8
"""
Ports before and behind one that was just seen, among which a sequential NAT's mapping
for the other side is looked for, at least: there are more if others use it much.
"""

MAX_WINDOW = 12
"""
The same, at most.
"""


RUN_LENGTH = 2
"""
Connects that count on as many ports to be taken by others.
"""


class Strategy(Enum):
    """
    What one peer does, beside the race.
    """

    NONE = "nothing: the race will do, or nothing will"
    PREDICT = "tell the other side which of our ports to try"
    PREDICT_NEXT = "tell the other side which of our ports to try, as it does"
    SEARCH_FROM_MANY = "connect from many ports to the other side's one"
    SEARCH_TO_MANY = "connect from our one port to many of the other side's"


def strategyFor(
    own: ObservedBehavior | None, other: ObservedBehavior | None
) -> Strategy:
    """
    Our part.

    @param own: C{None} if it is not known.
    """
    if own is None or other is None:
        return Strategy.NONE
    if own.isSequential:
        # One that maps at random gets in, too, where our NAT filters by address alone.
        return Strategy.PREDICT_NEXT if other.isSequential else Strategy.PREDICT
    if own.isRandom and other.isEndpointIndependent:
        return Strategy.SEARCH_FROM_MANY
    if own.isEndpointIndependent and other.isRandom:
        return Strategy.SEARCH_TO_MANY
    return Strategy.NONE


def portsAround(own: ObservedBehavior, seen: int, foreign: int) -> list[int]:
    """
    The ports of ours that the other side is to try where it keeps its own: our connect
    to it is under way and has its mapping, near one that was made at about that time.

    @param seen: that one's outside port.
    @param foreign: mappings that others made, in about the time between the two.
    """
    near = range(1, min(WINDOW + foreign, MAX_WINDOW) + 1)
    return _valid(seen + sign * own.step * each for each in near for sign in (-1, 1))


def portsAfter(own: ObservedBehavior, seen: int, foreign: int) -> list[int]:
    """
    The ports of ours that are next, in order.  If neither side keeps ports, each
    connect of either gets one of its own: the first of ours and the first of theirs
    meet on the next two ports, and so on.  And a NAT that answers has our connect made
    anew again and again, each time from the next port.

    @param seen: the outside port of a connection that we made just now.
    @param foreign: see L{portsAround}.
    """
    count = min(2 * WINDOW + foreign, 2 * MAX_WINDOW)
    return _valid(seen + own.step * each for each in range(1, count + 1))


def portsAfterSkipping(own: ObservedBehavior, seen: int, foreign: int) -> list[int]:
    """
    The same from one of two sides that both keep no ports, with a port left out after
    each L{RUN_LENGTH}.  If others have taken I{s} ports of both sides' since they were
    seen, no connect meets another whose number is its own; those behind the I{s}th gap
    do.
    """
    count = min(2 * WINDOW + foreign, 2 * MAX_WINDOW)
    numbers = (1 + each + each // RUN_LENGTH for each in range(count))
    return _valid(seen + own.step * each for each in numbers)


def _valid(ports: Iterable[int]) -> list[int]:
    return [port for port in ports if 0 < port < 65536]


def shuffledPorts(ports: tuple[int, int], random: Random) -> Iterator[int]:
    """
    All ports from the first to the last, each once, in random order.
    """
    first, last = ports
    # A shuffle in pieces: only what was swapped is remembered.
    swapped: dict[int, int] = {}
    for end in range(last - first, -1, -1):
        pick = random.randint(0, end)
        yield first + swapped.get(pick, pick)
        swapped[pick] = swapped.pop(end, end)

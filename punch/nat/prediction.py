"""
Port prediction: what two peers do about NATs whose mapping is not endpoint-independent.

Each peer knows the behavior of its own NATs and is told that of the other's, so both
choose matching strategies without a further question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from random import Random

from punch.nat.behavior import ObservedBehavior

WINDOW = 8
"""
Ports before and after one that was just seen among which a sequential NAT's mapping for
the peer is expected, at least.  There are more if others use the NAT much.
"""

MAX_WINDOW = 12
"""
The same, at most.
"""


RUN_LENGTH = 2
"""
Consecutive ports before one is left out; see L{portsAfterSkipping}.
"""


class Strategy(Enum):
    """
    What one peer does about the two peers' NATs, beside the race.  Traces show the
    values.
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
    Choose our strategy.

    @param own: the behavior of our NATs; C{None} if it is not known.
    @param other: the behavior of the peer's NATs; C{None} if it is not known.
    """
    if own is None or other is None:
        return Strategy.NONE
    if own.isSequential:
        # Where our NAT filters by address alone, one that maps at random gets in, too.
        return Strategy.PREDICT_NEXT if other.isSequential else Strategy.PREDICT
    if own.isRandom and other.isEndpointIndependent:
        return Strategy.SEARCH_FROM_MANY
    if own.isEndpointIndependent and other.isRandom:
        return Strategy.SEARCH_TO_MANY
    return Strategy.NONE


def portsAround(own: ObservedBehavior, seen: int, foreign: int) -> list[int]:
    """
    The ports of ours that the other side is to try if its mapping is
    endpoint-independent.  Our connect to it is in progress, and has a mapping near one
    that was made at about the same time.

    @param seen: the external port of that other mapping.
    @param foreign: mappings that others made in about the time between the two.
    """
    near = range(1, min(WINDOW + foreign, MAX_WINDOW) + 1)
    return _valid(seen + sign * own.step * each for each in near for sign in (-1, 1))


def portsAfter(own: ObservedBehavior, seen: int, foreign: int) -> list[int]:
    """
    The ports of ours that are allocated next, in order.

    If no side's mapping is endpoint-independent, each connect gets a port of its own:
    the first of ours and the first of theirs meet on the next two ports, and so on.  A
    NAT that refuses makes us connect again and again, each time from the next port.

    @param seen: the external port of a connection that we made just now.
    @param foreign: see L{portsAround}.
    """
    count = min(2 * WINDOW + foreign, 2 * MAX_WINDOW)
    return _valid(seen + own.step * each for each in range(1, count + 1))


def portsAfterSkipping(own: ObservedBehavior, seen: int, foreign: int) -> list[int]:
    """
    The same with one port left out after each L{RUN_LENGTH}, for one of two sides of
    which neither has an endpoint-independent mapping.  If others have taken I{s} ports
    of each side since these were seen, connects of the same number do not meet, but
    those after the I{s}th gap do.
    """
    count = min(2 * WINDOW + foreign, 2 * MAX_WINDOW)
    numbers = (1 + each + each // RUN_LENGTH for each in range(count))
    return _valid(seen + own.step * each for each in numbers)


def _valid(ports: Iterable[int]) -> list[int]:
    return [port for port in ports if 0 < port < 65536]


def shuffledPorts(ports: tuple[int, int], random: Random) -> Iterator[int]:
    """
    All ports from the first to the last, each once, in random order.

    @param ports: the first and the last.
    """
    first, last = ports
    # A Fisher-Yates shuffle that remembers only the ports that were swapped.
    swapped: dict[int, int] = {}
    for end in range(last - first, -1, -1):
        pick = random.randint(0, end)
        yield first + swapped.get(pick, pick)
        swapped[pick] = swapped.pop(end, end)

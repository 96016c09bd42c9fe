"""
The strategy: what two peers do about NATs that do not keep their shared ports.

Each knows how its own NATs translate, and hears it of the other's; so both come to
the same conclusion without asking.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from random import Random

from punch.nat.behavior import Translation

WINDOW = 8
"""
Ports before and behind one that was just seen, among which a sequential NAT's mapping
for the other side is looked for, at least: there are more if others use it much.
"""

WIDEST = 12
"""
The same, at most.
"""


ALIKE = 2
"""
Connects that count on as many ports to be taken by others.
"""


class Part(Enum):
    """
    What one peer does, beside the race.
    """

    REST = "nothing: the race will do, or nothing will"
    PREDICT = "tell the other side which of our ports to try"
    PREDICT_NEXT = "tell the other side which of our ports to try, as it does"
    SPREAD = "connect from many ports to the other side's one"
    GUESS = "connect from our one port to many of the other side's"


def partOf(own: Translation | None, other: Translation | None) -> Part:
    """
    Our part.

    @param own: C{None} if it is not known.
    """
    if own is None or other is None or own.keepsPort is other.keepsPort is True:
        return Part.REST
    if own.isSequential:
        # One that maps at random gets in, too, where our NAT filters by address alone.
        return Part.PREDICT_NEXT if other.isSequential else Part.PREDICT
    if own.isRandom and other.keepsPort:
        return Part.SPREAD
    if own.keepsPort and other.isRandom:
        return Part.GUESS
    return Part.REST


def around(own: Translation, seen: int, strays: int) -> list[int]:
    """
    The ports of ours that the other side is to try where it keeps its own: our connect
    to it is under way and has its mapping, near one that was made at about that time.

    @param seen: that one's outside port.
    @param strays: mappings that others made, in about the time between the two.
    """
    near = range(1, min(WINDOW + strays, WIDEST) + 1)
    return _valid(seen + sign * own.step * each for each in near for sign in (-1, 1))


def following(own: Translation, seen: int, strays: int) -> list[int]:
    """
    The ports of ours that are next, in order.  If neither side keeps ports, each
    connect of either gets one of its own: the first of ours and the first of theirs
    meet on the next two ports, and so on.  And a NAT that answers has our connect made
    anew again and again, each time from the next port.

    @param seen: the outside port of a connection that we made just now.
    @param strays: see L{around}.
    """
    count = min(2 * WINDOW + strays, 2 * WIDEST)
    return _valid(seen + own.step * each for each in range(1, count + 1))


def skipping(own: Translation, seen: int, strays: int) -> list[int]:
    """
    The same from one of two sides that both keep no ports, with a port left out after
    each L{ALIKE}.  If others have taken I{s} ports of both sides' since they were seen,
    no connect meets another whose number is its own; those behind the I{s}th gap do.
    """
    count = min(2 * WINDOW + strays, 2 * WIDEST)
    numbers = (1 + each + each // ALIKE for each in range(count))
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

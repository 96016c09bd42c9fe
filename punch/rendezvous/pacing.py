"""
Pacing: how long each side of an introduction waits, so that both start at once.
"""

from __future__ import annotations

LONGEST = 2.0
"""
Seconds; a round trip that is said to be longer counts as this.
"""


def clamp(roundTrip: float) -> float:
    """
    A round trip, in seconds, within reason.
    """
    return min(max(roundTrip, 0.0), LONGEST)


def waits(first: float | None, second: float | None) -> tuple[float, float]:
    """
    How long each of two clients waits from hearing of the introduction, both being
    told at one instant, so that the nearer starts when the farther does.

    @param first: the first's round trip in seconds, L{None} if not known: then it
        counts as equal to the other's.
    """
    if first is None or second is None:
        return 0.0, 0.0
    first, second = clamp(first), clamp(second)
    farther = max(first, second)
    return (farther - first) / 2, (farther - second) / 2

"""
The ruler: where a time lies in a picture, and where its axis is marked.
"""

from __future__ import annotations

from dataclasses import dataclass

_TICKS = 8


@dataclass(frozen=True)
class Ruler:
    """
    Times from 0 to C{until} seconds, between C{left} and C{right}.
    """

    until: float
    left: float
    right: float

    def x(self, at: float) -> float:
        """
        Where a time lies; at an end, if it is not in the picture.
        """
        part = min(max(at / self.until, 0.0), 1.0)
        return self.left + part * (self.right - self.left)

    def shows(self, at: float) -> bool:
        """
        Whether a time is in the picture.
        """
        return at <= self.until

    def ticks(self) -> list[tuple[float, str]]:
        """
        Round times that are marked, and what they are called.
        """
        step = _round(self.until / _TICKS)
        count = int(self.until / step + 1e-6)
        return [(n * step, _named(n * step, step)) for n in range(count + 1)]


def _round(least: float) -> float:
    """
    The first of 1, 2, 5, 10, 20... (of whatever unit) that is not less.
    """
    unit = 1e-6
    while True:
        for part in (1, 2, 5):
            if unit * part >= least:
                return unit * part
        unit *= 10


def _named(at: float, step: float) -> str:
    if step >= 1:
        return f"{at:.0f} s"
    return f"{at * 1000:.0f} ms" if step >= 0.001 else f"{at * 1000:.3g} ms"

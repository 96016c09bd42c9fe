"""
The table of pairs: how often each connected, how fast, by what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .nats import DROP
from .run import Outcome

_HEAD = ("listener", "dialer", "direct", "median", "max", "to drop x drop", "by")
_LINE = "{:<10} {:<10} {:>7} {:>9} {:>9} {:>15}  {}"


@dataclass(frozen=True)
class Row:
    """
    The outcomes of one pair of kinds.
    """

    listener: str
    dialer: str
    outcomes: Sequence[Outcome]

    @property
    def elapsed(self) -> list[float]:
        """
        The dialer's seconds, of the runs that connected.
        """
        return [o.elapsed for o in self.outcomes if o.elapsed is not None]

    @property
    def complete(self) -> bool:
        """
        Did every run connect directly?
        """
        return all(o.connected and o.path == "direct" for o in self.outcomes)

    @property
    def median(self) -> float | None:
        """
        The median of L{elapsed}, or L{None} if no run connected.
        """
        return median(self.elapsed) if self.elapsed else None

    def by(self) -> str:
        """
        What won or why nothing did, the commonest first.
        """
        counts = Counter(
            f"{o.kind} {o.how}" if o.connected else f"FAILED {o.reason}"
            for o in self.outcomes
        )
        return ", ".join(f"{text} {n}" for text, n in counts.most_common())


def headline() -> str:
    """
    The table's first line.
    """
    return _LINE.format(*_HEAD)


def line(row: Row, yardstick: float | None) -> str:
    """
    One line of the table.

    @param yardstick: the median of drop x drop, if it is known.
    """
    good = sum(o.connected and o.path == "direct" for o in row.outcomes)
    middle = row.median
    return _LINE.format(
        row.listener,
        row.dialer,
        f"{good}/{len(row.outcomes)}",
        milliseconds(middle),
        milliseconds(max(row.elapsed, default=None)),
        f"{middle / yardstick:.2f}" if middle and yardstick else "-",
        row.by(),
    )


def summary(rows: Sequence[Row], latency: float) -> str:
    """
    What the rows come to: pairs missed, and drop x drop against the least that a
    dial over plain TCP can cost, four round trips.

    @param latency: seconds, one way, on each leg of the wire.
    """
    least = 4 * 4 * latency
    missed = [f"{r.listener} x {r.dialer}" for r in rows if not r.complete]
    lines = [f"missed: {', '.join(missed)}" if missed else "every run connected"]
    lines.append(f"four round trips: {milliseconds(least)}")
    plain = medianOf(rows, DROP, DROP)
    if plain and least:
        lines.append(f"drop x drop: {plain / least:.2f} x four round trips")
    return "\n".join(lines)


def medianOf(rows: Sequence[Row], listener: str, dialer: str) -> float | None:
    """
    The median of one pair, or L{None} if it is not there or never connected.
    """
    found = (r.median for r in rows if (r.listener, r.dialer) == (listener, dialer))
    return next(found, None)


def milliseconds(seconds: float | None) -> str:
    """
    A time for people, or a dash.
    """
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"

"""
The table of results, and what is read from it.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OURS = "punch"


@dataclass(frozen=True)
class Column:
    """
    C{unit}: of its values.  C{digits}: after the point.
    """

    name: str
    unit: str
    digits: int = 0


class Table:
    """
    Samples by route and column; a cell is their median.
    """

    def __init__(self) -> None:
        self._samples: dict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, route: str, values: Mapping[str, float]) -> None:
        """
        One more sample of some columns.
        """
        for column, value in values.items():
            self._samples[route, column].append(value)

    def cell(self, route: str, column: str) -> float | None:
        """
        C{None} where nothing could be measured.
        """
        samples = self._samples.get((route, column))
        return statistics.median(samples) if samples else None

    def ratio(self, column: str, route: str) -> float | None:
        """
        Ours to that route's.
        """
        ours, theirs = self.cell(OURS, column), self.cell(route, column)
        return None if ours is None or not theirs else ours / theirs

    def lines(self, routes: Sequence[str], columns: Sequence[Column]) -> list[str]:
        """
        A head of two lines, the routes' lines, then those of the ratios.
        """
        rows = [["", *(each.name for each in columns)]]
        rows.append(["", *(each.unit for each in columns)])
        for route in routes:
            cells = [
                _text(self.cell(route, each.name), each.digits) for each in columns
            ]
            rows.append([route, *cells])
        for route in routes:
            ratios = [self.ratio(each.name, route) for each in columns]
            if route != OURS and any(ratio is not None for ratio in ratios):
                cells = [_text(ratio, 2) for ratio in ratios]
                rows.append([f"{OURS} / {route}", *cells])
        return _aligned(rows)


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]

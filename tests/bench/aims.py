"""
Aims: what our figures are to reach.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.table import OURS, Table


@dataclass(frozen=True)
class Aim:
    """
    A bound for our figures, the worst of them; or for their ratios to a route's.

    C{least}: whether they are to be that at least, else at most.
    """

    text: str
    columns: tuple[str, ...]
    bound: float
    least: bool = False
    route: str | None = None

    def reached(self, table: Table) -> float | None:
        """
        The figure that counts; C{None} if any is missing.
        """
        values = [self._value(table, column) for column in self.columns]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        return min(known) if self.least else max(known)

    def _value(self, table: Table, column: str) -> float | None:
        if self.route is None:
            return table.cell(OURS, column)
        return table.ratio(column, self.route)

    def line(self, table: Table) -> str:
        """
        Whether it is met.
        """
        value = self.reached(table)
        if value is None:
            return f"not measured  {self.text}"
        met = value >= self.bound if self.least else value <= self.bound
        return f"{'met' if met else 'NOT MET':<12}  {self.text}: {value:.2f}"


_BULK = "up", "down"
_BESIDE = "beside up", "beside down"

AIMS = (
    Aim("bulk, of tls, at least 0.8", _BULK, 0.8, least=True, route="tls"),
    Aim("bulk, of fowl, at least 2", _BULK, 2.0, least=True, route="fowl"),
    Aim("bulk, of ssh, past 1", _BULK, 1.0, least=True, route="ssh"),
    Aim("echo p50, ms, under 1", ("echo p50",), 1.0),
    Aim("echo p50, of tls, at most 1.5", ("echo p50",), 1.5, route="tls"),
    Aim("echo p99 beside bulk, ms, under 20", _BESIDE, 20.0),
    Aim("new connection, ms, under 3", ("connect",), 3.0),
    Aim("slow reader, MB of either process, under 100", ("peak",), 100.0),
    Aim("idle stream, KiB, under 30", ("idle",), 30.0),
    Aim("short connections, KiB of growth, at most 1024", ("memory",), 1024.0),
    Aim("short connections, files left open, none", ("files",), 0.0),
)

"""
The ordeal of a durable link: its path is killed again and again, under load.

C{python -m tests.lab.durable --kills 50 --megabytes 500} is the long form.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic, sleep, time

from .__main__ import runCommand
from .faults import FAULTS, reset
from .load import MEBIBYTE, Echo, LoadFailed, Transfer
from .nats import DROP, NONE, PER_SIDE, RANDOM
from .requirements import missing
from .run import keptDirectory
from .standing import StandingPair
from .topology import Laboratory

RESTART = "restart"
KINDS = (*FAULTS, RESTART)
"""
All that can kill a path here, by name.
"""

_OTHERS = ("flush", "unplug", "reset")
PLAN = (*_OTHERS, "move", RESTART, *_OTHERS, "renumber", RESTART)
"""
Five sorts of kill in turn, one of which is another address of either sort.
"""

PATIENCE = 60.0
"""
Seconds until a link that does not go on is given up.
"""

_HEAD = ("", "kill", "side", "path", "outage", "then", "direct after")
_LINE = "{:>3}  {:<9} {:<5} {:<8} {:>9}  {:<8} {:>12}"


@dataclass(frozen=True)
class Kill:
    """
    What came of one kill.

    @ivar kind: one of L{KINDS}.
    @ivar side: the peer on whose side it was done, C{a} or C{b}.
    @ivar before: what carried the link then, C{direct} or C{relayed}.
    @ivar outage: seconds from when the network was back to when bytes came again.
    @ivar after: what carried it in the end.
    @ivar direct: seconds from when the network was back to when a direct path
        carried it again, if one had to.
    """

    kind: str
    side: str
    before: str
    outage: float
    after: str
    direct: float | None

    def line(self, number: int) -> str:
        """
        Its line in the table.
        """
        return _LINE.format(
            number,
            self.kind,
            self.side,
            self.before,
            seconds(self.outage),
            self.after,
            seconds(self.direct),
        )


@dataclass(frozen=True)
class Report:
    """
    What came of all.

    @ivar trips: the seconds that each line of the echo took.
    """

    kills: Sequence[Kill]
    trips: Sequence[float]
    megabytes: int
    elapsed: float

    @property
    def median(self) -> float:
        """
        The median outage, in seconds.
        """
        return median(kill.outage for kill in self.kills)

    @property
    def longest(self) -> float:
        """
        The longest outage, in seconds.
        """
        return max(kill.outage for kill in self.kills)

    def lines(self) -> Iterable[str]:
        """
        The medians, and the load.
        """
        for kind in KINDS:
            outages = [kill.outage for kill in self.kills if kill.kind == kind]
            if outages:
                yield (
                    f"{kind:<9} {len(outages):>3} times: median"
                    f" {seconds(median(outages))}, longest {seconds(max(outages))}"
                )
        yield (
            f"all       {len(self.kills):>3} times: median {seconds(self.median)},"
            f" longest {seconds(self.longest)}"
        )
        yield (
            f"{self.megabytes} MiB each way, hashes equal, in {self.elapsed:.0f} s;"
            f" echo: {len(self.trips)} lines, the slowest {seconds(max(self.trips))}"
        )


@dataclass
class Ordeal:
    """
    Kills one after another, each in the midst of its share of the load.

    @ivar kinds: what kills, in turn, each time on the other side.
    @ivar settle: for how many seconds after each a direct path is waited for.
    @ivar tell: called with a line for each.
    """

    pair: StandingPair
    megabytes: int
    kinds: Sequence[str] = PLAN
    settle: float = 5.0
    tell: Callable[[str], object] = print
    done: list[Kill] = field(default_factory=list)

    def run(self, kills: int) -> Report:
        """
        Do it.

        @raise LoadFailed: the link did not live through it.
        """
        total, started = self.megabytes * MEBIBYTE, monotonic()
        self.tell(_LINE.format(*_HEAD))
        with self.pair.transfer() as transfer, self.pair.echo() as echo:
            for number, (kind, side) in enumerate(self._plan(kills)):
                begin, end = (total * n // kills for n in (number, number + 1))
                transfer.allow(end)
                transfer.awaitAny((begin + end) // 2, PATIENCE)
                self.done.append(self._kill(kind, side, transfer, echo))
                self.tell(self.done[-1].line(number + 1))
                transfer.awaitReceived(end, PATIENCE)
            transfer.allow(total, last=True)
            transfer.finish(PATIENCE)
            echo.finish()
        elapsed = monotonic() - started
        return Report(self.done, echo.trips, self.megabytes, elapsed)

    def _plan(self, kills: int) -> Iterator[tuple[str, str]]:
        """
        The kinds in turn, the sides too, so that each kind meets either.
        """
        count = len(self.kinds)
        for number in range(kills):
            turn = number // count if count % 2 == 0 else 0
            yield self.kinds[number % count], "ba"[(number + turn) % 2]

    def _kill(self, kind: str, side: str, transfer: Transfer, echo: Echo) -> Kill:
        before, _ = self.pair.dialer.path()
        self._note("kill", kind, side)
        back = self._do(kind, side, before)
        self._note("back", kind, side)
        outage = transfer.outage(back, PATIENCE)
        echo.awaitLine(PATIENCE)
        after, since = self._settled()
        direct = since - back if after == "direct" and since > back else None
        return Kill(kind, side, before, outage, after, direct)

    def _note(self, event: str, kind: str, side: str) -> None:
        """
        For who reads it beside the programs' events.
        """
        line = {"event": event, "time": time(), "kind": kind, "side": side}
        with open(self.pair.directory / "ordeal.events", "a", encoding="ascii") as log:
            log.write(json.dumps(line) + "\n")

    def _do(self, kind: str, side: str, path: str) -> float:
        lab = self.pair.lab
        towards = lab.rendezvousAddress if path == "relayed" else ""
        if kind == "reset":
            return reset(lab, side, towards)
        if kind != RESTART:
            return FAULTS[kind](lab, side)
        self.pair.rendezvous.kill()
        reset(lab, side, towards)
        return self.pair.startRendezvous()

    def _settled(self) -> tuple[str, float]:
        deadline = monotonic() + self.settle
        while (path := self.pair.dialer.path())[0] != "direct":
            if monotonic() > deadline:
                break
            sleep(0.02)
        return path


def seconds(value: float | None) -> str:
    """
    For people.
    """
    return "-" if value is None else f"{value:.2f} s"


def parser() -> argparse.ArgumentParser:
    """
    The command line.
    """
    made = argparse.ArgumentParser(
        prog="python -m tests.lab.durable",
        description="Kill the path of a link under load, again and again.",
    )
    add = made.add_argument
    behind = [kind for kind in (*PER_SIDE, RANDOM) if kind != NONE]
    add("A", nargs="?", choices=behind, default=DROP, help="the listener's side")
    add("B", nargs="?", choices=behind, default=DROP, help="the dialer's side")
    add("--kills", type=int, default=50, metavar="N")
    add("--megabytes", type=int, default=500, metavar="N", help="MiB, each way")
    add(
        "--only",
        action="append",
        choices=KINDS,
        help="repeatable; default: all of the plan",
    )
    add("--keep-logs", type=Path, metavar="DIR", help="leave logs and events there")
    return made


def main(args: list[str] | None = None) -> int:
    """
    The long form.

    @return: the exit status: 0 if the link lived through all, and came back soon.
    """
    made = parser()
    options = made.parse_args(args)
    if missing():
        made.error(f"the laboratory needs {', '.join(missing())}")
    with (
        keptDirectory(options.keep_logs, "durable") as directory,
        Laboratory(options.A, options.B) as lab,
        StandingPair(lab, directory) as pair,
    ):
        settle = 0.0 if options.A == options.B == RANDOM else 5.0
        ordeal = Ordeal(pair, options.megabytes, options.only or PLAN, settle)
        try:
            report = ordeal.run(options.kills)
        except LoadFailed as failed:
            print(f"after {len(ordeal.done)} kills: {failed} ({failed.__cause__!r})")
            return 1
        print("", *report.lines(), *pair.memory(), sep="\n")
    return 0 if report.median < 2.0 else 1


if __name__ == "__main__":
    runCommand(main)

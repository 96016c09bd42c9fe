"""
The laboratory by hand: C{python -m tests.lab A B}, C{--table}, C{--demo}.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import NoReturn

from .demo import demo
from .nats import DROP, KINDS, PAIRS, SAME
from .requirements import missing
from .run import Meeting, NotStarted, Outcome, keptDirectory
from .sides import IPV6, P2005, P2025
from .table import Row, headline, line, medianOf, summary
from .topology import Laboratory

_TABLE_RUNS = 10
_SETTINGS = (
    ("latency", float, 20.0, "MS", "one way, on each of the three legs (default: 20)"),
    ("loss", float, 0.0, "PCT", "lost each way on each peer's leg (default: none)"),
    ("runs", int, None, "N", "dials of each pair (default: 1; with --table, 10)"),
    ("timeout", float, 30.0, "S", "the programs' --timeout (default: 30)"),
    ("keep-logs", Path, None, "DIR", "leave the programs' logs and events there"),
)


def parser() -> argparse.ArgumentParser:
    """
    The command line.
    """
    made = argparse.ArgumentParser(
        prog="python -m tests.lab",
        description="Run twist punch between real kernel NATs, in namespaces.",
        epilog=f"Kinds: {', '.join((*KINDS, *IPV6, *P2025))} ('same' is both or"
        " neither); and those of 2005's population: MAPPING/FILTERING/ANSWER/OPENING,"
        f" as in {next(iter(P2005))}.",
    )
    add = made.add_argument
    kinds = (*KINDS, *IPV6, *P2025, *P2005)
    add("A", nargs="?", choices=kinds, metavar="A", help="the listener's side")
    add("B", nargs="?", choices=kinds, metavar="B", help="the dialer's side")
    add("--table", action="store_true", help="all pairs that must connect")
    add("--demo", action="store_true", help="show the programs, and explain")
    for name, kind, default, unit, text in _SETTINGS:
        add(f"--{name}", type=kind, default=default, metavar=unit, help=text)
    return made


def row(options: argparse.Namespace, kindA: str, kindB: str, runs: int) -> Row:
    """
    Run one pair in a laboratory of its own.
    """
    latency, loss = options.latency / 1000, options.loss / 100
    with (
        keptDirectory(options.keep_logs, f"{kindA}-{kindB}") as directory,
        Laboratory(kindA, kindB, latency=latency, loss=loss) as lab,
    ):
        try:
            with Meeting(lab, directory, options.timeout) as meeting:
                outcomes = [meeting.dial() for _ in range(runs)]
        except NotStarted as error:
            missed = Outcome(False, reason="not-started", explanation=str(error))
            outcomes = [missed] * runs
    return Row(kindA, kindB, outcomes)


def pair(options: argparse.Namespace) -> int:
    """
    Run one pair and tell each outcome.
    """
    print(
        f"listener: {options.A}; dialer: {options.B}; "
        f"{options.latency:g} ms a leg, {options.loss:g} % loss"
    )
    done = row(options, options.A, options.B, options.runs or 1)
    for outcome in done.outcomes:
        print(tell(outcome))
    if len(done.outcomes) > 1:
        print(f"\n{headline()}\n{line(done, None)}")
    return 0 if done.complete else 1


def tell(outcome: Outcome) -> str:
    """
    An outcome in a few readable lines.
    """
    if not outcome.connected or outcome.elapsed is None:
        return f"failed: {outcome.reason}\n{indent(outcome.explanation, '  ')}"
    return (
        f"connected: {outcome.path}, {outcome.kind} candidate, {outcome.how} "
        f"at the dialer, {outcome.elapsed * 1000:.0f} ms"
    )


def table(options: argparse.Namespace) -> int:
    """
    Run all pairs that must connect, drop x drop first: it is the yardstick.
    """
    runs = options.runs or _TABLE_RUNS
    pairs = sorted(PAIRS, key=lambda pair: pair != (DROP, DROP))
    rows: list[Row] = []
    print(headline(), flush=True)
    for kindA, kindB in pairs:
        rows.append(row(options, kindA, kindB, runs))
        print(line(rows[-1], medianOf(rows, DROP, DROP)), flush=True)
    print(f"\n{summary(rows, options.latency / 1000)}")
    return 0 if all(row.complete for row in rows) else 1


def main(args: list[str] | None = None) -> int:
    """
    Do what the command line says.

    @return: the exit status: 0 if everything connected.
    """
    made = parser()
    options = made.parse_args(args)
    if options.demo:
        return demo()
    if not options.table and not (options.A and options.B):
        made.error("name the kinds of both sides, or --table, or --demo")
    if (options.A == SAME) != (options.B == SAME):
        made.error("'same' is one NAT before both sides: say 'same same'")
    if missing():
        made.error(f"the laboratory needs {', '.join(missing())}")
    return table(options) if options.table else pair(options)


def runCommand(command: Callable[[], int]) -> NoReturn:
    """
    Run a command, and exit with its status.  A signal ends it as an exception does, so
    that it ends what it has started.
    """

    def interrupted(number: int, frame: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    sys.exit(command())


if __name__ == "__main__":
    runCommand(main)

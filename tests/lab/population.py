"""
The population: pairs drawn as the field has them, run for real, and counted.

C{python -m tests.lab.population --table P-2025 --pairs 40 --seed 1}
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import SystemRandom

from . import census
from .__main__ import runCommand
from .mixture import MIXTURES, Pair
from .requirements import missing
from .trial import Terms, Trial, run


def parser() -> argparse.ArgumentParser:
    """
    The command line.
    """
    made = argparse.ArgumentParser(
        prog="python -m tests.lab.population",
        description="Run pairs drawn from a population of NATs, and count.",
    )
    add = made.add_argument
    add("--table", choices=MIXTURES, default="P-2025", help="the population")
    add("--pairs", type=int, default=40, metavar="N", help="how many (default: 40)")
    add("--seed", help="of the draw (default: drawn, and told)")
    add("--only", type=int, metavar="INDEX", help="run that pair of them alone")
    add("--workers", type=int, default=1, metavar="N", help="at a time (default: 1)")
    add("--latency", type=float, default=20.0, metavar="MS", help="one way, each leg")
    add("--relay", choices=("fallback", "never"), default="fallback")
    add("--timeout", type=float, default=30.0, metavar="S", help="the programs'")
    add(
        "--patience",
        type=float,
        default=35.0,
        metavar="S",
        help="how long to wait behind a relayed link, for a direct one or the verdict"
        " (default: 35)",
    )
    add("--keep-logs", type=Path, metavar="DIR", help="leave logs and events there")
    return made


def termsOf(options: argparse.Namespace) -> Terms:
    """
    What the command line says about how pairs are run.
    """
    return Terms(
        latency=options.latency / 1000,
        relay=options.relay,
        timeout=options.timeout,
        patience=options.patience,
        kept=options.keep_logs,
    )


def drawn(options: argparse.Namespace, seed: str) -> list[Pair]:
    """
    The pairs to run.
    """
    mixture = MIXTURES[options.table]
    indices = range(options.pairs) if options.only is None else [options.only]
    return [mixture.pair(seed, index) for index in indices]


def trials(
    pairs: Sequence[Pair], workers: int, runOne: Callable[[Pair], Trial]
) -> Iterator[Trial]:
    """
    Run pairs, so many at a time; in their order each is told as it is done.
    """
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(runOne, pairs)
    finally:
        # Interrupted, what runs ends properly and what doesn't is not begun.
        pool.shutdown(cancel_futures=True)


def main(
    args: list[str] | None = None, runOne: Callable[[Pair, Terms], Trial] = run
) -> int:
    """
    Do what the command line says.

    @return: the exit status: 0 if every pair had a link.
    """
    made = parser()
    options = made.parse_args(args)
    if missing():
        made.error(f"the laboratory needs {', '.join(missing())}")
    seed = options.seed or str(SystemRandom().getrandbits(32))
    terms = termsOf(options)
    print(
        f"{options.table}, seed {seed}: {options.latency:g} ms a leg,"
        f" relay {terms.relay}; one pair again: --seed {seed} --only PAIR\n"
    )
    print(census.headline(), flush=True)
    done: list[Trial] = []
    pairs = drawn(options, seed)
    try:
        for trial in trials(pairs, options.workers, lambda pair: runOne(pair, terms)):
            done.append(trial)
            print(census.line(trial), flush=True)
    finally:
        # Even of a run that was interrupted: it may have taken an hour.
        if done:
            print(f"\n{census.summary(done)}")
    return 0 if all(trial.usable is not None for trial in done) else 1


if __name__ == "__main__":
    runCommand(main)

"""
What a forward costs beside other ways to the same target, all on loopback and in
one run: C{python -m tests.bench.forward} (Linux).
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from punch.cli.rlimit import raiseFileLimit
from tests.bench.aims import AIMS
from tests.bench.figures import FIGURES, QUICK, Figure, Scale
from tests.bench.fowl import fowling
from tests.bench.routes import WAYS, Route, Way, routing
from tests.bench.table import Column, Table

COLUMNS = (
    Column("up", "MB/s"),
    Column("down", "MB/s"),
    Column("echo p50", "ms", 3),
    Column("echo p99", "ms", 3),
    Column("beside up", "p99 ms", 2),
    Column("beside down", "p99 ms", 2),
    Column("connect", "p50 ms", 2),
    Column("peak", "MB"),
    Column("growth", "MB"),
    Column("idle", "KiB", 1),
    Column("memory", "KiB"),
    Column("files", "left"),
)
_FILES = 16_384
_TRIES = 2
_ROUTES = [*WAYS, "fowl"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=_among(FIGURES), default=list(FIGURES))
    parser.add_argument("--routes", type=_among(_ROUTES), default=_ROUTES)
    parser.add_argument("--quick", action="store_true", help="a little of each")
    parser.add_argument("--seconds", type=float, help="of bulk, each time")
    parser.add_argument("--repetitions", type=int)
    parser.add_argument("--fowl", metavar="PYTHON", help="where fowl is installed")
    return parser.parse_args()


def _among(known: Iterable[str]) -> Callable[[str], list[str]]:
    """
    Reads some of these names.
    """

    def read(text: str) -> list[str]:
        names = text.split(",")
        if not set(names).issubset(known):
            raise argparse.ArgumentTypeError(f"there are {', '.join(known)}")
        return names

    return read


def _scale(options: argparse.Namespace) -> Scale:
    chosen = {
        name: getattr(options, name)
        for name in ("seconds", "repetitions")
        if getattr(options, name) is not None
    }
    return replace(QUICK if options.quick else Scale(), **chosen)


@contextmanager
def _built(ways: dict[str, Way]) -> Iterator[list[Route]]:
    """
    Those of the routes that can be built.
    """
    with ExitStack() as stack:
        routes = [_build(stack, name, way) for name, way in ways.items()]
        yield [route for route in routes if route is not None]


def _build(stack: ExitStack, name: str, way: Way) -> Route | None:
    # Some hang at times when they start.
    for _ in range(_TRIES):
        try:
            return stack.enter_context(routing(name, way))
        except FileNotFoundError as missing:
            print(f"  {name}: not installed ({missing})", flush=True)
            return None
        except TimeoutError as why:
            print(f"  {name} does not start: {why}", flush=True)
    return None


def _measure(table: Table, figure: Figure, routes: list[Route], scale: Scale) -> None:
    """
    Take turns, so that whatever else the machine does hits all alike.
    """
    left = list(routes)
    for turn in range(scale.repetitions if figure.repeated else 1):
        for route in left[turn % len(left) :] + left[: turn % len(left)]:
            try:
                table.add(route.name, figure.sample(route, scale))
            except OSError as why:
                print(f"  {route.name}: {why or type(why).__name__}", flush=True)
                left.remove(route)
        if not left:
            return


def _report(table: Table, routes: Sequence[str], figures: Sequence[str]) -> None:
    shown = {column for name in figures for column in FIGURES[name].columns}
    columns = [column for column in COLUMNS if column.name in shown]
    print("\n".join(["", *table.lines(routes, columns), ""]))
    for aim in AIMS:
        if shown.issuperset(aim.columns):
            print(aim.line(table))


def main() -> None:
    """
    Measure what is asked for, and tell.
    """
    options = _options()
    # Who ends us ends all that we have started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    raiseFileLimit(_FILES)
    known: dict[str, Way] = {**WAYS, "fowl": partial(fowling, options.fowl)}
    ways = {name: known[name] for name in options.routes}
    table = Table()
    for name in options.only:
        print(f"{name} …", flush=True)
        with _built(ways) as routes:
            _measure(table, FIGURES[name], routes, _scale(options))
    _report(table, options.routes, options.only)


if __name__ == "__main__":
    main()

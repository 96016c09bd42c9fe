"""
Figures: what is measured on a route, and how.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import monotonic, sleep

from tests.bench.bulk import WARM_UP, download, fetching, pouring, slowly, upload
from tests.bench.connections import echoes, touch, touches
from tests.bench.program import Program
from tests.bench.routes import Route


@dataclass(frozen=True)
class Scale:
    """
    How much of each load.

    C{seconds}: of bulk, each time.  C{repetitions}: of the figures that are timed.
    C{slow}: bytes that the slow reader reads.
    """

    seconds: float = 4.0
    repetitions: int = 5
    echoes: int = 3000
    touches: int = 300
    idle: int = 1000
    shorts: int = 10_000
    slow: int = 3_000_000_000


QUICK = Scale(1.0, 1, 500, 50, 100, 1000, 300_000_000)
"""
To see that all works.
"""

_UNBOUND = 1 << 31
_LONG = 180.0

Values = Mapping[str, float]
"""
Values by the name of their column.
"""


@dataclass(frozen=True)
class Figure:
    """
    Some columns, and how one sample of them is taken.

    C{repeated}: whether to take several.
    """

    columns: tuple[str, ...]
    sample: Callable[[Route, Scale], Values]
    repeated: bool = True


def percentile(times: list[float], percent: int) -> float:
    """
    In milliseconds.
    """
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1] * 1e3


def _bulk(route: Route, scale: Scale) -> Values:
    return {
        "up": upload(route.port, route.target, scale.seconds) / 1e6,
        "down": download(route.port, scale.seconds) / 1e6,
    }


def _echo(route: Route, scale: Scale) -> Values:
    echoes(route.port, 100, 1.0)
    times = echoes(route.port, scale.echoes, scale.seconds)
    return {"echo p50": percentile(times, 50), "echo p99": percentile(times, 99)}


def _beside(route: Route, scale: Scale) -> Values:
    values = {}
    for column, bulk in (("beside up", pouring), ("beside down", fetching)):
        with bulk(route.port):
            sleep(WARM_UP)
            times = echoes(route.port, _UNBOUND, scale.seconds)
        values[column] = percentile(times, 99)
    return values


def _connect(route: Route, scale: Scale) -> Values:
    touches(route.port, 10, 1.0)
    times = touches(route.port, scale.touches, scale.seconds)
    return {"connect": percentile(times, 50)}


def _slow(route: Route, scale: Scale) -> Values:
    if not route.programs:
        return {}
    before = [program.resident() for program in route.programs]
    with _sampling(route.programs) as peaks:
        slowly(route.port, scale.slow, scale.seconds)
    growths = [peak - start for peak, start in zip(peaks, before, strict=True)]
    return {
        "peak": max(peaks) / 1e6,
        "growth": max(growths) / 1e6,
    }


@contextmanager
def _sampling(programs: tuple[Program, ...]) -> Iterator[list[int]]:
    """
    Watch how large each program gets, meanwhile.
    """
    peaks = [0] * len(programs)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            for which, program in enumerate(programs):
                peaks[which] = max(peaks[which], program.resident())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def _resident(route: Route) -> int:
    return sum(program.resident() for program in route.programs)


def _files(route: Route) -> int:
    return sum(program.files() for program in route.programs)


def _idle(route: Route, scale: Scale) -> Values:
    if not route.programs:
        return {}
    touches(route.port, 50, _LONG)
    sleep(1)
    before = _resident(route)
    with ExitStack() as waiting:
        for _ in range(scale.idle):
            waiting.enter_context(touch(route.port))
        sleep(1)
        return {"idle": (_resident(route) - before) / scale.idle / 1024}


def _shorts(route: Route, scale: Scale) -> Values:
    if not route.programs:
        return {}
    touches(route.port, scale.shorts // 10, _LONG)
    files = _settled(route, 0)
    before = _resident(route)
    if len(touches(route.port, scale.shorts, _LONG)) < scale.shorts:
        raise TimeoutError(f"fewer than {scale.shorts} in {_LONG:.0f} s")
    left = _settled(route, files) - files
    return {"memory": (_resident(route) - before) / 1024, "files": float(left)}


def _settled(route: Route, files: int) -> int:
    """
    How many files are open when the last connections have ended: when they are few
    enough, or have had time.
    """
    deadline = monotonic() + 3
    sleep(0.5)
    while monotonic() < deadline and _files(route) > files:
        sleep(0.1)
    return _files(route)


FIGURES = {
    "bulk": Figure(("up", "down"), _bulk),
    "echo": Figure(("echo p50", "echo p99"), _echo),
    "beside": Figure(("beside up", "beside down"), _beside),
    "connect": Figure(("connect",), _connect),
    "slow": Figure(("peak", "growth"), _slow, repeated=False),
    "idle": Figure(("idle",), _idle, repeated=False),
    "shorts": Figure(("memory", "files"), _shorts, repeated=False),
}

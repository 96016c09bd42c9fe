"""
Whether a pair ever fails to start: C{python -m tests.bench.starts} (Linux).
"""

from __future__ import annotations

import argparse
import signal
import statistics

from tests.bench.pair import meeting, rendezvousing
from tests.bench.routes import reached
from tests.bench.target import targeting
from tests.support.processes import freePort


def start(rendezvous: str, target: int) -> float | None:
    """
    Start a pair, and end it.

    @return: the seconds from the dialer's start to the first byte that came back
        through the forward; C{None} if the pair hung, at its start or its end.
    """
    port = freePort()
    try:
        with meeting(rendezvous, port, target) as pair:
            took = reached(port, pair)
    except TimeoutError as why:
        print(f"  {why}")
        return None
    if any(program.stubborn for program in pair):
        print("  it does not end")
        return None
    return took


def main() -> None:
    """
    Start pairs one after another, and count those that hang.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=200)
    starts = parser.parse_args().starts
    # Who ends us ends all that we have started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with rendezvousing() as rendezvous, targeting() as target:
        results = [start(rendezvous, target) for _ in range(starts)]
    took = [each for each in results if each is not None]
    print(f"{starts} starts of a pair: {starts - len(took)} hang")
    if took:
        middle, worst = statistics.median(took), max(took)
        print(f"  median {middle:.2f} s to the first byte, at most {worst:.2f} s")


if __name__ == "__main__":
    main()

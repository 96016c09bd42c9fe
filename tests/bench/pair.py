"""
A pair of punch: a listener that exposes, a dialer that forwards, who meet through a
rendezvous on loopback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.program import PLUGIN, Program


@contextmanager
def rendezvousing() -> Iterator[str]:
    """
    Run a rendezvous that lets in all who come.

    @return: its endpoint string.
    """
    command = [*PLUGIN, "punch-rendezvous", "--listen", "tcp:0:interface=127.0.0.1"]
    for limit in ("connections", "publications"):
        command.append(f"--max-{limit}-per-minute=1000000")
    with Program.running(*command) as program:
        port = program.says(rb"listens on 127.0.0.1:(\d+)")
        yield f"tcp:127.0.0.1:{port}"


@contextmanager
def meeting(
    rendezvous: str, port: int, target: int
) -> Iterator[tuple[Program, Program]]:
    """
    Forward C{port} to C{target}.

    @return: the dialer and the listener.
    """
    command = [*PLUGIN, "punch", "--rendezvous", rendezvous, "--interface", "127.0.0.1"]
    with Program.running(*command, "--expose", f"tcp:127.0.0.1:{target}") as far:
        code = {"PUNCH_CODE": far.says(rb"The code is ([^\s\x1b]+)")}
        forward = "--forward", f"tcp:{port}:interface=127.0.0.1"
        with Program.running(*command, *forward, environment=code) as near:
            yield near, far


@contextmanager
def pairing(port: int, target: int) -> Iterator[tuple[Program, Program]]:
    """
    L{meeting}, with a rendezvous of its own.
    """
    with rendezvousing() as rendezvous, meeting(rendezvous, port, target) as pair:
        yield pair

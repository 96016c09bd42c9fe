"""
Routes: the ways from a port of ours to the target that are compared.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from punch.net.identity import Identity
from tests.bench.connections import reach
from tests.bench.pair import pairing
from tests.bench.program import PATIENCE, PLUGIN, Program
from tests.bench.ssh import forwarding
from tests.bench.target import targeting
from tests.support.processes import freePort


@dataclass(frozen=True)
class Route:
    """
    A port that leads to the target, and who takes part between them.

    C{target}: the target's own port.
    """

    name: str
    port: int
    target: int
    programs: tuple[Program, ...] = ()


Leading = tuple[int, tuple[Program, ...]]
"""
The port that a route begins at, and its programs.
"""

Way = Callable[[int], AbstractContextManager[Leading]]
"""
Makes a way to a target's port.

It raises FileNotFoundError for what is not installed.
"""


@contextmanager
def _raw(target: int) -> Iterator[Leading]:
    yield target, ()


@contextmanager
def portforwarding(target: int) -> Iterator[Leading]:
    """
    Twisted's own forward, C{twist portforward}, to a port.
    """
    command = [*PLUGIN, "portforward", "--port", "tcp:0:interface=127.0.0.1"]
    command += ["--host", "127.0.0.1", "--dest_port", str(target)]
    with Program.running(*command) as program:
        yield int(program.says(rb"ProxyFactory starting on (\d+)")), (program,)


@contextmanager
def _relay(target: int) -> Iterator[Leading]:
    command = [sys.executable, "-m", "tests.bench.relay"]
    with tempfile.TemporaryDirectory() as directory:
        pem = Path(directory, "pem")
        pem.write_bytes(Identity.make().toPEM())
        ends = str(target), "tls", "plain", str(pem)
        with Program.running(*command, *ends) as far:
            ends = far.says(rb"port (\d+)"), "plain", "tls", str(pem)
            with Program.running(*command, *ends) as near:
                yield int(near.says(rb"port (\d+)")), (near, far)


@contextmanager
def _ssh(target: int) -> Iterator[Leading]:
    port = freePort()
    with forwarding(port, target) as programs:
        yield port, programs


@contextmanager
def _punch(target: int) -> Iterator[Leading]:
    port = freePort()
    with pairing(port, target) as programs:
        yield port, programs


WAYS: dict[str, Way] = {
    "raw": _raw,
    "portforward": portforwarding,
    "tls": _relay,
    "ssh": _ssh,
    "punch": _punch,
}


@contextmanager
def routing(name: str, way: Way) -> Iterator[Route]:
    """
    Build a route, and wait until it leads to the target.

    @raise FileNotFoundError: what it needs is not installed.
    @raise TimeoutError: it leads nowhere.
    """
    with targeting() as target, way(target) as (port, programs):
        reached(port, programs)
        yield Route(name, port, target, programs)


def reached(port: int, programs: tuple[Program, ...]) -> float:
    """
    Wait until a port of these programs leads to the target.

    @return: how many seconds that took.
    @raise TimeoutError: it leads nowhere; with what they said last.
    """
    try:
        return reach(port, PATIENCE)
    except TimeoutError as why:
        logs = "\n".join(program.lastWords() for program in programs)
        raise TimeoutError(f"{why}:\n{logs}") from why

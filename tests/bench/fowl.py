"""
fowl: forwards over magic-wormhole's links, if it is installed, in an environment of
its own (with magic-wormhole-mailbox-server).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.program import Program
from tests.support.processes import freePort

_CODE = "7-bench-fowl"


@contextmanager
def fowling(
    python: str | None, target: int
) -> Iterator[tuple[int, tuple[Program, ...]]]:
    """
    Forward a port to C{target} by it.

    @param python: its environment's interpreter.
    @raise FileNotFoundError: it is not there.
    """
    if python is None:
        raise FileNotFoundError("fowl; see --fowl")
    port = freePort()
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        mailbox = stack.enter_context(_mailbox(python, directory))

        def run(*role: str) -> Program:
            command = [str(Path(python).with_name("fowl")), "--mailbox", mailbox]
            return stack.enter_context(Program.running(*command, *role, _CODE))

        far = run("--service", f"bench:{target}")
        near = run("--client", f"bench:{port}")
        yield port, (near, far)


@contextmanager
def _mailbox(python: str, directory: str) -> Iterator[str]:
    """
    Run its mailbox server.

    @return: its URL.
    """
    port = freePort()
    command = [python, "-m", "twisted", "--log-format", "text", "wormhole-mailbox"]
    command += ["--channel-db", f"{directory}/db"]
    command += ["--port", f"tcp:{port}:interface=127.0.0.1"]
    with Program.running(*command) as program:
        program.says(rb"(starting on) ")
        yield f"ws://127.0.0.1:{port}/v1"

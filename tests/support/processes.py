"""
C{twist} in real processes on loopback, for the tests of its commands.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.certified import selfSigned

PATIENCE = 30.0


class Program:
    """
    A running C{twist} plugin with its log.
    """

    def __init__(self, directory: Path, name: str, *args: str, **more: Any) -> None:
        self.log = directory / f"{name}.log"
        self.events = directory / f"{name}.events"
        environment = {k: v for k, v in os.environ.items() if "PUNCH_" not in k}
        environment.update(more.pop("environment", {}))
        command = [sys.executable, "-m", "twisted", "--log-format", "text", *args]
        if args[0] == "punch":
            command += ["--events", str(self.events)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.PIPE,
                stdin=subprocess.PIPE,
                env=environment,
                cwd=directory,
            )

    def told(self, event: str) -> list[dict[str, Any]]:
        """
        The events of one name so far.
        """
        if not self.events.exists():
            return []
        lines = self.events.read_text().splitlines(keepends=True)
        told = [json.loads(line) for line in lines if line.endswith("\n")]
        return [each for each in told if each["event"] == event]

    def await_(self, event: str, count: int = 1) -> dict[str, Any]:
        """
        Wait for the C{count}-th event of one name.
        """
        until(lambda: len(self.told(event)) >= count, self)
        return self.told(event)[count - 1]

    def awaitLine(self, text: str, count: int = 1) -> None:
        """
        Wait until the log has C{text} so many times.
        """
        until(lambda: self.log.read_text().count(text) >= count, self)

    def heard(self, text: str) -> bool:
        """
        Whether the log has C{text}.
        """
        return text in self.log.read_text()

    def end(self) -> tuple[int, str]:
        """
        Wait for it to end by itself: its status, its standard error.
        """
        _, error = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, error.decode()

    def stop(self) -> None:
        """
        Stop it, if it runs.
        """
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=PATIENCE)


def until(condition: Callable[[], object], program: Program | None = None) -> None:
    """
    Wait for C{condition}, while C{program}, if it is given, runs.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        log = "" if program is None else program.log.read_text()
        assert program is None or program.process.poll() is None, log
        assert time.monotonic() < deadline, log
        time.sleep(0.02)


Start = Callable[..., Program]

FEW_FILES = 256
"""
Open files that a program may have which the system gives but few.
"""


@contextmanager
def openFiles(limit: int) -> Iterator[None]:
    """
    Let this process, and those that it starts meanwhile, have so many open files (the
    soft limit); a test that cannot have them is skipped.
    """
    import resource  # Windows has none.

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < limit:
        pytest.skip(f"needs {limit} open files, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


_PORTS = range(20_000, 30_000, 2)
"""
Of these no system gives one to whoever asks for any port (L{freePort}).
"""


def freePort() -> int:
    """
    A TCP port that nobody uses now, and neither does anybody the next one, which a
    rendezvous takes, too.
    """
    while True:
        port = SystemRandom().choice(_PORTS)
        with socket.socket() as one, socket.socket() as next_, suppress(OSError):
            one.bind(("127.0.0.1", port))
            next_.bind(("127.0.0.1", port + 1))
            return port


def startRendezvous(start: Start, ports: int, *options: str) -> str:
    """
    Start a rendezvous on a free port, with more options.

    @param ports: how many ports it opens, before it is waited for no longer.
    @return: its description.
    """
    port = freePort()
    listen = f"tcp:{port}:interface=127.0.0.1"
    program = start("punch-rendezvous", "--listen", listen, *options)
    program.awaitLine("listens on", ports)
    return f"tcp:127.0.0.1:{port}"


def facing() -> list[tuple[str, ...]]:
    """
    The options of two programs that connect to each other's port on loopback, without
    a rendezvous.
    """
    ports = [freePort(), freePort()]
    return [
        ("--peer", f"localhost:{ports[1 - own]}", "--port", str(ports[own]))
        for own in (0, 1)
    ]


def makePins(start: Start) -> list[str]:
    """
    Make two identities, in the files C{key0} and C{key1}: their pins.
    """
    pins = []
    for own in (0, 1):
        shown = start("punch", "--identity", f"key{own}", "--show-pin")
        shown.end()
        pins.append(shown.log.read_text().strip())
    return pins


def assertRefused(program: Program, text: str) -> int:
    """
    See that a program ends by itself, with one line on standard error that says what
    the mistake is, and no traceback.

    @param text: what that line contains.
    @return: the exit status, which is not 0.
    """
    status, error = program.end()
    assert status not in (0, -signal.SIGTERM), program.process.args
    assert text in error, error
    assert len(error.splitlines()) == 1, error
    assert "Traceback" not in error + program.log.read_text()
    return status


def certificate(folder: Path) -> Path:
    """
    A key and a certificate for localhost.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    path = folder / "localhost.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + selfSigned(key, "localhost").public_bytes(serialization.Encoding.PEM)
    )
    return path

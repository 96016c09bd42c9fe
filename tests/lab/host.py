"""
A host where programs run: a network namespace's, or the machine itself.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

from .namespaces import Namespace

TWIST = (sys.executable, "-m", "twisted", "--log-format", "text")
"""
The command that starts C{twist}.
"""

_ROOT = Path(__file__).resolve().parents[2]


class Program:
    """
    A started program, and the lines that it prints.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path | None = None,
        echo: Callable[[str], object] | None = None,
    ) -> None:
        """
        @param log: a file for what it prints, both streams, as it comes.
        @param echo: called with each line too, from a thread of ours.
        """
        self.lines: list[str] = []
        self._log = log
        self._echo = echo
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=_ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def status(self) -> int | None:
        """
        Its exit status, or L{None} while it runs.
        """
        return self._process.poll()

    @property
    def number(self) -> int:
        """
        The process's number.
        """
        return self._process.pid

    def tail(self, lines: int = 15) -> str:
        """
        The last lines that it printed.
        """
        if self.status is not None:
            # It has ended; its last lines may not have been read yet.
            self._reader.join(1.0)
        return "\n".join(self.lines[-lines:])

    def kill(self) -> None:
        """
        Kill it: it has no time to say goodbye.
        """
        self._process.kill()
        self.wait(5.0)

    def end(self, patience: float = 5.0) -> int:
        """
        Terminate it, or kill it if it hasn't ended after C{patience} seconds.

        @return: its exit status.
        """
        self._process.terminate()
        return self.wait(patience)

    def wait(self, patience: float) -> int:
        """
        Let it end by itself; kill it if it hasn't after C{patience} seconds.

        @return: its exit status.
        """
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
        status = self._process.wait()
        self._reader.join(1.0)
        return status

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout, open(self._log or os.devnull, "a") as log:
            for line in self._process.stdout:
                self.lines.append(line.rstrip("\n"))
                log.write(line)
                log.flush()
                if self._echo is not None:
                    self._echo(self.lines[-1])


class Host:
    """
    A place to run programs and open sockets.
    """

    def __init__(
        self, address: str, publicAddress: str, namespace: Namespace | None = None
    ) -> None:
        """
        @param address: its own IPv4 address.
        @param publicAddress: the address that strangers see it come from.
        @param namespace: its network namespace; without one it is this machine.
        """
        self.address = address
        self.publicAddress = publicAddress
        self.namespace = namespace

    def command(self, args: Sequence[str]) -> list[str]:
        """
        The command that runs C{args} here.
        """
        return self.namespace.command(args) if self.namespace else list(args)

    def run(
        self, args: Sequence[str], timeout: float = 30.0
    ) -> subprocess.CompletedProcess[str]:
        """
        Run a command here to its end, both of its streams captured.

        @raise subprocess.TimeoutExpired: it did not end in time, and was killed.
        """
        return subprocess.run(
            self.command(args),
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=_ROOT,
            check=False,
        )

    def start(
        self,
        args: Sequence[str],
        log: Path | None = None,
        echo: Callable[[str], object] | None = None,
    ) -> Program:
        """
        Start a program here; see L{Program}.
        """
        return Program(self.command(args), log, echo)

    def socket(
        self,
        port: int = 0,
        timeout: float = 5.0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> socket.socket:
        """
        A TCP socket of this host, bound to C{port} with SO_REUSEADDR and
        SO_REUSEPORT, whose operations end after C{timeout} seconds.
        """
        with self.namespace.entered() if self.namespace else nullcontext():
            made = socket.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.settimeout(timeout)
        made.bind(("", port))
        return made

    def answers(
        self,
        address: tuple[str, int],
        patience: float,
        ended: Callable[[], bool] = lambda: False,
    ) -> bool:
        """
        Does somebody accept connections there, as seen from here, within
        C{patience} seconds?

        @param ended: is there no more hope, since the program has ended?
        """
        deadline = monotonic() + patience
        while monotonic() < deadline and not ended():
            with self.socket(timeout=1.0) as probe:
                if probe.connect_ex(address) == 0:
                    return True
            sleep(0.02)
        return False

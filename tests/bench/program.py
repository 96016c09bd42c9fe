"""
A program in a process of its own, and what it uses of memory, files and processor
(Linux).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

PATIENCE = 30.0
"""
Seconds that a program has to say what we wait for, and to end.
"""

PLUGIN = (sys.executable, "-m", "twisted", "--log-format", "text")
"""
How C{twist} is run, with a log to be read.
"""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Program:
    """
    One that runs, and its log.

    @ivar stubborn: whether it did not end when it was asked to.
    """

    stubborn = False

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        self._proc = Path("/proc", str(self._process.pid))

    @classmethod
    @contextmanager
    def running(
        cls, *command: str, environment: Mapping[str, str] | None = None
    ) -> Iterator[Program]:
        """
        Start one, and end it at the end.
        """
        program = cls(command, environment)
        try:
            yield program
        finally:
            program.end()

    def end(self) -> None:
        """
        End it: politely, then not.
        """
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.stubborn = True
            self._process.kill()
            self._process.wait()

    def log(self) -> bytes:
        """
        All that it said.
        """
        return os.pread(self._log.fileno(), 1 << 24, 0)

    def lastWords(self) -> str:
        """
        The end of its log.
        """
        return self.log()[-1500:].decode(errors="replace")

    def says(self, pattern: bytes) -> str:
        """
        Wait until its log has the pattern.

        @return: the pattern's first group.
        @raise TimeoutError: it does not say so.
        """
        deadline = monotonic() + PATIENCE
        while monotonic() < deadline:
            said = re.search(pattern, self.log())
            if said:
                return said[1].decode("ascii")
            if self._process.poll() is not None:
                break
            sleep(0.02)
        raise TimeoutError(f"never said {pattern!r}:\n{self.lastWords()}")

    def resident(self) -> int:
        """
        Bytes of memory that it and its children have in use.
        """
        return sum(_resident(proc) for proc in self._family())

    def files(self) -> int:
        """
        How many files and connections it and its children have open.
        """
        return sum(len(os.listdir(proc / "fd")) for proc in self._family())

    def processor(self) -> float:
        """
        Seconds of processor time that it alone has used.
        """
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def load(self, seconds: float) -> float:
        """
        The share of a processor core that it alone uses in the next seconds.
        """
        used = self.processor()
        sleep(seconds)
        return (self.processor() - used) / seconds

    def _family(self) -> list[Path]:
        """
        The directories in C{/proc} of the process, its children and theirs.
        """
        family = [self._proc]
        for proc in family:
            children = proc / "task" / proc.name / "children"
            family += [Path("/proc", child) for child in children.read_text().split()]
        return family


def _resident(proc: Path) -> int:
    return int((proc / "statm").read_text().split()[1]) * _PAGE

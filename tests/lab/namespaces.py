"""
Network namespaces that go away together, whatever becomes of who made them.

A warden, a process in a session of its own, knows their names and waits for the
end of its standard input: our closing it, or our death of whatever kind.  Then it
kills what still runs in them and deletes them.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

_CLONE_NEWNET = 0x40000000
_HOME = "/var/run/netns"

_WARDEN = """
trap '' INT TERM HUP QUIT
names=
while read -r name; do
    names="$names $name"
    echo
done
for name in $names; do
    while pids=$(ip netns pids "$name") && [ -n "$pids" ]; do
        kill -KILL $pids
        sleep 0.01
    done
    ip netns delete "$name"
done
"""

_serial = count(1)


class CommandFailed(Exception):
    """
    A command that sets up the laboratory failed.
    """


def sh(args: Sequence[str], given: str = "", fine: tuple[int, ...] = (0,)) -> str:
    """
    Run a command with C{given} as its input.

    @return: what it printed.
    @raise CommandFailed: its status is not C{fine}; its complaint is inside.
    """
    done = subprocess.run(
        args, input=given, capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode not in fine:
        raise CommandFailed(f"{' '.join(args)}: {done.stderr}\n{given}")
    return done.stdout


class Namespace:
    """
    One network namespace.
    """

    def __init__(self, name: str) -> None:
        """
        @param name: what C{ip netns} calls it.
        """
        self.name = name

    def command(self, args: Sequence[str]) -> list[str]:
        """
        The command that runs C{args} in here.
        """
        return ["ip", "netns", "exec", self.name, *args]

    def ip(self, lines: Iterable[str]) -> None:
        """
        Run lines of C{ip} in here, as one batch.
        """
        sh(["ip", "-n", self.name, "-batch", "-"], "\n".join(lines))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """
        The calling thread is in here for a while.  A socket or device that it
        makes meanwhile stays here.
        """
        with open("/proc/thread-self/ns/net", "rb") as outside:
            with open(f"{_HOME}/{self.name}", "rb") as inside:
                _setns(inside.fileno())
            try:
                yield
            finally:
                _setns(outside.fileno())


class Namespaces:
    """
    Some namespaces, by their part in the play; their real names differ from those
    of every other laboratory's.
    """

    def __init__(self, roles: Sequence[str]) -> None:
        self._prefix = f"punch-{os.getpid()}-{next(_serial)}"
        self._all = {role: Namespace(f"{self._prefix}-{role}") for role in roles}
        names = [namespace.name for namespace in self._all.values()]
        self._warden = subprocess.Popen(
            ["sh", "-c", _WARDEN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._entrust(names)
            sh(["ip", "-batch", "-"], "\n".join(f"netns add {name}" for name in names))
        except BaseException:
            self.close()
            raise

    def __getitem__(self, role: str) -> Namespace:
        return self._all[role]

    def close(self) -> None:
        """
        Kill what runs in them and delete them.
        """
        self._warden.communicate()

    def _entrust(self, names: Sequence[str]) -> None:
        """
        Let the warden know the names, and know that it does, before they exist.
        """
        assert self._warden.stdin is not None
        assert self._warden.stdout is not None
        self._warden.stdin.write("".join(f"{name}\n" for name in names).encode())
        self._warden.stdin.flush()
        for _ in names:
            self._warden.stdout.readline()


def _setns(descriptor: int) -> None:
    """
    C{os.setns}, which Python has from 3.12 on.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

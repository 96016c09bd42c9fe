"""
Tests of L{tests.lab.namespaces}: nothing stays behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

from .namespaces import CommandFailed, Namespaces, sh
from .topology import Laboratory

pytestmark = pytest.mark.lab

_ROOT = Path(__file__).resolve().parents[2]

_OWNER = """
import time
from tests.lab.topology import Laboratory
with Laboratory("drop", "double") as lab:
    lab.a.start(["sleep", "1000"])
    print("ready", flush=True)
    time.sleep(1000)
"""


def namespacesOf(pid: int) -> list[str]:
    """
    The laboratory's namespaces that a process has made.
    """
    names = (line.split()[0] for line in sh(["ip", "netns"]).splitlines())
    return [name for name in names if name.startswith(f"punch-{pid}-")]


def soon(condition: Callable[[], bool]) -> bool:
    """
    Does it come true within a few seconds?
    """
    deadline = monotonic() + 5.0
    while not condition() and monotonic() < deadline:
        sleep(0.02)
    return condition()


def childrenOf(pid: int) -> list[int]:
    """
    The processes that a process has started.
    """
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def alive(pid: int) -> bool:
    """
    Does a process still run (and not only wait for its parent to notice)?
    """
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_ownerDies(number: int) -> None:
    """
    However the owner of a laboratory ends, its namespaces go, and so do the wire
    and the programs in them.
    """
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert owner.stdout is not None
    with owner.stdout:
        assert owner.stdout.readline() == b"ready\n"
    assert len(namespacesOf(owner.pid)) == 6
    children = childrenOf(owner.pid)
    assert len(children) == 3  # the warden, the wire, the program
    owner.send_signal(number)
    owner.wait(5)
    assert soon(lambda: not namespacesOf(owner.pid))
    assert soon(lambda: not any(alive(child) for child in children))


def test_exception() -> None:
    """
    An exception in the block passes, and the namespaces are gone.
    """
    with pytest.raises(KeyError), Laboratory("drop", "drop"):
        raise KeyError
    assert namespacesOf(os.getpid()) == []


def test_halfBuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A laboratory that cannot be completed leaves nothing either.
    """
    monkeypatch.setattr("tests.lab.nats.KEPT_MARK", "no mark")
    with pytest.raises(CommandFailed, match="no mark"), Laboratory("drop", "none"):
        pass
    assert namespacesOf(os.getpid()) == []


def test_nameTaken() -> None:
    """
    Namespaces that cannot all be made are not made.
    """
    with pytest.raises(CommandFailed):
        Namespaces(["a", "b/c"])
    assert namespacesOf(os.getpid()) == []


def test_twoAtOnce() -> None:
    """
    Two laboratories do not see each other, though they have the same addresses.
    """
    with (
        Laboratory("none", "none") as one,
        Laboratory("none", "none") as other,
        one.b.socket(4000) as here,
        other.b.socket(4000) as there,
    ):
        here.listen()
        there.listen()
        with one.a.socket(5000) as out:
            out.connect((one.b.address, 4000))
            assert here.accept()[1] == (one.a.address, 5000)
        there.settimeout(0.2)
        with pytest.raises(TimeoutError):
            there.accept()

"""
Tests for L{punch.peer.instancelock}.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from punch.peer import instancelock
from punch.peer.instancelock import TOKEN_SIZE, fileInstanceLocks, noInstanceLocks

_HOLD = """
import sys
from punch.peer.instancelock import fileInstanceLocks
taken = fileInstanceLocks("home")
print(taken.token.hex(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    Where this test's lock files are.
    """
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / f"punch-{os.getuid()}"


def test_sameAgain() -> None:
    """
    Whoever takes a released lock has the token of its last holder.
    """
    first = fileInstanceLocks("home")
    assert len(first.token) == TOKEN_SIZE
    first.release()
    first.release()
    again = fileInstanceLocks("home")
    assert again.token == first.token
    again.release()


def test_two() -> None:
    """
    Two locks at once have different tokens, and so have locks for different names.
    """
    locks = [
        fileInstanceLocks("home"),
        fileInstanceLocks("home"),
        fileInstanceLocks("away"),
    ]
    assert len({each.token for each in locks}) == 3
    for each in locks:
        each.release()


def test_killed() -> None:
    """
    The lock of a process that is killed is free at once.
    """
    program = subprocess.Popen(
        [sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with program:
        assert program.stdout is not None
        held = bytes.fromhex(program.stdout.readline().decode())
        other = fileInstanceLocks("home")
        assert other.token != held
        program.kill()
    taken = fileInstanceLocks("home")
    assert taken.token == held
    for each in (taken, other):
        each.release()


def test_oursAlone(runtime: Path) -> None:
    """
    A folder that others may open holds no locks.
    """
    runtime.mkdir()
    runtime.chmod(0o755)
    assert fileInstanceLocks("home").token == b""
    runtime.chmod(0o700)
    taken = fileInstanceLocks("home")
    assert taken.token
    taken.release()


def test_noPlace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    Where nothing can be written there is no lock, which is no error.
    """
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    taken = fileInstanceLocks("home")
    assert taken.token == b""
    taken.release()


def test_noLocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    There is none either where files can't be locked.
    """
    monkeypatch.setattr(instancelock, "fcntl", None)
    assert fileInstanceLocks("home").token == b""


def test_none() -> None:
    """
    A peer that wants no lock has none.
    """
    assert noInstanceLocks("home").token == b""

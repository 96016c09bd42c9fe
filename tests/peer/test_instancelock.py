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
    Where this test's seats are.
    """
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / f"punch-{os.getuid()}"


def test_sameAgain() -> None:
    """
    Who takes a seat that was left has what its last holder had.
    """
    first = fileInstanceLocks("home")
    assert len(first.token) == TOKEN_SIZE
    first.leave()
    first.leave()
    again = fileInstanceLocks("home")
    assert again.token == first.token
    again.leave()


def test_two() -> None:
    """
    Two at once have different seats, and so have those who dial different names.
    """
    seats = [
        fileInstanceLocks("home"),
        fileInstanceLocks("home"),
        fileInstanceLocks("away"),
    ]
    assert len({each.token for each in seats}) == 3
    for each in seats:
        each.leave()


def test_killed() -> None:
    """
    The seat of a process that is killed is free at once.
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
        each.leave()


def test_oursAlone(runtime: Path) -> None:
    """
    What others might look into holds no seats.
    """
    runtime.mkdir()
    runtime.chmod(0o755)
    assert fileInstanceLocks("home").token == b""
    runtime.chmod(0o700)
    taken = fileInstanceLocks("home")
    assert taken.token
    taken.leave()


def test_noPlace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    Where nothing can be written there is no instancelock, and nobody minds.
    """
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    taken = fileInstanceLocks("home")
    assert taken.token == b""
    taken.leave()


def test_noLocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nor is there one where files can't be locked.
    """
    monkeypatch.setattr(instancelock, "fcntl", None)
    assert fileInstanceLocks("home").token == b""


def test_none() -> None:
    """
    Who wants none has none.
    """
    assert noInstanceLocks("home").token == b""

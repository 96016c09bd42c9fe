"""
Tests for L{punch.cli.sdnotify}.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactor

from punch.cli.sdnotify import SystemdNotifier
from tests.support.doubles import watching

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no UNIX sockets")


def told(place: str, bound: str) -> list[bytes]:
    """
    What the supervisor at an address hears, once the reactor runs.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(bound)
        reactor = MemoryReactor()
        notifier = SystemdNotifier(reactor, {"NOTIFY_SOCKET": place})
        notifier.ready()
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(100)
        reactor.run()
        notifier.stopping()
        return [sock.recv(100), sock.recv(100)]


def tell(environment: dict[str, str]) -> None:
    """
    Tell a supervisor, if there is one.
    """
    reactor = MemoryReactor()
    SystemdNotifier(reactor, environment).ready()
    reactor.run()


def test_path(tmp_path: Path) -> None:
    """
    It is told at a path.
    """
    path = str(tmp_path / "notify@here")
    assert told(path, path) == [b"READY=1", b"STOPPING=1"]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has abstract addresses")
def test_abstract() -> None:
    """
    Or at an abstract address, whose zero byte an environment can't hold.
    """
    name = f"punch-test@{os.getpid()}"
    assert told(f"@{name}", f"\0{name}") == [b"READY=1", b"STOPPING=1"]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}])
def test_nobody(environment: dict[str, str]) -> None:
    """
    Without a supervisor nobody is told, silently.
    """
    with watching() as log:
        tell(environment)
    assert log.events == []


@pytest.mark.parametrize("place", ["vsock:2:1234", "relative"])
def test_unknown(place: str) -> None:
    """
    Nor where we would not know how.
    """
    with watching() as log:
        tell({"NOTIFY_SOCKET": place})
    assert log.events == []


def test_absent(tmp_path: Path) -> None:
    """
    One that is not there is no reason to stop, but to say so.
    """
    with watching() as log:
        tell({"NOTIFY_SOCKET": str(tmp_path / "nothing")})
    [said] = log.sentences
    assert "nothing" in said

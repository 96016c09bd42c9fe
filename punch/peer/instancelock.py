"""
The seat: by what a listener knows a dialer again whose program was restarted.

A link lives as long as both programs.  When the dialer's is killed and started
again, its new link says so to the listener if both sit on one seat: the old one need
not be waited for then.  A seat is a file with some random bytes and a lock on it,
which the kernel opens when the program ends, however it ends; so whoever has the
lock now is the only one alive who could have had it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from twisted.logger import Logger

try:
    import fcntl
except ImportError:
    # Windows has no such locks: a restarted dialer is a stranger there.
    fcntl = None  # type: ignore[assignment]

SEAT_SIZE = 16
_MOST = 64

_log = Logger()


class InstanceLock(Protocol):
    """
    One, taken.

    C{token}: L{SEAT_SIZE} bytes that nobody else has; empty if there is no seat.
    """

    token: bytes

    def leave(self) -> None:
        """
        Somebody else may have it.
        """


class NoInstanceLock:
    """
    What is taken where there are no seats.
    """

    token = b""

    def leave(self) -> None:
        """
        There is nothing to give back.
        """


InstanceLocks = Callable[[str], InstanceLock]
"""
Takes a seat for dialing a name.
"""


def noInstanceLocks(name: str) -> InstanceLock:
    """
    There are none.
    """
    return NoInstanceLock()


class _FileLock:
    def __init__(self, descriptor: int, token: bytes) -> None:
        self._descriptor: int | None = descriptor
        self.token = token

    def leave(self) -> None:
        """
        See L{InstanceLock}.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def fileInstanceLocks(name: str) -> InstanceLock:
    """
    The first free seat of this user's for a name; none where no file can be locked.
    """
    try:
        return _take(_directory(), hashlib.sha256(name.encode("utf-8")).hexdigest())
    except OSError as cannot:
        _log.debug("no seat: {why}", why=cannot)
        return NoInstanceLock()


def _directory() -> Path:
    """
    Where the seats are: nobody but us may look into it.

    @raise OSError: there is no such place.
    """
    if fcntl is None:
        raise OSError("no locks")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    place = Path(runtime or tempfile.gettempdir(), f"punch-{os.getuid()}")
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or place.is_symlink():
        raise PermissionError(f"{place} is not ours alone")
    return place


def _take(directory: Path, name: str) -> InstanceLock:
    for number in range(_MOST):
        path = directory / f"{name[:32]}-{number}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _FileLock(descriptor, _token(descriptor))
        except BlockingIOError:
            os.close(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
    return NoInstanceLock()


def _token(descriptor: int) -> bytes:
    token = os.read(descriptor, SEAT_SIZE)
    if len(token) < SEAT_SIZE:
        token = secrets.token_bytes(SEAT_SIZE)
        os.pwrite(descriptor, token, 0)
    return token

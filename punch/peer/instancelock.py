"""
The instance lock: by its token a listener knows a dialer's program again after that was
restarted.

A link lives as long as both programs.  When the dialer's program is killed and started
again, the listener should not wait for the old link.  So the dialer sends a token with
its details, and a second link with the same token ends the first.  The token is some
random bytes in a file that is locked.  The kernel releases the lock when the program
ends, however it ends: so whoever holds the lock now is the only one alive that can.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.logger import Logger

try:
    import fcntl
except ImportError:
    # Windows has no such locks: a restarted dialer is a stranger there.
    fcntl = None  # type: ignore[assignment]

TOKEN_SIZE = 16
"""
Bytes of a token.
"""

_MOST = 64

_log = Logger()


class InstanceLock:
    """
    A held lock, whose token tells this program from all others that dial the name.

    The dialer takes it with the first dial of a link, and releases it when the link has
    ended.

    @ivar token: L{TOKEN_SIZE} bytes that nobody else has; empty where nothing is
        locked.
    """

    def __init__(self, token: bytes = b"", descriptor: int | None = None) -> None:
        """
        @param descriptor: the locked file's; C{None} if there is none.
        """
        self.token = token
        self._descriptor = descriptor

    def release(self) -> None:
        """
        Give the lock back: another link to the name may take it.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


InstanceLocks = Callable[[str], InstanceLock]
"""
Takes an instance lock for dialing a name.
"""


def noInstanceLocks(name: str) -> InstanceLock:
    """
    Take no lock: a restarted dialer is not known again.
    """
    return InstanceLock()


def fileInstanceLocks(name: str) -> InstanceLock:
    """
    Take this user's first free lock for a name, in a private folder; none where no file
    can be locked.
    """
    try:
        return _take(_directory(), hashlib.sha256(name.encode("utf-8")).hexdigest())
    except OSError as cannot:
        _log.debug("no instance lock: {why}", why=cannot)
        return InstanceLock()


def _directory() -> Path:
    """
    The folder of the lock files, which nobody else may open.

    @raise OSError: there is no such folder.
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
            return InstanceLock(_token(descriptor), descriptor)
        except BlockingIOError:
            os.close(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
    return InstanceLock()


def _token(descriptor: int) -> bytes:
    token = os.read(descriptor, TOKEN_SIZE)
    if len(token) < TOKEN_SIZE:
        token = secrets.token_bytes(TOKEN_SIZE)
        os.pwrite(descriptor, token, 0)
    return token

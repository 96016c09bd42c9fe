"""
The secret file of a standing name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.logger import Logger

from punch.errors import BadSecretFile

MINIMUM_LENGTH = 16
"""
Bytes that a secret should have at least.  Unlike a code's, the secret of a name can be
guessed at for as long as the name is published.
"""

_log = Logger()


def readSecret(path: Path) -> bytes:
    """
    Read the secret from the file at C{path}, without surrounding white space.  Log a
    warning if it is short, or if others can read the file.

    @raise BadSecretFile: there is no secret in it, or it cannot be read.
    """
    try:
        secret = path.read_bytes().strip()
        mode = path.stat().st_mode
    except OSError as cannot:
        raise BadSecretFile(f"{path}: {cannot.strerror}") from cannot
    if not secret:
        raise BadSecretFile(f"{path} is empty")
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        _log.warn("Others can read {path}: chmod 600 it.", path=str(path))
    if len(secret) < MINIMUM_LENGTH:
        _log.warn(
            "The secret in {path} is short: use {minimum} characters or more.",
            path=str(path),
            minimum=MINIMUM_LENGTH,
        )
    return secret

"""
The secret file of a standing name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.logger import Logger

from punch.errors import BadSecretFile

STRONG = 16
"""
Characters that a secret should have at least: a name, unlike a code, may be
guessed at for as long as it is published.
"""

_log = Logger()


def readSecret(path: Path) -> bytes:
    """
    The secret in the file at C{path}, without surrounding white space.  One that
    others can read, or a short one, is warned of.

    @raise BadSecretFile: there is none.
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
    if len(secret) < STRONG:
        _log.warn(
            "The secret in {path} is short: use {strong} characters or more.",
            path=str(path),
            strong=STRONG,
        )
    return secret

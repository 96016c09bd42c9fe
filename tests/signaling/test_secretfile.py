"""
Tests for L{punch.signaling.secretfile}.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.logger import LogLevel

from punch.errors import BadSecretFile
from punch.signaling.secretfile import MINIMUM_LENGTH, readSecret
from tests.support.doubles import Log, watching

SECRET = b"a long enough secret of ours"


@pytest.fixture
def warnings() -> Iterator[Log]:
    """
    The log while a test runs.
    """
    with watching() as log:
        yield log
        assert set(log.levels) <= {LogLevel.warn}


def written(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    """
    Write a secret file.
    """
    path = folder / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "content", [SECRET, SECRET + b"\n", b"\n\t " + SECRET + b" \r\n"]
)
def test_read(tmp_path: Path, warnings: Log, content: bytes) -> None:
    """
    The secret is the file's content without the white space around it, and nothing is
    logged of a good one.
    """
    assert readSecret(written(tmp_path, content)) == SECRET
    assert warnings.sentences == []


@pytest.mark.parametrize("content", [b"", b"\n", b" \t\r\n "])
def test_empty(tmp_path: Path, content: bytes) -> None:
    """
    An empty file holds no secret.
    """
    with pytest.raises(BadSecretFile, match="is empty"):
        readSecret(written(tmp_path, content))


def test_missing(tmp_path: Path) -> None:
    """
    A missing file is named.
    """
    with pytest.raises(BadSecretFile, match="secret: No such file"):
        readSecret(tmp_path / "secret")


def test_folder(tmp_path: Path) -> None:
    """
    So is one that can't be read.
    """
    with pytest.raises(BadSecretFile, match="directory"):
        readSecret(tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606, 0o620])
def test_readable(tmp_path: Path, warnings: Log, mode: int) -> None:
    """
    A file that others can read or change is warned of, and used.
    """
    path = written(tmp_path, SECRET, mode)
    assert readSecret(path) == SECRET
    [said] = warnings.sentences
    assert "chmod 600" in said
    assert str(path) in said
    assert SECRET.decode() not in said


@pytest.mark.parametrize(
    ("size", "warned"), [(MINIMUM_LENGTH - 1, 1), (MINIMUM_LENGTH, 0)]
)
def test_short(tmp_path: Path, warnings: Log, size: int, warned: int) -> None:
    """
    A short secret is warned of, too.
    """
    assert readSecret(written(tmp_path, b"x" * size)) == b"x" * size
    assert len([each for each in warnings.sentences if "short" in each]) == warned

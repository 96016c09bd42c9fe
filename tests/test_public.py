"""
What is public: C{docs/reference.rst} lists it, it exists, and neither examples nor
how-tos import anything else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

import punch

ROOT = Path(punch.__file__).parents[1]
REFERENCE = (ROOT / "docs" / "reference.rst").read_text("utf-8")
LISTED = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)", REFERENCE, re.M))
MODULES = {"punch", "punch.api", "punch.service", "punch.events", "punch.testing"}
"""
Those whose every public name is listed: by one directive, or in a table.
"""

PROGRAMS = [
    *(
        path
        for kind in ("py", "tac")
        for path in (ROOT / "examples").rglob(f"*.{kind}")
    ),
    *(
        path
        for name in ("howto", "explanation")
        for path in (ROOT / "docs" / name).glob("*.rst")
    ),
    ROOT / "docs" / "tutorial.rst",
    ROOT / "README.md",
]


def find(name: str) -> object:
    """
    The object of a full name.
    """
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(import_module(module), attribute)
    except AttributeError:
        return import_module(name)


def imports(path: Path) -> Iterator[str]:
    """
    The full names that a program imports from punch, or the Python code of a page.
    """
    text = path.read_text("utf-8")
    if path.suffix in (".rst", ".md"):
        lines = re.findall(r"^ *(?:>>> )?((?:from|import) punch\b.*)$", text, re.M)
        text = "\n".join(map(dedent, lines))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def test_listed() -> None:
    """
    What is listed is there.
    """
    assert LISTED
    for name in LISTED:
        assert find(name) is not None


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_imports(path: Path) -> None:
    """
    Who reads an example, or a how-to, learns public names only.
    """
    names = {name for name in imports(path) if re.match(r"punch(\.|$)", name)}
    hidden = {
        name
        for name in names - LISTED - MODULES
        if name.rpartition(".")[0] not in MODULES and not isError(name)
    }
    assert not hidden


def isError(name: str) -> bool:
    """
    Whether this is the class of an error, which the table of reasons lists.
    """
    found = find(name)
    return isinstance(found, type) and issubclass(found, punch.PunchError)

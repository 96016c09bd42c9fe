"""
Tests for what C{docs} and C{README.md} say about files and modules.
"""

from __future__ import annotations

import re
from pathlib import Path
from pkgutil import resolve_name as resolveName

import pytest

ROOT = Path(__file__).parents[1]

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.rst")])
CURRENT = [each for each in PAGES if each.name != "changelog.rst"]

everyPage = pytest.mark.parametrize(
    "page", CURRENT, ids=lambda page: str(page.relative_to(ROOT))
)


def isModule(name: str) -> bool:
    """
    Whether C{punch} has a module, or a package, of this name.
    """
    place = ROOT / "punch" / Path(*name.split("."))
    return place.is_dir() or place.with_suffix(".py").exists()


@everyPage
def test_paths(page: Path) -> None:
    """
    Each file of the tests, the examples and the package that a page names is there.
    """
    named = re.findall(
        r"``((?:tests|examples|punch)/[a-z][\w./*]+)``", page.read_text("utf-8")
    )
    assert [each for each in named if not list(ROOT.glob(each))] == []


@everyPage
def test_modules(page: Path) -> None:
    """
    Each dotted name of C{punch} on a page begins with a module, or is a public name.
    """
    named = set(re.findall(r"``punch\.([a-z]\w*)", page.read_text("utf-8")))
    public = {"dial", "dialName", "listen", "listenName"}
    assert {each for each in named - public if not isModule(each)} == set()


def test_enforced() -> None:
    """
    C{security.rst} names modules that are there, and tests, for each promise.
    """
    text = (ROOT / "docs" / "security.rst").read_text("utf-8")
    promises = re.findall(
        r"\*Enforced in\*(.*?)\*Tested in\*(.*?)\n\n", text, re.DOTALL
    )
    assert len(promises) == text.count("*Enforced in*") > 10
    for modules, tests in promises:
        assert all(isModule(each) for each in re.findall(r"``([\w.]+)``", modules))
        assert re.findall(r"``tests/", tests)


def test_ways() -> None:
    """
    Each function that C{design.rst} names on its ways through the code is there.
    """
    text = (ROOT / "docs" / "design.rst").read_text("utf-8")
    ways = text.partition("Four ways through the code")[2].partition("The race\n---")[0]
    named = re.findall(r"``([a-z]\w*(?:\.\w+)+)``", ways)
    assert len(named) > 50
    for each in named:
        found = resolveName(f"punch.{each}")
        assert found is not None

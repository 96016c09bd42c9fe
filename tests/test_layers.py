"""
What the contracts of C{.importlinter} cannot say: which names of Twisted, and which
uses of chance, the sans-IO modules may have; and that test modules stand alone.
"""

from __future__ import annotations

import ast
import re
from configparser import ConfigParser
from pathlib import Path

import pytest

import punch

ROOT = Path(punch.__file__).parent
TESTS = Path(__file__).parent

EDGE = ("cli", "endpoints")
"""
The packages that may reach for the global reactor.
"""


def sansIO() -> list[Path]:
    """
    The sans-IO modules, as the contract of that name lists them.
    """
    contracts = ConfigParser()
    contracts.read(ROOT.parent / ".importlinter", "utf-8")
    listed = contracts["importlinter:contract:sans-io"]["source_modules"].split()
    found: list[Path] = []
    for name in listed:
        place = ROOT.joinpath(*name.split(".")[1:])
        found += place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
    return found


def imports(path: Path) -> set[str]:
    """
    The full names of all that a module imports, wherever in it.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module or ''}.{alias.name}" for alias in node.names}
    return found


def moduleParameters(paths: list[Path]) -> pytest.MarkDecorator:
    """
    Runs a test for each of these modules.
    """
    ids = [str(each.relative_to(ROOT)) for each in paths]
    return pytest.mark.parametrize("module", paths, ids=ids)


everyRule = moduleParameters(sansIO())


@moduleParameters([p for p in ROOT.rglob("*.py") if p.parent.name not in EDGE])
def test_noGlobalReactor(module: Path) -> None:
    """
    Who is given a reactor does not reach for the global one; only the edge has
    it to give.
    """
    assert "twisted.internet.reactor" not in imports(module)


@everyRule
def test_noTransportsInRules(module: Path) -> None:
    """
    Of C{twisted.internet} a sans-IO module knows addresses, and nothing else.
    """
    twisted = {name for name in imports(module) if name.startswith("twisted.internet")}
    twisted.discard("twisted.internet.interfaces.IAddress")
    assert not {n for n in twisted if not n.startswith("twisted.internet.address.")}


@everyRule
def test_chanceIsAnArgument(module: Path) -> None:
    """
    Chance is an argument of the rules (what has to stay secret aside, which only
    C{secrets} may make).
    """
    chance = {n for n in imports(module) if n.partition(".")[0] == "random"}
    assert chance <= {"random.Random"}


def test_noTestModuleImported() -> None:
    """
    No module imports a test module: what tests share is in C{tests/support}, in a
    helper module beside them or in a C{conftest}.
    """
    names = {(path, name) for path in TESTS.rglob("*.py") for name in imports(path)}
    assert not {each for each in names if re.search(r"(^|\.)test_", each[1])}


def classes() -> list[tuple[str, ast.ClassDef]]:
    """
    Every class of the package, with its module's name.
    """
    found = []
    for path in ROOT.rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        tree = ast.parse(path.read_text("utf-8"))
        found += [(module, e) for e in ast.walk(tree) if isinstance(e, ast.ClassDef)]
    return found


def test_classesAreDescribed() -> None:
    """
    The docstring of a class has eight words and more.
    """
    described = {f"{m}.{e.name}": ast.get_docstring(e) or "" for m, e in classes()}
    assert [each for each, text in described.items() if len(text.split()) < 8] == []


def test_classNamesAreTheirOwn() -> None:
    """
    No two public classes have one name, but for the options of the commands, which
    Twisted finds by it.
    """
    names = [e.name for _, e in classes() if e.name[0] != "_"]
    assert {each for each in names if names.count(each) > 1} == {"Options"}


def test_fewModulesBesidePackages() -> None:
    """
    Beside the packages there are the vocabulary and the doors for programs.
    """
    assert len(list(ROOT.glob("*.py"))) <= 14

"""
The wheel: what a user gets who installs punch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from zipfile import ZipFile

import pytest

import twisted

ROOT = Path(__file__).parents[1]
SOURCES = ("punch", "twisted", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
PLUGIN = "twisted/plugins/punch_plugin.py"
MODULES = {path.relative_to(ROOT).as_posix() for path in (ROOT / "punch").rglob("*.py")}

IMPORT_ALL = """
import importlib, pkgutil, sys, punch
assert punch.__file__.startswith(sys.prefix), punch.__file__
names = [each.name for each in pkgutil.walk_packages(punch.__path__, "punch.")]
for name in names:
    importlib.import_module(name)
print(*names, "punch")
"""


class WheelSkipped(UserWarning):
    """
    The wheel could not be built here, so nobody has tried it.
    """


def run(*command: str | Path, cwd: Path) -> str:
    """
    Run a command, which succeeds.

    @return: what it prints.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    ended = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The wheel, built from a copy of the sources with the tools of this environment.
    """
    needed = "import setuptools, pip; assert int(setuptools.__version__[:2]) >= 68"
    if subprocess.run([sys.executable, "-c", needed], capture_output=True).returncode:
        if os.environ.get("CI") == "true":
            pytest.fail("the wheel needs pip and setuptools >= 68; in CI it is tested")
        text = "the wheel was not tested: this needs pip and setuptools >= 68"
        warnings.warn(WheelSkipped(text), stacklevel=1)
        pytest.skip(text)
    place = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "dropin.cache")
            shutil.copytree(ROOT / name, place / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, place / name)
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation")
    run(*pip, "--no-index", "--wheel-dir", place / "dist", place, cwd=place)
    [made] = (place / "dist").iterdir()
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The Python of an environment that has the wheel, and what it depends on from this
    one; not the sources.
    """
    place = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", place / "venv", cwd=place)
    python = place / "venv" / "bin" / "python"
    [site] = (place / "venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(str(Path(twisted.__file__).parents[1]))
    pip = (sys.executable, "-m", "pip", "--python", python, "install")
    run(*pip, "--no-deps", "--no-index", wheel, cwd=place)
    return python


def test_contents(wheel: Path) -> None:
    """
    It has all our modules, the marker of their annotations, and the plugin file; above
    all no C{twisted/__init__.py}, which would hide Twisted.
    """
    with ZipFile(wheel) as archive:
        names = {each for each in archive.namelist() if ".dist-info/" not in each}
    assert names == MODULES | {"punch/py.typed", PLUGIN}


def test_everyModule(python: Path, tmp_path: Path) -> None:
    """
    Installed, every module can be imported.
    """
    imported = run(python, "-c", IMPORT_ALL, cwd=tmp_path).split()
    paths = {path.removesuffix("/__init__.py") for path in MODULES}
    assert set(imported) == {
        path.removesuffix(".py").replace("/", ".") for path in paths
    }


@pytest.mark.parametrize("command", ["", "punch", "punch-rendezvous", "punch-check"])
def test_help(python: Path, tmp_path: Path, command: str) -> None:
    """
    C{twist} knows the three services, and each tells of its options.
    """
    said = run(python, "-m", "twisted", *command.split(), "--help", cwd=tmp_path)
    if command:
        assert f" {command} [options]" in said.splitlines()[0]
        assert "--rendezvous=" in said or "--listen=" in said
    else:
        assert {"punch", "punch-rendezvous", "punch-check"} <= set(said.split())

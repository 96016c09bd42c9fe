"""
Tests for C{twisted/plugins/punch_plugin.py}, and for what it may cost.
"""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import punch.endpoints
import punch.protocols

LIGHT = {
    "punch",
    "punch.endpoints",
    "punch.endpoints.parser",
    "punch.errors",
    "punch.interfaces",
    "punch.protocols",
    "punch.protocols.hello",
    "punch.protocols.simple",
    "punch.reasons",
    "punch.util",
    "punch.util.lazy",
}


def test_light() -> None:
    """
    Every C{twist} command of whatever service imports our plugins, so they bring
    next to nothing with them; above all nothing that only some platforms have.
    """
    code = (
        "import sys, twisted.plugins.punch_plugin as each;"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'punch'))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert set(run.stdout.split()) == LIGHT


@pytest.mark.parametrize("package", [punch, punch.endpoints, punch.protocols])
def test_names(package: ModuleType) -> None:
    """
    What a package promises it has, and nothing else.
    """
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    assert set(package.__all__) <= set(dir(package))
    assert not hasattr(package, "nothing")

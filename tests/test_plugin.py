"""
Tests for C{twisted/plugins/punch_plugin.py}, and for what it may cost.
"""

from __future__ import annotations

import subprocess
import sys

import punch

LIGHT = {
    "punch",
    "punch.endpoints",
    "punch.endpoints.parser",
    "punch.errors",
    "punch.interfaces",
    "punch.protocols",
    "punch.protocols.simple",
    "punch.reasons",
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


def test_names() -> None:
    """
    What C{punch} promises it has, and nothing else.
    """
    for name in punch.__all__:
        assert getattr(punch, name).__name__ == name
    assert set(punch.__all__) <= set(dir(punch))
    assert not hasattr(punch, "nothing")

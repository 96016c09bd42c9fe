"""
Pytest in the laboratory: where it cannot run, everybody who looks must notice.

Root under C{CI=true} means to run it; there a missing tool is a failure.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import pytest

from .requirements import isRoot, missing

_MEANING = (
    "nothing was tested against real kernel NATs: neither hole punching nor its speed"
)


class LaboratorySkipped(UserWarning):
    """
    The laboratory cannot run here.
    """


def _mustRun() -> bool:
    return os.environ.get("CI") == "true" and isRoot()


def _verdict() -> str:
    return f"the laboratory (tests/lab) needs {', '.join(missing())}"


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """
    Skip what needs the laboratory where it cannot run, with a warning.
    """
    wanting = [item for item in items if item.get_closest_marker("lab")]
    if not missing() or not wanting or _mustRun():
        return
    text = f"{len(wanting)} tests skipped, {_verdict()}: {_MEANING}"
    warnings.warn(LaboratorySkipped(text), stacklevel=1)
    for item in wanting:
        item.add_marker(pytest.mark.skip(reason=_verdict()))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """
    Fail what must run and cannot.
    """
    if item.get_closest_marker("lab") and missing() and _mustRun():
        pytest.fail(f"{_verdict()}; under CI as root it must run", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """
    Say at the very end that the laboratory did not run.
    """
    if missing() and not _mustRun():
        text = f"LABORATORY SKIPPED: {_verdict()}; {_MEANING}"
        terminalreporter.write_line(text, red=True, bold=True)

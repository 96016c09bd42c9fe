"""
Fixtures for the tests that run C{twist} in real processes.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.processes import Program, Start, startRendezvous

# In the background of a script SIGINT is ignored, also by the programs of the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes depends on what else the machine does.
settings.register_profile(
    "busy", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """
    Starts programs, which end with the test.
    """
    with ExitStack() as stack:
        count = 0

        def start(*args: str, **more: Any) -> Program:
            nonlocal count
            count += 1
            program = Program(tmp_path, f"{count}-{args[0]}", *args, **more)
            stack.callback(program.stop)
            return program

        yield start


@pytest.fixture
def rendezvous(start: Start) -> str:
    """
    A running rendezvous' description.
    """
    return startRendezvous(start, 1).replace("127.0.0.1", "localhost")

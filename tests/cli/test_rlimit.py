"""
Tests for L{punch.cli.rlimit}.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any

import pytest

from punch.cli import rlimit
from punch.cli.rlimit import raiseFileLimit
from punch.peer.settings import Settings

UNLIMITED = resource.RLIM_INFINITY

Limits = tuple[int, int]


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Callable[[Limits], list[Limits]]:
    """
    A system with limits of its own, and what is asked of it.
    """
    asked: list[Limits] = []

    def limit(limits: Limits) -> list[Limits]:
        def ask(kind: int, wanted: Any) -> None:
            assert kind == resource.RLIMIT_NOFILE
            asked.append(wanted)

        monkeypatch.setattr(resource, "getrlimit", lambda kind: limits)
        monkeypatch.setattr(resource, "setrlimit", ask)
        return asked

    return limit


@pytest.mark.parametrize(
    ("limits", "asks", "allowed"),
    [
        ((1024, 20000), [(5000, 20000)], 5000),
        ((1024, 4096), [(4096, 4096)], 4096),
        ((4096, 4096), [], 4096),
        ((8192, 20000), [], 5000),
        ((1024, UNLIMITED), [(5000, UNLIMITED)], 5000),
        ((UNLIMITED, UNLIMITED), [], 5000),
    ],
)
def test_limits(
    limited: Callable[[Limits], list[Limits]],
    limits: Limits,
    asks: list[Limits],
    allowed: int,
) -> None:
    """
    What is wanted is asked for, as far as it is not had and may be had.
    """
    asked = limited(limits)
    assert raiseFileLimit(5000) == allowed
    assert asked == asks


@pytest.mark.parametrize(("allowed", "search"), [(8192, 600), (600, 472), (100, 0)])
def test_search(monkeypatch: pytest.MonkeyPatch, allowed: int, search: int) -> None:
    """
    A search gets what is left when everything else has its files.
    """
    monkeypatch.setattr(rlimit, "raiseFileLimit", lambda wanted: min(wanted, allowed))
    assert rlimit.limitSearch(Settings(search=600), 8192).search == search

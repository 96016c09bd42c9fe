"""
What one rendezvous bears.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from punch.rendezvous.commands import MAXIMUM_MESSAGE, MAXIMUM_NAME
from punch.rendezvous.server.limits import Limits


def test_defaults() -> None:
    """
    By default a rendezvous bears the promised 10,000 publications, and messages and
    names as large as the protocol has them.
    """
    limits = Limits()
    assert limits.connections > 10_000
    assert limits.messageBytes == MAXIMUM_MESSAGE
    assert limits.nameBytes == MAXIMUM_NAME


def test_explained() -> None:
    """
    Every limit says what it limits.
    """
    assert all(each.metadata["meaning"] for each in fields(Limits))


def test_frozen() -> None:
    """
    Limits do not change.
    """
    with pytest.raises(FrozenInstanceError):
        Limits().connections = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", [each.name for each in fields(Limits)])
def test_positive(name: str) -> None:
    """
    No limit is zero.
    """
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        Limits(**{name: 0})


@pytest.mark.parametrize(
    ("name", "value"), [("messageBytes", 60_001), ("nameBytes", 256)]
)
def test_carried(name: str, value: int) -> None:
    """
    No limit is beyond what a box carries.
    """
    with pytest.raises(ValueError, match=f"{name} must be at most"):
        Limits(**{name: value})

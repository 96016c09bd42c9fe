"""
Tests for L{punch.peer.relaypolicy}.
"""

from __future__ import annotations

import pytest

from punch.errors import BadOption
from punch.peer.relaypolicy import RelayPolicy


@pytest.mark.parametrize(
    ("name", "mayRelay", "mayMeet"),
    [("fallback", True, True), ("only", True, False), ("never", False, True)],
)
def test_policies(name: str, mayRelay: bool, mayMeet: bool) -> None:
    """
    Each is known by its name, and says what it allows.
    """
    policy = RelayPolicy.named(name)
    assert (policy.mayRelay, policy.mayMeet) == (mayRelay, mayMeet)


@pytest.mark.parametrize("name", ["", "Never", "always"])
def test_unknown(name: str) -> None:
    """
    Any other is refused, with the names that there are.
    """
    with pytest.raises(BadOption, match="fallback, only, never"):
        RelayPolicy.named(name)

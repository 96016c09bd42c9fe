"""
Tests for L{punch.util.statusbyte}.
"""

from __future__ import annotations

import pytest

from punch.util.statusbyte import StatusByte

STATUSES: StatusByte[Exception] = StatusByte({1: KeyError, 7: OSError}, ValueError)


@pytest.mark.parametrize(
    ("error", "status", "meaning"),
    [
        pytest.param(None, 0, None, id="no error"),
        pytest.param(KeyError(), 1, KeyError, id="its own byte"),
        pytest.param(TimeoutError(), 7, OSError, id="a subclass"),
        pytest.param(ArithmeticError(), 255, ValueError, id="no byte of its own"),
    ],
)
def test_roundTrip(
    error: Exception | None, status: int, meaning: type[Exception] | None
) -> None:
    """
    What one side encodes the other decodes as the nearest error that it knows.
    """
    assert STATUSES.encode(error) == bytes([status])
    assert STATUSES.decode(status) is meaning


def test_anyByte() -> None:
    """
    Each byte but 0 is an error, those of later versions included.
    """
    known = {0: None, 1: KeyError, 7: OSError}
    for status in range(256):
        assert STATUSES.decode(status) is known.get(status, ValueError)

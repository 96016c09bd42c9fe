"""
The log, for the tests of protocols.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.doubles import Log, watching


@pytest.fixture
def logged() -> Iterator[Log]:
    """
    What was logged.
    """
    with watching() as log:
        yield log
